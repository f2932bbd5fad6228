"""Serving an emulator with uvicorn, on an address of one's own machine unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Collection
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from poststack.emulator.core import Emulator
from poststack.emulator.server import DROP_EXTENSION, create_app

__all__ = ["AddressError", "listen", "serve"]


class AddressError(Exception):
    """The address cannot be listened on: in use, not of this machine, or not allowed."""


class _DroppableConnection(H11Protocol):
    """Offers the application to drop the connection, which ASGI itself has no word for."""

    def connection_made(  # type: ignore[override]  # as in uvicorn, which narrows the type as well
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        app = self.app

        async def with_drop(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[DROP_EXTENSION] = lambda: _reset(transport)
            await app(scope, receive, send)

        self.app = with_drop


class _AnnouncingServer(uvicorn.Server):
    """Says when it answers requests, which uvicorn only logs, and before it waits for those under way to end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets=sockets)


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        # Lingering for 0 seconds makes closing a reset, as from a process that died. One whose client has gone is
        # closed.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes a free one.

    Raises `AddressError` when that cannot be.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol's number: asyncio turns Nagle's algorithm off where it knows that it is TCP, and otherwise
        # each answer waits 40 ms for the acknowledgement of its own headers.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"Cannot listen on {host}: {error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        hint = "Choose another one with --port, or 0 for any free one."
        raise AddressError(f"Cannot listen on {host} port {port}: {error.strerror}. {hint}") from error
    listener.setblocking(False)
    return listener


def serve(
    emulator: Emulator,
    listener: socket.socket,
    *,
    allowed_hosts: Collection[str] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; `on_ready` is called once requests are answered. Closes the socket."""
    app = create_app(emulator, allowed_hosts=allowed_hosts)
    config = uvicorn.Config(
        app,
        http=_DroppableConnection,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
    )
    server = _AnnouncingServer(config, on_ready, app.state.emulator.stop)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
