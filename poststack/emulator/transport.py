"""The emulator as a transport of the client: no sockets, no threads, no waiting.

Time stands still until somebody waits: `clock.advance`, or the client itself between two attempts. Then
everything that becomes due on the way happens in order, webhook calls to registered receivers included.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from poststack.emulator.core import Emulator
from poststack.emulator.model import Attempt
from poststack.emulator.notifying.deliveries import WebhookCall
from poststack.transports.base import HttpRequest, HttpResponse, TransportError, TransportTimeoutError

__all__ = ["InMemoryTransport", "MovableClock", "Receiver"]

Receiver = Callable[[bytes, dict[str, str]], int]

# A receiver that causes an event for every event it gets would never let a moment end.
_MAX_ROUNDS = 1_000


class MovableClock:
    """A clock that moves only when told. Sleeping on it returns at once, that much later.

    `move` is called with the time to go to, and lets happen what is due until then.
    """

    def __init__(self, start: float, move: Callable[[float], None] | None = None) -> None:
        self._start = start
        self._now = start
        self._move = move
        self._lock = threading.RLock()

    def time(self) -> float:
        """Return seconds since 1970."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._now - self._start

    def advance(self, seconds: float) -> None:
        """Let so much time pass; with 0, let happen what is due now.

        Raises `ValueError` for negative seconds.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError("A clock advances by a finite number of seconds that is not negative.")
        target = self._now + seconds
        if self._move is not None:
            self._move(target)
        self.set(target)

    def set(self, now: float) -> None:
        """Show this time from now on, without anything happening; it never goes back."""
        with self._lock:
            self._now = max(self._now, now)

    def sleep(self, seconds: float) -> None:
        """Advance."""
        self.advance(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Advance."""
        self.advance(max(0.0, seconds))


@dataclass
class InMemoryTransport:
    """Serves both clients from an emulator in this process. `clock` is the clock of the client, too."""

    emulator: Emulator
    start: float = 1_767_225_600.0
    clock: MovableClock = field(init=False)
    _receivers: dict[str, Receiver] = field(init=False, repr=False, default_factory=dict[str, Receiver])

    def __post_init__(self) -> None:
        self.clock = MovableClock(self.start, self._let_happen)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer a request.

        Raises `TransportError` for a fault that drops the connection, or comes too late.
        """
        response = self._answered(request)
        if request.sink is None or not 200 <= response.status < 300:
            return response
        request.sink.write(response.body)
        return response._replace(body=b"")

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of the asynchronous client; it never waits, but for what is written to a file."""
        response = self._answered(request)
        if request.sink is None or not 200 <= response.status < 300:
            return response
        await request.sink.awrite(response.body)
        return response._replace(body=b"")

    def close(self) -> None:
        """Do nothing: the emulator outlives the clients that use it."""

    async def aclose(self) -> None:
        """Do nothing: the emulator outlives the clients that use it."""

    def receive(self, url: str, receiver: Receiver) -> None:
        """Hand webhook calls to this URL to a function, which returns the status to answer with."""
        self._receivers[url] = receiver

    def _answered(self, request: HttpRequest) -> HttpResponse:
        answer = self.emulator.answer(request, self.clock.time())
        if answer.advance:
            self.clock.advance(answer.advance)
        response = answer.response
        if answer.pending is not None:
            self.clock.advance(0)
            response = self.emulator.outcome(answer) or response
        self._wait(request, answer.delay)
        if response is None:
            raise TransportError("The connection was dropped before an answer came.")
        return response

    def _wait(self, request: HttpRequest, delay: float) -> None:
        if not delay:
            return
        left = request.timeout
        if request.deadline is not None:
            left = min(left, request.deadline - self.clock.monotonic())
        if delay > left:
            self.clock.sleep(left)
            raise TransportTimeoutError("No answer came in time.")
        self.clock.sleep(delay)

    def _let_happen(self, target: float) -> None:
        rounds, moment = 0, None
        while (due := self.emulator.next_due()) is not None and due <= target:
            rounds, moment = (rounds + 1, moment) if moment == due else (1, due)
            if rounds > _MAX_ROUNDS:
                raise RuntimeError("One moment does not end. Does a webhook receiver cause events of its own?")
            self.clock.set(due)
            for call in self.emulator.run_due(self.clock.time()):
                self.emulator.record(call.delivery_id, self._attempt(call), self.clock.time())

    def _attempt(self, call: WebhookCall) -> Attempt:
        receiver, now = self._receivers.get(call.url), self.clock.time()
        if receiver is None:
            problem = "Nothing listens at this URL in memory; register a function with on_webhook(url=...)."
            return Attempt(now, 0.0, error=problem)
        try:
            status = receiver(call.body, _lower(call.headers))
        except Exception as error:  # noqa: BLE001  # whatever it raises, a server would answer with 500
            return Attempt(now, 0.0, status=500, error=f"The receiver raised {type(error).__name__}.")
        return Attempt(now, 0.0, status=int(status))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
