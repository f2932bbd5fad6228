"""An API in memory that knows which e-mails it has taken, and does with calls and e-mails what scripts say.

A call is taken or not, and its answer comes or not, or says something else. So it is with each e-mail of a call that is
taken. What has been taken under a key is never taken again under it, but it may be refused, as if it were not known.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from poststack import AsyncPostStack, PostStack
from poststack.transports.base import HttpRequest, HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import FakeClock

URL: Final = "https://api.test"
LARGEST_CALL: Final = 8_000_000
"""Bytes: what several e-mails in one call may have at most, as the documentation says."""

NOT_TAKEN: Final = (
    "refused", "never arrived", "500", "502", "503", "503 of its own", "429", "429 soon", "429 late", "429 quota",
    "302", "400", "401", "403", "404", "409 in progress", "413", "422",
)  # fmt: skip
TAKEN: Final = (
    "accepted", "accepted", "accepted", "slow", "lost", "reset", "too slow", "500 after", "503 after", "half of it",
    "garbled", "no data", "too few", "too many", "no objects", "null",
)  # fmt: skip
ENDING: Final = ("cancelled before", "cancelled after")

OF_EMAILS: Final = (
    "accepted", "accepted", "accepted", "accepted", "refused", "422", "quota", "too fast", "fails", "fails after",
    "strange", "no id", "number", "null",
)  # fmt: skip

_STATUS_OF_NOTHING: Final = {"502": b"<html>Bad gateway</html>", "302": b""}
_CODES: Final = {
    "503 of its own": "service_unavailable", "429 soon": "rate_limit_exceeded", "429 late": "rate_limit_exceeded",
    "429 quota": "monthly_limit_exceeded", "400": "invalid_request", "401": "unauthorized", "403": "forbidden",
    "404": "not_found", "409 in progress": "idempotency_in_progress", "422": "unprocessable_entity",
}  # fmt: skip


class World:
    """What the API has done, and how it was called."""

    def __init__(self) -> None:
        self.calls: list[str] = ["accepted"]
        self.emails: list[str] = ["accepted"]
        self.clock = LockedClock()
        self.taken: Counter[str] = Counter()
        """How often each recipient's e-mail was taken."""
        self.ids: dict[str, tuple[str, str]] = {}
        """The recipient and the key for which each id stands."""
        self.by_key: dict[str, str] = {}
        self.received: list[list[str]] = []
        """The recipients of each call, whatever became of it."""
        self.decide: Callable[[list[str]], str | None] | None = None
        """Says what happens to a call with these recipients, before the script is asked."""
        self.number_of_calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.cancel: Callable[[], object] | None = None
        self._met: Counter[str] = Counter()
        self._lock = threading.RLock()

    def follow(self, calls: Sequence[str], emails: Sequence[str]) -> None:
        """Do from now on what these scripts say."""
        self.calls, self.emails = list(calls), list(emails)

    def client(self, **options: Any) -> PostStack:
        """Return a client of this API."""
        return PostStack("sk_test_1", URL, transport=WorldTransport(self), **options)

    def async_client(self, **options: Any) -> AsyncPostStack:
        """Return an asynchronous client of this API."""
        return AsyncPostStack("sk_test_1", URL, transport=WorldTransport(self), **options)

    def take(self, recipient: str, key: str) -> dict[str, Any]:
        """Take an e-mail unless its key is known, and return what is said of it."""
        known = self.by_key.get(key)
        if known is not None:
            return {"id": known, "replayed": True}
        self.taken[recipient] += 1
        self.by_key[key] = email_id = f"em_{len(self.by_key)}"
        self.ids[email_id] = (recipient, key)
        return {"id": email_id}

    def enter(self) -> None:
        with self._lock:
            self.number_of_calls += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leave(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Do what is next for a call."""
        with self._lock:
            return self._answer(request)

    def _fate(self, script: Sequence[str], what: str) -> str:
        # What happens depends on what it happens to and how often it has, not on which thread is the fastest.
        self._met[what] += 1
        return script[(zlib.crc32(what.encode()) + self._met[what]) % len(script)]

    def _answer(self, request: HttpRequest) -> HttpResponse:
        assert (request.method, request.url) == ("POST", f"{URL}/emails/batch")
        assert request.body is not None
        emails: list[dict[str, Any]] = json.loads(request.body)["emails"]
        assert 1 <= len(emails) <= 100
        assert len(emails) == 1 or len(request.body) <= LARGEST_CALL
        assert all(email["idempotency_key"].strip() for email in emails)
        recipients = [email["to"][0] for email in emails]
        self.received.append(recipients)
        fate = None if self.decide is None else self.decide(recipients)
        fate = fate or self._fate(self.calls, f"call {emails[0]['idempotency_key']} {len(emails)}")
        if fate == "refused":
            raise TransportError("refused", request_sent=False)
        if fate == "never arrived":
            raise TransportTimeoutError("timed out")
        if fate in NOT_TAKEN:
            return refusal(fate)
        if fate == "half of it":
            emails = emails[: len(emails) // 2]
        items = [self._email(email["to"][0], email["idempotency_key"]) for email in emails]
        if fate in ENDING and self.cancel is not None:
            self.cancel()
        return self._said(fate, items, request)

    def _email(self, recipient: str, key: str) -> Any:
        fate = self._fate(self.emails, f"e-mail {key}")
        if fate in {"refused", "422", "quota", "too fast", "fails"}:
            code = {"422": "unprocessable_entity", "quota": "daily_cap_exceeded", "too fast": "rate_limit_exceeded",
                    "fails": "internal_error"}.get(fate)  # fmt: skip
            return {"error": "No"} if code is None else {"error": "No", "code": code}
        item = self.take(recipient, key)
        if fate == "fails after":
            return {"error": "Something broke", "code": "internal_error"}
        return {"strange": {"strange": True}, "no id": {"id": ""}, "number": 17, "null": None}.get(fate, item)

    def _said(self, fate: str, items: list[Any], request: HttpRequest) -> HttpResponse:
        if fate in {"slow", "too slow"}:
            self.clock.sleep(7.0 if fate == "slow" else request.timeout)
        is_late = request.deadline is not None and self.clock.now >= request.deadline
        if fate in {"lost", "too slow"} or is_late:
            raise TransportTimeoutError("timed out")
        if fate in {"reset", "half of it"}:
            raise TransportError("reset")
        if fate in {"500 after", "503 after"}:
            return HttpResponse(int(fate[:3]), {"content-type": "text/html"}, b"<html>No</html>")
        if fate == "garbled":
            return HttpResponse(202, {}, json.dumps({"data": items}).encode()[:-3])
        data: Any = {"too few": items[:-1], "too many": [*items, {"id": "em_x"}], "null": None}.get(fate, items)
        if fate == "no objects":
            data = "em_0"
        return HttpResponse(202, {}, json.dumps({} if fate == "no data" else {"data": data}).encode())


def refusal(fate: str) -> HttpResponse:
    """Return the answer of an API that takes nothing."""
    status = fate[:3]
    headers = {"retry-after": "1" if fate.endswith("soon") else "120"} if fate in {"429 soon", "429 late"} else {}
    if status in _STATUS_OF_NOTHING:
        return HttpResponse(int(status), headers, _STATUS_OF_NOTHING[status])
    body = {"error": "No", **({"code": _CODES[fate]} if fate in _CODES else {})}
    return HttpResponse(int(status), headers, json.dumps(body).encode())


class LockedClock(FakeClock):
    """May be waited for by several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            super().sleep(seconds)


class WorldTransport:
    """Carries calls to a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.clock = world.clock

    def send(self, request: HttpRequest) -> HttpResponse:
        self._world.enter()
        try:
            return self._world.answer(request)
        finally:
            self._world.leave()

    async def asend(self, request: HttpRequest) -> HttpResponse:
        import anyio

        self._world.enter()
        try:
            await anyio.sleep(0)
            answer = self._world.answer(request)
            await anyio.sleep(0)
            return answer
        finally:
            self._world.leave()

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
