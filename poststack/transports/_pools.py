"""The connections of a transport: those to each origin, of each event loop, and none that a forked child inherits.

Which library opens a connection and speaks HTTP on it is the transport's choice; everything else about them is here.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from poststack.transports._connections import Options, Route, patience, transport_error
from poststack.transports.base import TransportTimeoutError
from poststack.transports.turnstile import Turnstile, asyncio_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["AsyncOneConnection", "AsyncPooledTransport", "OneConnection", "PooledTransport"]


class _State(Protocol):
    @property
    def idle(self) -> bool:
        """Whether the last exchange left it open and in order."""
        ...

    @property
    def stale(self) -> bool:
        """Whether it is too old, or closed by the other side meanwhile."""
        ...

    @property
    def request_sent(self) -> bool:
        """Whether the exchange in progress, or the last one, has begun to send."""
        ...


class OneConnection(_State, Protocol):
    """One connection, opened by its first exchange. Not for two threads at a time."""

    def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Whatever is raised, the caller closes the connection then."""
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


class AsyncOneConnection(_State, Protocol):
    """One connection, opened by its first exchange. Not for two tasks at a time."""

    async def exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        """Send and receive. Whatever is raised, the caller closes the connection then."""
        ...

    async def aclose(self) -> None:
        """Close the socket."""
        ...


class PooledTransport:
    """Sends requests over connections that are kept open, from any number of threads."""

    def __init__(self, options: Options, connection: Callable[[Route, Options], OneConnection]) -> None:
        self._options = options
        self._connection = connection
        self._pools: dict[str, _Pool] = {}
        _in_this_process.add(self)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer whatever its status; raise `TransportError` when there is none."""
        url = request.url
        origin_end = _origin_end(url)
        origin = url[:origin_end]
        pool = self._pools.get(origin)
        if pool is None:
            route = self._options.route(origin)
            new = _Pool(partial(self._connection, route, self._options), self._options)
            pool = self._pools.setdefault(origin, new)
        return pool.send(request, url[origin_end:] or "/")

    def close(self) -> None:
        """Close idle connections. The transport stays usable: a later request opens a new one."""
        for pool in list(self._pools.values()):
            pool.close()

    def forget_connections(self) -> None:
        """Start without connections, as a forked child must: those it sees belong to its parent."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()  # Closes this process's copies only; nothing is said to the server.


class _Pool:
    """The connections to one origin."""

    def __init__(self, new_connection: Callable[[], OneConnection], options: Options) -> None:
        self._new_connection = new_connection
        self._timeout = options.timeout_error
        # Appending and popping are atomic, so the stack needs no lock.
        self._idle: list[OneConnection] = []
        self._free = threading.BoundedSemaphore(options.max_connections)
        # A client that nobody closed ends without a warning about sockets, also at the end of the program.
        weakref.finalize(self, _close_all, self._idle)

    def send(self, request: HttpRequest, target: str) -> HttpResponse:
        if not self._free.acquire(timeout=patience(request)):
            raise TransportTimeoutError("no connection became free in time", request_sent=False)
        try:
            connection = self._take()
            try:
                response = connection.exchange(request, target)
            except Exception as error:
                connection.close()
                failure = transport_error(error, self._timeout, request_sent=connection.request_sent)
                if failure is error:
                    raise
                raise failure from error
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
            return response
        finally:
            self._free.release()

    def _take(self) -> OneConnection:
        with contextlib.suppress(IndexError):  # Another thread may take the last one at any moment.
            while True:
                connection = self._idle.pop()
                if not connection.stale:
                    return connection
                connection.close()
        return self._new_connection()

    def _give_back(self, connection: OneConnection) -> None:
        if connection.idle:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        _close_all(self._idle)


