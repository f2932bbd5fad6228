"""A transport for asyncio on what aiohttp is made of: its compiled parser and its way to connect.

`aiohttp.ClientSession` itself stays out, and so does what it does beyond this: sending a GET again by itself, keeping
cookies, using a connection without a look at whether it was closed meanwhile, letting a server that reads nothing hold
a call for ever, and several times the work. What holds for the default transport holds here: it may be shared by event
loops (each has connections of its own) and across a fork (the child opens its own).

aiohttp does not promise to keep its parser as it is: see `_aiohttp_works`.

Needs `pip install "poststack[aiohttp]"`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import anyio

from poststack.transports._aiohttp_works import link_class
from poststack.transports._connections import Options, Route, patience
from poststack.transports._http1_request import request_parts
from poststack.transports._pools import AsyncOneConnection, AsyncPooledTransport
from poststack.transports._proxied import async_connection_to
from poststack.transports._sockets import is_readable
from poststack.transports.base import TransportTimeoutError
from poststack.transports.turnstile import asyncio_loop

try:
    import_module("aiohttp")  # What is of it is imported where it is used.
    import aiohappyeyeballs
except ImportError as _error:
    _missing = 'AiohttpTransport needs aiohttp: pip install "poststack[aiohttp]"'
    raise ImportError(_missing, name="aiohttp") from _error

if TYPE_CHECKING:
    import ssl

    from poststack.transports._aiohttp_link import Link
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["AiohttpTransport"]

NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds that one address of a host has before the next is tried beside it, as RFC 8305 recommends."""


class AiohttpTransport(AsyncPooledTransport):
    """Send requests over connections that are kept open, on asyncio. The quickest of the transports.

    At most `max_connections` are open to one origin; further calls wait for one, at most `timeout` seconds. An idle
    connection is dropped after `keepalive_expiry` seconds. `ssl_context` and `proxy` replace what the environment says;
    to a proxy httpcore speaks. A burst of calls is spread over several turns of the event loop, so that others are
    served meanwhile. On trio, calls raise `RuntimeError`.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        keepalive_expiry: float = 15.0,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(Options(max_connections, keepalive_expiry, ssl_context, proxy), _connection_to)


def _connection_to(route: Route, options: Options) -> AsyncOneConnection:
    loop = asyncio_loop()
    if loop is None:
        raise RuntimeError(
            "AiohttpTransport works on asyncio only. On trio, pass no transport, or AsyncHttpx2Transport() of "
            "poststack.transports.httpx2."
        )
    link = None if route.proxy is not None else link_class(loop)
    return async_connection_to(route, options) if link is None else _Connection(route, options, link)


class _Connection:
    """One connection, opened by its first exchange. Not for two tasks at a time."""

    def __init__(self, route: Route, options: Options, link_class: type[Link]) -> None:
        self._route = route
        self._options = options
        self._link_class = link_class
        self._link: Link | None = None
        self._socket: socket.socket | None = None
        self._expires_at = 0.0
        self.request_sent = False
        """Whether the exchange in progress, or the last one, has begun to send."""

    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        return self._link is not None and self._link.in_order

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile. Asks the system, so only when taking it."""
        if time.monotonic() > self._expires_at or not self.idle:
            return True
        # The event loop may not have got to read yet that the server has gone.
        return self._socket is None or is_readable(self._socket)

    async def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Raises `TransportError`, and what sockets and TLS raise; the caller closes it then."""
        self.request_sent = False
        parts = request_parts(request, target, self._route.host_header)
        link = self._link or await self._connect(request)
        patience(request)
        link.begin(request)
        all_sent = False
        for part in parts:
            if link.settled:
                break
            self.request_sent = True
            await link.write(part)
        else:
            all_sent = True
        response = await link.answer(all_sent=all_sent)
        self._expires_at = time.monotonic() + self._options.keepalive_expiry
        return response

    async def aclose(self) -> None:
        """Close the socket."""
        if self._link is not None:
            await self._link.aclose()

    async def _connect(self, request: HttpRequest) -> Link:
        route, loop = self._route, asyncio.get_running_loop()
        encryption: dict[str, Any] = {}
        if route.scheme == "https":
            encryption = {"ssl": self._options.context(), "server_hostname": route.host}
        try:
            with anyio.fail_after(patience(request)):
                addresses = await loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
                connected = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]  # a bare tuple
                    addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER
                )
            with anyio.fail_after(patience(request)):
                _, link = await loop.create_connection(lambda: self._link_class(loop), sock=connected, **encryption)
        except TimeoutError as error:
            raise TransportTimeoutError("no connection was made in time", request_sent=False) from error
        self._link, self._socket = link, connected
        return link
