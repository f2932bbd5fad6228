"""Network streams of httpcore, or httpcore2, that also end when the whole call must end.

A timeout bounds one read. A server that sends a byte now and then resets it for ever, so each read and write here gets
what is left until the deadline at most. A connection serves one request at a time, hence one `Deadline` for each.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore

from poststack.transports.base import TransportTimeoutError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from types import ModuleType

__all__ = ["AsyncDeadlineBackend", "Deadline", "DeadlineBackend", "connect"]

WRITE_SIZE: Final = 256 * 2**10
"""Bytes between two looks at the clock; an e-mail with attachments has up to 34 MB."""


class Deadline:
    """The moment on `time.monotonic()` at which the request in progress must have ended; `None` for never."""

    __slots__ = ("anything_sent", "at")

    def __init__(self) -> None:
        self.at: float | None = None
        self.anything_sent = False
        """Whether something was written for the request in progress, or the last one, be it to a proxy only."""

    def begin(self, at: float | None) -> None:
        """Hold for another request."""
        self.at = at
        self.anything_sent = False

    def within(self, timeout: float | None) -> float | None:
        """Return the timeout, shortened to what is left. Raises `TransportTimeoutError` when nothing is."""
        if self.at is None:
            return timeout
        left = self.at - time.monotonic()
        if left <= 0:
            raise TransportTimeoutError("the deadline of the call has passed")
        return left if timeout is None else min(timeout, left)


def connect(
    engine: ModuleType,
    host: str,
    port: int,
    time_left: Callable[[], float | None],
    socket_options: Iterable[Any] | None = None,
) -> httpcore.NetworkStream:
    """Connect to the first address of a host that answers, and wait for each at most what is left by then.

    Name resolution takes as long as the system lets it.
    """
    backend = cast("httpcore.NetworkBackend", engine.SyncBackend())
    # Given a name, the backend would grant the whole timeout to every address behind it.
    *others, last = [_numeric(entry[4]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in others:
        with contextlib.suppress(engine.ConnectError, engine.ConnectTimeout):
            return backend.connect_tcp(address, port, time_left(), socket_options=socket_options)
    return backend.connect_tcp(last, port, time_left(), socket_options=socket_options)


def _numeric(address: tuple[Any, ...]) -> str:
    # Addresses of IPv6 have four parts; the last is the interface of one that holds on its own link only.
    return f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else str(address[0])


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens streams that keep a deadline."""

    def __init__(self, deadline: Deadline, engine: ModuleType) -> None:
        self._deadline = deadline
        self._engine = engine

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within what is left."""
        stream = connect(self._engine, host, port, lambda: self._deadline.within(timeout), socket_options)
        return _DeadlineStream(stream, self._deadline)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), WRITE_SIZE):
            part = bytes(view[start : start + WRITE_SIZE])
            left = self._deadline.within(timeout)
            self._deadline.anything_sent = True
            self._stream.write(part, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        encrypted = self._stream.start_tls(ssl_context, server_hostname, self._deadline.within(timeout))
        return _DeadlineStream(encrypted, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class AsyncDeadlineBackend(httpcore.AsyncNetworkBackend):
    """Opens streams that keep a deadline, on asyncio and on trio."""

    def __init__(self, deadline: Deadline, engine: ModuleType) -> None:
        self._deadline = deadline
        self._backend = cast("httpcore.AsyncNetworkBackend", engine.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within what is left."""
        left = self._deadline.within(timeout)
        stream = await self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _AsyncDeadlineStream(stream, self._deadline)


class _AsyncDeadlineStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, self._deadline.within(timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), WRITE_SIZE):
            part = bytes(view[start : start + WRITE_SIZE])
            left = self._deadline.within(timeout)
            self._deadline.anything_sent = True
            await self._stream.write(part, left)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        encrypted = await self._stream.start_tls(ssl_context, server_hostname, self._deadline.within(timeout))
        return _AsyncDeadlineStream(encrypted, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
