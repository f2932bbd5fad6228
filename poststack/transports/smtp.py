"""Transports that speak SMTP: on smtplib for threads, on aiosmtplib for asyncio.

Both keep connections open, use them again, and open a new one at once when an old one turns out to be gone before the
e-mail was handed over. Both may be shared: by threads, by event loops (each has connections of its own), and across a
fork (the child opens its own).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, cast

import anyio

from poststack.transports._smtp_dialogue import SmtpAnswer, SmtpReply, SmtpRequest, Stage
from poststack.transports._smtp_session import SmtpSession
from poststack.transports._smtp_settings import LoginRefusals, SmtpServer, token_error
from poststack.transports.base import TransportError, TransportTimeoutError
from poststack.transports.turnstile import asyncio_loop

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable

    from poststack.transports._smtp_asyncio import AsyncSmtpSession

__all__ = ["AiosmtplibTransport", "SmtpAnswer", "SmtpReply", "SmtpRequest", "SmtpServer", "SmtplibTransport", "Stage"]


class SmtplibTransport:
    """Hand e-mails to one server over connections that are kept open, from any number of threads.

    At most `max_connections` of the server's settings are open; further calls wait for one until their deadline.
    Raises `ValueError` for an `oauth_token` that is a coroutine function.
    """

    def __init__(self, server: SmtpServer) -> None:
        if inspect.iscoroutinefunction(server.oauth_token):
            raise ValueError("`oauth_token` is a coroutine function, which only an asynchronous client can call.")
        self._server = server
        self._context = _context(server)
        self._refusals = LoginRefusals()
        self._pool = _Pool(server.max_connections)
        _in_this_process.add(self)

    def send(self, request: SmtpRequest) -> SmtpAnswer:
        """Return what the server says; raise `TransportError` when it says nothing."""
        pool = self._pool
        if not pool.free.acquire(timeout=_until_deadline(request)):
            raise TransportTimeoutError("no connection became free in time", request_sent=False)
        try:
            return self._send(request, pool)
        finally:
            pool.free.release()

    def close(self) -> None:
        """Close idle connections. The transport stays usable: a later e-mail opens a new one."""
        for session in pop_each(self._pool.idle):
            session.quit()

    def forget_connections(self) -> None:
        """Start without connections, as a forked child must: those it sees belong to its parent."""
        pool, self._pool = self._pool, _Pool(self._server.max_connections)
        _abandon_all(pool.idle)  # Closes this process's copies only; nothing is said to the server.

    def _send(self, request: SmtpRequest, pool: _Pool) -> SmtpAnswer:
        for session in pop_each(pool.idle):
            if session.stale:
                session.abandon()
                continue
            answer = self._handed_over(session, request, pool, repeatable=True)
            if answer is not None:
                return answer
            break  # Others that were idle as long are gone too.
        session = SmtpSession(self._server, self._context())
        try:
            credentials = self._server.credentials(_token(self._server))
            answer = self._refusals.known(credentials) or session.open(request, credentials)
        except BaseException:
            session.abandon()
            raise
        if answer is not None:
            session.quit()
            self._refusals.note(credentials, answer)
            return answer
        answer = self._handed_over(session, request, pool, repeatable=False)
        assert answer is not None  # noqa: S101  # only a repeatable one is left without
        return answer

    def _handed_over(
        self, session: SmtpSession, request: SmtpRequest, pool: _Pool, *, repeatable: bool
    ) -> SmtpAnswer | None:
        """Return `None` when the connection was gone, nothing was taken, and a new one is worth trying."""
        try:
            answer = session.hand_over(request)
        except TransportError as error:
            session.abandon()
            if repeatable and _was_gone(error):
                return None
            raise
        except BaseException:
            session.abandon()
            raise
        if session.usable:
            pool.idle.append(session)
        elif _is_farewell(answer):
            session.abandon()
            return None if repeatable else answer
        else:
            session.quit()
        return answer


class _Pool:
    """The connections of one process."""

    def __init__(self, max_connections: int) -> None:
        # Appending and popping are atomic, so the stack needs no lock.
        self.idle: list[SmtpSession] = []
        self.free = threading.BoundedSemaphore(max_connections)
        # A client that nobody closed ends without a warning about sockets, also at the end of the program.
        weakref.finalize(self, _abandon_all, self.idle)


class AiosmtplibTransport:
    """Hand e-mails to one server over connections that are kept open, on asyncio. Needs aiosmtplib.

    At most `max_connections` of the server's settings are open on an event loop; further calls wait for one until their
    deadline. On trio, for which aiosmtplib is not made, each e-mail is handed over in a thread, by `SmtplibTransport`.
    """

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._context = _context(server)
        self._refusals = LoginRefusals()
        # A connection works on the event loop that opened it and on no other.
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _AsyncPool] = weakref.WeakKeyDictionary()
        self._threads: SmtplibTransport | None = None
        _in_this_process.add(self)

    async def asend(self, request: SmtpRequest) -> SmtpAnswer:
        """Return what the server says; raise `TransportError` when it says nothing."""
        loop = asyncio_loop()
        if loop is None:
            return await self._asend_in_thread(request)
        pool = self._pool(loop)
        progress = _Progress()
        with anyio.move_on_after(None if request.deadline is None else request.deadline - time.monotonic()):
            async with pool.free:
                return await self._send(request, pool, progress)
        handed_over = progress.session is not None and progress.session.handed_over
        raise TransportTimeoutError("the deadline of the call has passed", request_sent=handed_over)

    async def aclose(self) -> None:
        """Close this event loop's idle connections. The transport stays usable: a later e-mail opens a new one."""
        loop = asyncio_loop()
        if loop is not None:
            for session in pop_each(self._pool(loop).idle):
                await _quit(session)
        elif self._threads is not None:
            await anyio.to_thread.run_sync(self._threads.close)

    def forget_connections(self) -> None:
        """Start without connections, as a forked child must: those it sees belong to its parent."""
        self._loops = weakref.WeakKeyDictionary()

    def _pool(self, loop: asyncio.AbstractEventLoop) -> _AsyncPool:
        pool = self._loops.get(loop)
        if pool is None:
            # An open connection refers to its loop, so the weak reference alone never lets go of either.
            for ended in [other for other in self._loops if other.is_closed()]:
                self._loops.pop(ended, None)
            pool = self._loops[loop] = _AsyncPool(self._server.max_connections)
        return pool

    async def _asend_in_thread(self, request: SmtpRequest) -> SmtpAnswer:
        if self._threads is None:
            self._threads = SmtplibTransport(self._server)
        return await anyio.to_thread.run_sync(self._threads.send, request)

    async def _send(self, request: SmtpRequest, pool: _AsyncPool, progress: _Progress) -> SmtpAnswer:
        from poststack.transports._smtp_asyncio import AsyncSmtpSession

        for session in pop_each(pool.idle):
            if session.stale:
                session.abandon()
                continue
            progress.session = session
            answer = await self._handed_over(session, request, pool, repeatable=True)
            if answer is not None:
                return answer
            break  # Others that were idle as long are gone too.
        progress.session = session = AsyncSmtpSession(self._server, self._context())
        try:
            credentials = self._server.credentials(await _atoken(self._server))
            answer = self._refusals.known(credentials) or await session.open(request, credentials)
        except BaseException:
            session.abandon()
            raise
        if answer is not None:
            await _quit(session)
            self._refusals.note(credentials, answer)
            return answer
        answer = await self._handed_over(session, request, pool, repeatable=False)
        assert answer is not None  # noqa: S101  # only a repeatable one is left without
        return answer

    async def _handed_over(
        self, session: AsyncSmtpSession, request: SmtpRequest, pool: _AsyncPool, *, repeatable: bool
    ) -> SmtpAnswer | None:
        """Return `None` when the connection was gone, nothing was taken, and a new one is worth trying."""
        try:
            answer = await session.hand_over(request)
        except TransportError as error:
            session.abandon()
            if repeatable and _was_gone(error):
                return None
            raise
        except BaseException:
            session.abandon()
            raise
        if session.usable:
            pool.idle.append(session)
        elif _is_farewell(answer):
            session.abandon()
            return None if repeatable else answer
        else:
            await _quit(session)
        return answer


