"""Connections through a proxy: those of httpcore or httpcore2, with every step kept within the deadline.

httpcore opens tunnels and speaks to HTTP proxies, at the price of its pool for each request. Behind a proxy that price
does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

import httpcore

from poststack.transports._answer import LONGEST_ANSWER, answer, too_long
from poststack.transports._connections import DEFAULT_PORTS, AsyncConnection, Connection, forget_frames, transport_error
from poststack.transports._deadline import AsyncDeadlineBackend, Deadline, DeadlineBackend
from poststack.transports._http1_request import complete_headers
from poststack.transports.base import TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from poststack.transports._connections import Options, Route
    from poststack.transports._streaming import StreamedBody
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["AsyncProxiedConnection", "ProxiedConnection", "async_connection_to", "connection_to"]


class ProxiedConnection:
    """One connection through a proxy, opened by its first exchange. Not for two threads at a time."""

    idle = True
    """The pool of one below looks after its connection itself."""
    stale = False

    def __init__(self, route: Route, proxy: str, options: Options) -> None:
        self._route = route
        self._proxy = proxy
        self._options = options
        self._deadline = Deadline()
        self._pool: httpcore.ConnectionPool | None = None

    @property
    def request_sent(self) -> bool:
        """Whether anything was sent, to the proxy at least: what became of it beyond that is unknown here."""
        return self._deadline.anything_sent

    def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Raises `TransportError`, and defects as they are; the caller closes the connection then."""
        self._deadline.begin(request.deadline)
        try:
            pool = self._pool = self._pool or self._opened()
            response = pool.handle_request(_request(self._options, self._route, request, target))
            try:
                body = bytearray()
                sink = request.sink
                streamed = _streamed(request, response)
                for part in cast("Iterable[bytes]", response.stream):
                    if sink is not None and streamed is not None:
                        for piece in streamed.decoded(part):
                            sink.write(piece)
                        continue
                    body += part
                    if len(body) > LONGEST_ANSWER:
                        raise too_long()
                if sink is not None and streamed is not None:
                    for piece in streamed.rest():
                        sink.write(piece)
            finally:
                response.close()
        except Exception as error:
            forget_frames(error)
            failure = _failure(error, self._proxy, self._options, request_sent=self.request_sent)
            if failure is error:
                raise error  # Not `raise` alone, which on Python 3.10 would bring the frames back.
            raise failure from error
        return answer(response.status, response.headers, bytes(body), _reason(response))

    def close(self) -> None:
        """Close the socket."""
        if self._pool is not None:
            self._pool.close()

    def _opened(self) -> httpcore.ConnectionPool:
        engine = self._options.engine
        arguments = _proxy_arguments(self._proxy, self._route, self._options)
        backend = DeadlineBackend(self._deadline, engine)
        return cast("httpcore.ConnectionPool", engine.HTTPProxy(**arguments, network_backend=backend))


