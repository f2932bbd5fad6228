"""A transport that answers from a script and a clock that only moves when somebody waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from poststack.transports.base import HttpRequest, HttpResponse, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Step = HttpResponse | Exception


class FakeClock:
    """Seconds that pass by waiting alone."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


class ScriptedTransport:
    """Gives one step of the script to each attempt, the last one for ever, and keeps the requests."""

    def __init__(self, *steps: Step, duration: float = 0.0) -> None:
        self.steps = list(steps)
        self.duration = duration
        self.clock = FakeClock()
        self.requests: list[HttpRequest] = []
        self.closed = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        self.clock.now += self.duration
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    async def asend(self, request: HttpRequest) -> HttpResponse:
        return self.send(request)

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of all attempts."""
        return [request.headers["Idempotency-Key"] for request in self.requests]


def response(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status, {"content-type": "application/json", **(headers or {})}, content, "")


def refusal(status: int, code: str | None = None, retry_after: str | None = None) -> HttpResponse:
    """Return an error answer as the API writes it."""
    body: dict[str, Any] = {"error": "Refused"} if code is None else {"error": "Refused", "code": code}
    return response(status, body, {} if retry_after is None else {"retry-after": retry_after})


def cut() -> TransportError:
    """Return what a transport raises when the connection breaks."""
    return TransportError("the connection was cut")


def accepted() -> HttpResponse:
    """Return the answer to a send."""
    return response(202, {"id": "em_1"})


class AnsweringTransport:
    """Answers by what the JSON of a request says, and keeps it."""

    def __init__(self, answer: Callable[[dict[str, Any]], HttpResponse]) -> None:
        self._answer = answer
        self.bodies: list[dict[str, Any]] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body or b"{}")
        self.bodies.append(body)
        return self._answer(body)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        return self.send(request)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class FeedingTransport:
    """Gives the pieces of one download after another to the request's sink; an exception cuts it off."""

    def __init__(self, *downloads: list[bytes | Exception]) -> None:
        self._downloads = list(downloads)
        self.clock = FakeClock()
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        assert request.sink is not None
        for piece in self._downloads.pop(0):
            if isinstance(piece, Exception):
                raise piece
            try:
                request.sink.write(piece)
            except Exception as error:
                raise TransportError("OSError: something about a socket, perhaps") from error
        return HttpResponse(200, {})

    async def asend(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        assert request.sink is not None
        for piece in self._downloads.pop(0):
            if isinstance(piece, Exception):
                raise piece
            try:
                await request.sink.awrite(piece)
            except Exception as error:
                raise TransportError("OSError: something about a socket, perhaps") from error
        return HttpResponse(200, {})

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