class _AsyncPool:
    """The connections of one event loop."""

    def __init__(self, max_connections: int) -> None:
        self.idle: list[AsyncSmtpSession] = []
        self.free = anyio.Semaphore(max_connections)


class _Progress:
    """Which connection a call has got to when its time is up."""

    session: AsyncSmtpSession | None = None


async def _quit(session: AsyncSmtpSession) -> None:
    # Also when the call is being cancelled: the wait is short, and a socket left open would be answered to nobody.
    with anyio.CancelScope(shield=True):
        await session.quit()


def pop_each(idle: list[Any]) -> Any:
    """Yield what is in the stack, the last first, until another thread has taken the rest."""
    with contextlib.suppress(IndexError):
        while True:
            yield idle.pop()


def _abandon_all(idle: list[SmtpSession]) -> None:
    for session in pop_each(idle):
        session.abandon()


def _was_gone(error: TransportError) -> bool:
    return not error.request_sent and not isinstance(error, TransportTimeoutError)


def _is_farewell(answer: SmtpAnswer) -> bool:
    return answer.reply.code == 421 and not answer.accepted


def _context(server: SmtpServer) -> Callable[[], ssl.SSLContext | None]:
    """Return what makes the TLS settings once, when they are needed: reading the authorities takes milliseconds."""
    made: list[ssl.SSLContext] = []

    def context() -> ssl.SSLContext | None:
        if server.security == "plain":
            return None
        if not made:
            made.append(server.context())
        return made[0]

    return context


def _until_deadline(request: SmtpRequest) -> float | None:
    """Return how long to wait for a connection: the others' e-mails take no time of this one's steps."""
    return None if request.deadline is None else max(request.deadline - time.monotonic(), 0.0)


def _token(server: SmtpServer) -> str | None:
    if server.oauth_token is None:
        return None
    try:
        return cast("str", server.oauth_token())
    except Exception as error:
        raise token_error(error) from error


async def _atoken(server: SmtpServer) -> str | None:
    """Do the same; a plain function is called in a thread, for it may ask somebody for the token."""
    if server.oauth_token is None:
        return None
    try:
        if inspect.iscoroutinefunction(server.oauth_token):
            return cast("str", await server.oauth_token())
        token = await anyio.to_thread.run_sync(server.oauth_token)
        return token if isinstance(token, str) else await token
    except Exception as error:
        raise token_error(error) from error


_in_this_process: weakref.WeakSet[SmtplibTransport | AiosmtplibTransport] = weakref.WeakSet()


def _forget_parents_connections() -> None:
    for transport in list(_in_this_process):
        transport.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_connections)
