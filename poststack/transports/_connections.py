"""Connections to one origin, opened by httpcore's network backends and kept open between exchanges.

A timeout bounds one read. A server that sends a byte now and then resets it for ever, so each step here gets what is
left until the deadline at most.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import urlsplit

import httpcore

from poststack.transports._deadline import connect
from poststack.transports._environment import default_ssl_context, environment_proxy
from poststack.transports._http1 import READ_SIZE, Conversation
from poststack.transports._settings import (
    check_keepalive_expiry,
    check_max_connections,
    check_ssl_context,
    checked_proxy,
)
from poststack.transports._sockets import is_readable
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from types import ModuleType

    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = [
    "DEFAULT_PORTS",
    "AsyncConnection",
    "Connection",
    "Options",
    "Route",
    "forget_frames",
    "patience",
    "transport_error",
]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
DEFECTS: Final = (TypeError, AttributeError, NameError, ImportError, AssertionError)
"""What neither sockets nor TLS nor an HTTP library raise about what came over the wire."""
NO_DELAY: Final = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


class Route(NamedTuple):
    """Where an origin is and how to get there."""

    scheme: str
    host: str
    port: int
    host_header: str
    proxy: str | None


@dataclass
class Options:
    """How connections are opened. Times are in seconds. Raises `ValueError` for what cannot work."""

    max_connections: int = 100
    keepalive_expiry: float = 15.0
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    engine: ModuleType = httpcore
    """httpcore, or httpcore2, which has the same names for the same things."""

    def __post_init__(self) -> None:
        check_max_connections(self.max_connections)
        check_keepalive_expiry(self.keepalive_expiry)
        check_ssl_context(self.ssl_context)
        if self.proxy is not None:
            self.proxy = checked_proxy(self.proxy, "proxy")

    @property
    def timeout_error(self) -> type[Exception]:
        """What the engine raises when a step takes too long."""
        return cast("type[Exception]", self.engine.TimeoutException)

    def route(self, origin: str) -> Route:
        """Return the way to an origin such as `https://api.example.com:8443`.

        Raises `TransportError` when the environment names a proxy that cannot be used.
        """
        parts = urlsplit(origin)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        name = f"[{host}]" if ":" in host else host
        return Route(
            parts.scheme,
            host,
            port,
            name if port == DEFAULT_PORTS[parts.scheme] else f"{name}:{port}",
            self.proxy or environment_proxy(parts.scheme, host),
        )

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings, made once: reading the authorities takes tens of milliseconds."""
        if self.ssl_context is None:
            context = default_ssl_context()
            context.set_alpn_protocols(["http/1.1"])
            self.ssl_context = context
        return self.ssl_context


def transport_error(error: Exception, timeout_error: type[Exception], *, request_sent: bool = True) -> Exception:
    """Return what a failure of sockets, TLS, the HTTP library or its parser is to the client.

    A defect is itself, as trying again does not mend it; but once something was sent, the doubt about that counts more.
    """
    if isinstance(error, TransportError):
        error.request_sent = request_sent
        return error
    if isinstance(error, DEFECTS) and not request_sent:
        return error
    timed_out = isinstance(error, (timeout_error, TimeoutError, socket.timeout))
    kind = TransportTimeoutError if timed_out else TransportError
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return kind(text, request_sent=request_sent)


