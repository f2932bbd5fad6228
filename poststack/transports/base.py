"""What the client asks of an HTTP library: one request value in, one response value out.

Everything that decides (retries, errors, headers, JSON) is above this line, everything that moves bytes is
below it. A transport of your own needs `send` and `close`, or `asend` and `aclose`; one object may have all four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from poststack._clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AsyncTransport",
    "Clock",
    "HttpRequest",
    "HttpResponse",
    "Sink",
    "SystemClock",
    "Transport",
    "TransportError",
    "TransportTimeoutError",
]


class Sink(Protocol):
    """Where the body of a success goes, piece by piece, when it may be larger than memory.

    A transport that knows of sinks hands one the decoded body of an answer of status 2xx, in order, by the method for
    its kind, and leaves `HttpResponse.body` empty. One that does not returns the body as ever. What the methods raise
    is for the caller: let it pass, or raise a `TransportError` in its place.
    """

    def write(self, data: bytes) -> None:
        """Take the next part; of the synchronous client."""
        ...

    async def awrite(self, data: bytes) -> None:
        """Take the next part; of the asynchronous client."""
        ...


# Named tuples: two of these are made for every attempt, and importing dataclasses would cost more than this package.
class HttpRequest(NamedTuple):
    """One attempt of one call.

    `timeout` bounds each step (connect, write, read, waiting for a connection) in seconds. `deadline`, when
    given, is the moment on the client's monotonic clock at which the whole attempt must have ended. `sink` is given for
    downloads.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout: float = 30.0
    deadline: float | None = None
    sink: Sink | None = None

    def __repr__(self) -> str:
        """Return what identifies the request; headers and body hold the API key and somebody's mail."""
        return f"HttpRequest({self.method!r}, {self.url!r}, timeout={self.timeout!r}, deadline={self.deadline!r})"


class HttpResponse(NamedTuple):
    """A complete answer. Header names are lower-case; repeated headers are joined with a comma.

    `body` is empty when it went into the request's sink.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    reason: str = ""

    def __repr__(self) -> str:
        """Return status and headers; the body can be somebody's mail."""
        return f"HttpResponse({self.status!r}, {self.headers!r}, reason={self.reason!r})"


class TransportError(Exception):
    """No complete answer came: refused, cut off, or not HTTP.

    `request_sent` is false only when nothing of the request can have been taken: no connection was made or, over SMTP,
    the e-mail's end had not been sent. Otherwise it may or may not have arrived.
    """

    def __init__(self, message: str = "", *, request_sent: bool = True) -> None:
        super().__init__(message)
        self.request_sent: bool = request_sent


class TransportTimeoutError(TransportError):
    """No complete answer came in time."""


class Transport(Protocol):
    """Send requests for the synchronous client. Must be safe to call from several threads."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer whatever its status; raise `TransportError` when there is none."""
        ...

    def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        ...


class AsyncTransport(Protocol):
    """Send requests for the asynchronous client."""

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Return the answer whatever its status; raise `TransportError` when there is none."""
        ...

    async def aclose(self) -> None:
        """Release connections. Calling it again is harmless."""
        ...


@runtime_checkable
class Clock(Protocol):
    """The time a client lives by. A transport with an attribute `clock` of this shape replaces the real one.

    The in-memory emulator does so, which is how a test sees three retries and a minute of `Retry-After`
    without waiting for them.
    """

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def time(self) -> float:
        """Return seconds since 1970, for dates in `Retry-After`."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block for so long."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Wait for so long without blocking the event loop."""
        ...