def _close_all(idle: list[OneConnection]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            idle.pop().close()


class AsyncPooledTransport:
    """Sends requests over connections that are kept open, on asyncio and, where the connections can, on trio.

    A burst of calls is spread over several turns of an asyncio event loop, so that others are served meanwhile.
    """

    def __init__(self, options: Options, connection: Callable[[Route, Options], AsyncOneConnection]) -> None:
        self._options = options
        self._connection = connection
        # A connection works on the event loop that opened it and on no other.
        self._loops: weakref.WeakKeyDictionary[Any, dict[str, _AsyncPool]] = weakref.WeakKeyDictionary()
        _in_this_process.add(self)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Return the answer whatever its status; raise `TransportError` when there is none."""
        url = request.url
        origin_end = _origin_end(url)
        origin = url[:origin_end]
        pools = self._pools()
        pool = pools.get(origin)
        if pool is None:
            route = self._options.route(origin)
            pool = pools[origin] = _AsyncPool(partial(self._connection, route, self._options), self._options)
            await pool.open()
        return await pool.send(request, url[origin_end:] or "/")

    async def aclose(self) -> None:
        """Close this event loop's idle connections. The transport stays usable: a later request opens a new one."""
        for pool in self._pools().values():
            await pool.aclose()

    def forget_connections(self) -> None:
        """Start without connections, as a forked child must: those it sees belong to its parent."""
        loops, self._loops = self._loops, weakref.WeakKeyDictionary()
        for pools in list(loops.values()):
            for pool in pools.values():
                pool.forget()

    def _pools(self) -> dict[str, _AsyncPool]:
        loop = _running_loop()
        pools = self._loops.get(loop)
        if pools is None:
            self._forget_ended_loops()
            pools = self._loops[loop] = {}
        return pools

    def _forget_ended_loops(self) -> None:
        import asyncio

        # An open connection refers to its loop, so the weak reference alone never lets go of either.
        for loop in list(self._loops):
            if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed():
                self._loops.pop(loop, None)


class _AsyncPool:
    """The connections to one origin on one event loop."""

    def __init__(self, new_connection: Callable[[], AsyncOneConnection], options: Options) -> None:
        self._new_connection = new_connection
        self._timeout = options.timeout_error
        self._idle: list[AsyncOneConnection] = []
        self._free = anyio.Semaphore(options.max_connections)
        self._turnstile = Turnstile()
        self._ending: AsyncGenerator[None] | None = None

    async def open(self) -> None:
        """Have connections closed that nobody closes: when their event loop ends, or nothing refers to the pool."""
        if asyncio_loop() is not None:
            self._ending = _ending(self._idle)
            await anext(self._ending)

    def forget(self) -> None:
        """Leave all connections alone, whatever becomes of the event loop and of this pool."""
        self._idle.clear()
        if self._ending is not None:
            with contextlib.suppress(StopIteration):
                self._ending.aclose().send(None)

    async def send(self, request: HttpRequest, target: str) -> HttpResponse:
        await self._turnstile.enter()
        response = await self._exchange(request, target)
        # Again, for what the caller does with it: the answers to a burst can come all at once.
        await self._turnstile.enter()
        return response

    async def _exchange(self, request: HttpRequest, target: str) -> HttpResponse:
        try:
            self._free.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(patience(request)) as scope:
                await self._free.acquire()
            if scope.cancelled_caught:
                raise TransportTimeoutError("no connection became free in time", request_sent=False) from None
        try:
            connection = await self._take()
            try:
                response = await connection.exchange(request, target)
            except Exception as error:
                await _close(connection)
                failure = transport_error(error, self._timeout, request_sent=connection.request_sent)
                if failure is error:
                    raise
                raise failure from error
            except BaseException:
                await _close(connection)
                raise
            if connection.idle:
                self._idle.append(connection)
            else:
                await _close(connection)
            return response
        finally:
            self._free.release()

    async def _take(self) -> AsyncOneConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.stale:
                return connection
            await _close(connection)
        return self._new_connection()

    async def aclose(self) -> None:
        while self._idle:
            await _close(self._idle.pop())


async def _ending(idle: list[AsyncOneConnection]) -> AsyncGenerator[None]:
    # asyncio sees to the end of every generator that was begun on a loop. Without this, sockets that nobody closed are
    # left to the garbage collector, which warns of each. On trio it would itself be warned of.
    try:
        yield
    finally:
        while idle:
            await _close(idle.pop())


async def _close(connection: AsyncOneConnection) -> None:
    # Also when the call is being cancelled: a socket left open would be answered to nobody.
    with anyio.CancelScope(shield=True), contextlib.suppress(Exception):
        await connection.aclose()


def _origin_end(url: str) -> int:
    """Return where the path begins in an absolute address: `https://` is 8 characters long."""
    end = url.find("/", 8)
    return len(url) if end < 0 else end


def _running_loop() -> Any:
    loop = asyncio_loop()
    if loop is not None:
        return loop
    from trio.lowlevel import current_trio_token

    return current_trio_token()


_in_this_process: weakref.WeakSet[PooledTransport | AsyncPooledTransport] = weakref.WeakSet()


def _forget_parents_connections() -> None:
    for transport in list(_in_this_process):
        transport.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_connections)