def forget_frames(error: Exception) -> None:
    """Drop where an error came from: reports print the variables of every frame, and a library's hold the API key."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def patience(request: HttpRequest) -> float:
    """Return how long the next step may take. Raises `TransportTimeoutError` once the deadline has passed."""
    if request.deadline is None:
        return request.timeout
    left = request.deadline - time.monotonic()
    if left <= 0:
        # Within an exchange, the connection knows better.
        raise TransportTimeoutError("the deadline of the call has passed", request_sent=False)
    return min(request.timeout, left)


class Connection:
    """One connection, opened by its first exchange. Not for two threads at a time."""

    def __init__(self, route: Route, options: Options) -> None:
        self._route = route
        self._options = options
        self._conversation = Conversation(route.host_header)
        self._stream: httpcore.NetworkStream | None = None
        self._socket: socket.socket | None = None
        self._waits_for = -1.0
        self._expires_at = 0.0
        self.request_sent = False
        """Whether the exchange in progress, or the last one, has begun to send."""

    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        return self._conversation.reusable

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile. Asks the system, so only when taking it."""
        return time.monotonic() > self._expires_at or bool(self._stream and self._stream.get_extra_info("is_readable"))

    def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Raises whatever sockets and h11 raise; the caller closes the connection then."""
        self.request_sent = False
        parts = self._conversation.start(request, target)
        connected = self._socket or self._connect(request)
        self.request_sent = True
        # A server may answer, and close, before it has read everything: what it says counts.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for part in parts:
                # Not `sendall`: on TLS it would give each record of the part the whole time again.
                unsent = memoryview(part)
                while unsent:
                    self._wait_at_most(patience(request))
                    unsent = unsent[connected.send(unsent) :]
        receive = self._conversation.receive
        while True:
            self._wait_at_most(patience(request))
            response = receive(connected.recv(READ_SIZE))
            if request.sink is not None:
                for piece in self._conversation.pieces(is_complete=response is not None):
                    request.sink.write(piece)
            if response is not None:
                self._expires_at = time.monotonic() + self._options.keepalive_expiry
                return response

    def close(self) -> None:
        """Close the socket."""
        if self._stream is not None:
            self._stream.close()

    def _connect(self, request: HttpRequest) -> socket.socket:
        route = self._route
        stream = connect(self._options.engine, route.host, route.port, lambda: patience(request), NO_DELAY)
        self._stream = stream  # Before the handshake, so that a failure during it closes the socket.
        if route.scheme == "https":
            self._stream = stream = stream.start_tls(self._options.context(), route.host, patience(request))
        # The socket itself: httpcore's stream would set its timeout, a system call, at every read and write.
        self._socket = cast("socket.socket", stream.get_extra_info("socket"))
        return self._socket

    def _wait_at_most(self, seconds: float) -> None:
        if seconds != self._waits_for and self._socket is not None:
            self._socket.settimeout(seconds)  # A system call, needless while the timeout is the same.
            self._waits_for = seconds


class AsyncConnection:
    """One connection, opened by its first exchange. Not for two tasks at a time."""

    def __init__(self, route: Route, options: Options) -> None:
        self._route = route
        self._options = options
        self._conversation = Conversation(route.host_header)
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._socket: socket.socket | None = None
        self._expires_at = 0.0
        self.request_sent = False
        """Whether the exchange in progress, or the last one, has begun to send."""

    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        return self._conversation.reusable

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile. Asks the system, so only when taking it."""
        return time.monotonic() > self._expires_at or bool(self._socket and is_readable(self._socket))

    async def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Raises whatever httpcore and h11 raise; the caller closes the connection then."""
        self.request_sent = False
        parts = self._conversation.start(request, target)
        stream = self._stream or await self._connect(request)
        self.request_sent = True
        # A server may answer, and close, before it has read everything: what it says counts.
        with contextlib.suppress(self._options.engine.WriteError):
            for part in parts:
                # Every event loop takes views, although the annotation does not say so.
                await stream.write(cast("bytes", part), patience(request))
        receive = self._conversation.receive
        while True:
            response = receive(await stream.read(READ_SIZE, patience(request)))
            if request.sink is not None:
                for piece in self._conversation.pieces(is_complete=response is not None):
                    await request.sink.awrite(piece)
            if response is not None:
                self._expires_at = time.monotonic() + self._options.keepalive_expiry
                return response

    async def aclose(self) -> None:
        """Close the socket."""
        if self._stream is not None:
            await self._stream.aclose()

    async def _connect(self, request: HttpRequest) -> httpcore.AsyncNetworkStream:
        route = self._route
        backend = cast("httpcore.AsyncNetworkBackend", self._options.engine.AnyIOBackend())
        stream = await backend.connect_tcp(route.host, route.port, patience(request))
        self._stream = stream  # Before the handshake, so that a failure during it closes the socket.
        if route.scheme == "https":
            self._stream = stream = await stream.start_tls(self._options.context(), route.host, patience(request))
        # Kept, because anyio asks the system for both addresses whenever it is asked for the socket.
        self._socket = stream.get_extra_info("socket")
        return stream