class AsyncProxiedConnection:
    """One connection through a proxy, opened by its first exchange. Not for two tasks at a time."""

    idle = True
    stale = False

    def __init__(self, route: Route, proxy: str, options: Options) -> None:
        self._route = route
        self._proxy = proxy
        self._options = options
        self._deadline = Deadline()
        self._pool: httpcore.AsyncConnectionPool | None = None

    @property
    def request_sent(self) -> bool:
        """Whether anything was sent, to the proxy at least: what became of it beyond that is unknown here."""
        return self._deadline.anything_sent

    async def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Raises `TransportError`, and defects as they are; the caller closes the connection then."""
        self._deadline.begin(request.deadline)
        try:
            pool = self._pool = self._pool or self._opened()
            response = await pool.handle_async_request(_request(self._options, self._route, request, target))
            try:
                body = bytearray()
                sink = request.sink
                streamed = _streamed(request, response)
                async for part in cast("AsyncIterable[bytes]", response.stream):
                    if sink is not None and streamed is not None:
                        for piece in streamed.decoded(part):
                            await sink.awrite(piece)
                        continue
                    body += part
                    if len(body) > LONGEST_ANSWER:
                        raise too_long()
                if sink is not None and streamed is not None:
                    for piece in streamed.rest():
                        await sink.awrite(piece)
            finally:
                await response.aclose()
        except Exception as error:
            forget_frames(error)
            failure = _failure(error, self._proxy, self._options, request_sent=self.request_sent)
            if failure is error:
                raise error  # Not `raise` alone, which on Python 3.10 would bring the frames back.
            raise failure from error
        return answer(response.status, response.headers, bytes(body), _reason(response))

    async def aclose(self) -> None:
        """Close the socket."""
        if self._pool is not None:
            await self._pool.aclose()

    def _opened(self) -> httpcore.AsyncConnectionPool:
        engine = self._options.engine
        arguments = _proxy_arguments(self._proxy, self._route, self._options)
        backend = AsyncDeadlineBackend(self._deadline, engine)
        return cast("httpcore.AsyncConnectionPool", engine.AsyncHTTPProxy(**arguments, network_backend=backend))


def _failure(error: Exception, proxy: str, options: Options, *, request_sent: bool) -> Exception:
    """Return what it is to the client: the proxy may be what fails, so it is named, without its password."""
    failure = transport_error(error, options.timeout_error, request_sent=request_sent)
    if not isinstance(failure, TransportError):
        return failure
    parts = urlsplit(proxy)
    place = parts.netloc.rpartition("@")[2]
    place = place if parts.port else f"{place}:{DEFAULT_PORTS[parts.scheme]}"
    return type(failure)(f"{failure}, through the proxy {place}", request_sent=request_sent)


def _streamed(request: HttpRequest, response: httpcore.Response) -> StreamedBody | None:
    if request.sink is None:
        return None
    from poststack.transports._streaming import streamed_body  # Few programs download.

    return streamed_body(response.status, response.headers)


def _reason(response: httpcore.Response) -> bytes:
    return cast("dict[str, bytes]", response.extensions).get("reason_phrase", b"")  # pyright: ignore[reportUnknownMemberType]  # httpcore annotates a bare dict


def _request(options: Options, route: Route, request: HttpRequest, target: str) -> httpcore.Request:
    headers = complete_headers(request, route.host_header)
    port = None if route.port == DEFAULT_PORTS[route.scheme] else route.port
    wait = request.timeout
    engine = options.engine
    made = engine.Request(
        request.method,
        engine.URL(scheme=route.scheme, host=route.host, port=port, target=target),
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in headers],
        content=request.body,
        extensions={"timeout": {"connect": wait, "read": wait, "write": wait, "pool": wait}},
    )
    return cast("httpcore.Request", made)


def _proxy_arguments(proxy: str, route: Route, options: Options) -> dict[str, Any]:
    parts = urlsplit(proxy)
    arguments: dict[str, Any] = {
        "proxy_url": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "ssl_context": options.context() if route.scheme == "https" else None,
        "max_connections": 1,
        "keepalive_expiry": options.keepalive_expiry,
    }
    if parts.scheme == "https":
        arguments["proxy_ssl_context"] = options.context()
    if parts.username:
        arguments["proxy_auth"] = (unquote_to_bytes(parts.username), unquote_to_bytes(parts.password or ""))
    return arguments


def connection_to(route: Route, options: Options) -> Connection | ProxiedConnection:
    """Return a connection that is not open yet, through the proxy where there is one."""
    return Connection(route, options) if route.proxy is None else ProxiedConnection(route, route.proxy, options)


def async_connection_to(route: Route, options: Options) -> AsyncConnection | AsyncProxiedConnection:
    """Return a connection that is not open yet, through the proxy where there is one."""
    if route.proxy is None:
        return AsyncConnection(route, options)
    return AsyncProxiedConnection(route, route.proxy, options)
