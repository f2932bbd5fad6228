"""Connections of httpcore, opened to one origin and ready to be reused.

httpcore's own pool walks over all its connections for every request, which costs more than the request itself once a
hundred are open. A client talks to one origin, so a stack of idle connections is enough: the last one used is the
next one taken, and the others grow old and are dropped.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpcore

from poststack.transports._answer import LONGEST_ANSWER, answer, too_long
from poststack.transports._deadline import AsyncDeadlineBackend, Deadline, DeadlineBackend
from poststack.transports._environment import default_ssl_context, environment_proxy
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["AsyncConnection", "Connection", "Options", "Route", "transport_error"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Route(NamedTuple):
    """Where an origin is and how to get there."""

    scheme: bytes
    host: bytes
    port: int
    host_header: bytes
    proxy: str | None


@dataclass
class Options:
    """How connections are opened. Times are in seconds."""

    max_connections: int = 100
    keepalive_expiry: float = 15.0
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)

    def route(self, origin: str) -> Route:
        """Return the way to an origin such as `https://api.example.com:8443`."""
        parts = urlsplit(origin)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        return Route(
            parts.scheme.encode(),
            host.encode("idna" if not host.isascii() else "ascii"),
            port,
            parts.netloc.rpartition("@")[2].encode("idna" if not host.isascii() else "ascii"),
            self.proxy or environment_proxy(parts.scheme, host),
        )

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings, made once: reading the authorities takes tens of milliseconds."""
        if self.ssl_context is None:
            self.ssl_context = default_ssl_context()
        return self.ssl_context


def transport_error(error: Exception) -> TransportError:
    """Return the one error that every failure below this line becomes."""
    if isinstance(error, TransportError):
        return error
    timed_out = isinstance(error, (httpcore.TimeoutException, TimeoutError))
    kind = TransportTimeoutError if timed_out else TransportError
    return kind(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _request(route: Route, request: HttpRequest, target_start: int) -> httpcore.Request:
    headers = [(b"Host", route.host_header)]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()]
    if request.body is not None:
        headers.append((b"Content-Length", str(len(request.body)).encode()))
    elif request.method == "POST":
        headers.append((b"Content-Length", b"0"))
    url = httpcore.URL(
        scheme=route.scheme, host=route.host, port=route.port, target=request.url[target_start:].encode("ascii") or b"/"
    )
    wait = request.timeout
    extensions = {"timeout": {"connect": wait, "read": wait, "write": wait, "pool": wait}}
    return httpcore.Request(
        request.method.encode("ascii"), url, headers=headers, content=request.body, extensions=extensions
    )


class Connection:
    """One connection at most, to one origin, directly or through a proxy. Not for two threads at a time."""

    def __init__(self, route: Route, options: Options) -> None:
        self._route = route
        self._deadline = Deadline()
        backend = DeadlineBackend(self._deadline)
        context = options.context() if route.scheme == b"https" else None
        self._http: Any
        if route.proxy is None:
            origin = httpcore.Origin(route.scheme, route.host, route.port)
            self._http = httpcore.HTTPConnection(
                origin, ssl_context=context, keepalive_expiry=options.keepalive_expiry, network_backend=backend
            )
        else:
            # A pool of one: the connections behind httpcore's proxies are not public by themselves.
            pool = httpcore.SOCKSProxy if route.proxy.startswith("socks") else httpcore.HTTPProxy
            self._http = pool(
                **_proxy_arguments(route.proxy),
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=options.keepalive_expiry,
                network_backend=backend,
            )

    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        return self._route.proxy is not None or bool(self._http.is_idle())

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile. Asks the system, so only when taking it."""
        return self._route.proxy is None and bool(self._http.has_expired())

    def exchange(self, request: HttpRequest, target_start: int) -> HttpResponse:
        """Send and receive. Raises whatever httpcore and h11 raise; the caller closes the connection then."""
        self._deadline.at = request.deadline
        response = self._http.handle_request(_request(self._route, request, target_start))
        try:
            body = bytearray()
            for part in response.stream:
                body += part
                if len(body) > LONGEST_ANSWER:
                    raise too_long()
        finally:
            response.close()
        return answer(response.status, response.headers, bytes(body), response.extensions.get("reason_phrase", b""))

    def close(self) -> None:
        """Close the socket."""
        self._http.close()


class AsyncConnection:
    """One connection at most, to one origin, directly or through a proxy. Not for two tasks at a time."""

    def __init__(self, route: Route, options: Options) -> None:
        self._route = route
        self._deadline = Deadline()
        backend = AsyncDeadlineBackend(self._deadline)
        context = options.context() if route.scheme == b"https" else None
        self._http: Any
        if route.proxy is None:
            origin = httpcore.Origin(route.scheme, route.host, route.port)
            self._http = httpcore.AsyncHTTPConnection(
                origin, ssl_context=context, keepalive_expiry=options.keepalive_expiry, network_backend=backend
            )
        else:
            pool = httpcore.AsyncSOCKSProxy if route.proxy.startswith("socks") else httpcore.AsyncHTTPProxy
            self._http = pool(
                **_proxy_arguments(route.proxy),
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=options.keepalive_expiry,
                network_backend=backend,
            )

    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        return self._route.proxy is not None or bool(self._http.is_idle())

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile. Asks the system, so only when taking it."""
        return self._route.proxy is None and bool(self._http.has_expired())

    async def exchange(self, request: HttpRequest, target_start: int) -> HttpResponse:
        """Send and receive. Raises whatever httpcore and h11 raise; the caller closes the connection then."""
        self._deadline.at = request.deadline
        response = await self._http.handle_async_request(_request(self._route, request, target_start))
        try:
            body = bytearray()
            async for part in response.stream:
                body += part
                if len(body) > LONGEST_ANSWER:
                    raise too_long()
        finally:
            await response.aclose()
        return answer(response.status, response.headers, bytes(body), response.extensions.get("reason_phrase", b""))

    async def aclose(self) -> None:
        """Close the socket."""
        await self._http.aclose()


def _proxy_arguments(proxy: str) -> dict[str, Any]:
    parts = urlsplit(proxy)
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    arguments: dict[str, Any] = {"proxy_url": url}
    if parts.username:
        from urllib.parse import unquote

        arguments["proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return arguments
