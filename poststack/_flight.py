"""Calls that go on while their caller does something else, for generators that look ahead: on threads and event loops.

A generator cannot hold a task group open while it yields. So these are begun apart, and `close` ends them all: it must
be called, in a `finally`, by whoever began one.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from poststack._clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from concurrent.futures import Future

    import anyio

    from poststack._packing import Packer
    from poststack.transports.base import Clock
    from poststack.types import SendEmail

__all__ = ["AsyncFlight", "AsyncSource", "AsyncStarted", "Flight", "Source", "Started"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Interrupted(BaseException):
    """Nobody wants the result any more."""


class Flight(Generic[Item, Result]):
    """Calls one function for many items on threads, so many at a time; with one at a time, on the caller's thread."""

    def __init__(self, function: Callable[[Item, Clock], Result], at_once: int, clock: Clock) -> None:
        self._function = function
        self._clock = clock
        self._pool = None if at_once == 1 else ThreadPoolExecutor(at_once, thread_name_prefix="poststack-bulk")
        self._stopped = threading.Event()
        self._threads: set[int] = set()

    def begin(self, item: Item) -> Started[Item, Result]:
        """Begin a call."""
        started = Started[Item, Result](item)
        if self._pool is not None:
            # In a context of its own: one cannot be entered twice at the same time.
            started.future = self._pool.submit(copy_context().run, self._run, item)
        return started

    def result(self, started: Started[Item, Result]) -> Result:
        """Return the result of a call, or raise what it raised."""
        if started.future is None:
            return self._function(started.item, self._clock)
        return started.future.result()

    def close(self) -> None:
        """Begin no more, and wait for what is at it: a request that is under way ends, a wait between two does not."""
        self._stopped.set()
        if self._pool is not None:
            # A forgotten generator is collected on whatever thread it is, also on one of these, which cannot end then.
            is_own_thread = threading.get_ident() in self._threads
            self._pool.shutdown(wait=not is_own_thread, cancel_futures=True)

    def _run(self, item: Item) -> Result:
        self._threads.add(threading.get_ident())
        return self._function(item, _StoppableClock(self._clock, self._stopped))


class Started(Generic[Item, Result]):
    """A call that has begun."""

    __slots__ = ("future", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.future: Future[Result] | None = None


class _StoppableClock(SystemClock):
    """Shows another clock's time. Who waits by it is interrupted when nobody wants the result any more."""

    def __init__(self, clock: Clock, stopped: threading.Event) -> None:
        self._clock = clock
        self._stopped = stopped

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float) -> None:
        # Applications have a clock that stands for the real one until a test brings its own.
        if isinstance(getattr(self._clock, "current", self._clock), SystemClock):
            self._stopped.wait(seconds)
        elif not self._stopped.is_set():
            self._clock.sleep(seconds)
        if self._stopped.is_set():
            raise Interrupted


class AsyncFlight(Generic[Item, Result]):
    """Calls one function for many items on the running event loop, so many at a time."""

    def __init__(self, function: Callable[[Item, Clock], Awaitable[Result]], at_once: int, clock: Clock) -> None:
        import anyio

        self._function = function
        self._clock = clock
        self._limit = anyio.Semaphore(at_once)
        self._begun: set[AsyncStarted[Item, Result]] = set()

    def begin(self, item: Item) -> AsyncStarted[Item, Result]:
        """Begin a call."""
        started = AsyncStarted[Item, Result]()
        self._begun.add(started)
        _spawn(self._run(item, started), started.ended.set)
        return started

    async def result(self, started: AsyncStarted[Item, Result]) -> Result:
        """Return the result of a call, or raise what it raised."""
        await started.ended.wait()
        if started.error is not None:
            raise started.error
        return started.value

    async def aclose(self) -> None:
        """Cancel all calls, and return when they have ended."""
        import anyio

        with anyio.CancelScope(shield=True):
            for started in list(self._begun):
                started.scope.cancel()
            for started in list(self._begun):
                await started.ended.wait()

    async def _run(self, item: Item, started: AsyncStarted[Item, Result]) -> None:
        try:
            with started.scope:
                async with self._limit:
                    started.value = await self._function(item, self._clock)
                    started.error = None
        except Exception as error:  # noqa: BLE001  # raised where the result is asked for
            started.error = error
        except BaseException as error:
            # Cancelled by others, as an event loop does that comes to its end.
            started.error = error
            raise
        finally:
            self._begun.discard(started)
            started.ended.set()


class AsyncStarted(Generic[Item, Result]):
    """A call that has begun."""

    __slots__ = ("ended", "error", "scope", "value")

    value: Result

    def __init__(self) -> None:
        import anyio

        self.scope: anyio.CancelScope = anyio.CancelScope()
        self.ended: anyio.Event = anyio.Event()
        self.error: BaseException | None = Interrupted()


def _spawn(coroutine: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
    from poststack.transports.turnstile import asyncio_loop

    loop = asyncio_loop()
    if loop is not None:
        task = loop.create_task(coroutine)
        # The event loop itself refers to its tasks weakly.
        _tasks.add(task)

        def note_the_end(task: object) -> None:
            # Here too, because a task that is cancelled before its first step never runs, also no `finally` in it.
            _tasks.discard(task)
            ended()

        task.add_done_callback(note_the_end)
        return
    from trio.lowlevel import spawn_system_task

    async def run() -> None:
        await coroutine

    # Tasks of asyncio have their context from whoever makes them, those of the system have not.
    spawn_system_task(run, context=copy_context())


_tasks: set[Any] = set()


class Source:
    """What is to be sent, taken one by one and never ahead of need. Raises `ValueError` for what holds no e-mails."""

    def __init__(self, items: Iterable[SendEmail]) -> None:
        given = cast("object", items)  # Not everybody runs a type checker.
        if not isinstance(given, Iterable) or isinstance(given, (Mapping, str, bytes)):
            hint = "Use AsyncPostStack." if isinstance(given, AsyncIterable) else "For a single e-mail use send()."
            raise ValueError(
                f"send_many takes a list, a generator or other iterable of e-mails, not {_name(items)}. {hint}"
            )
        self._given = items
        self._items: Iterator[SendEmail] | None = None
        self.error: Exception | None = None
        """What the caller's iterable raised; it has ended then."""
        self.ended = False

    def fill(self, packer: Packer) -> None:
        """Add to the packer until it is full, or there is no more."""
        try:
            if self._items is None:
                self._items = iter(self._given)
            for item in self._items:
                if packer.add(item):
                    return
        except Exception as error:  # noqa: BLE001  # raised when all that was taken before has come to its end
            self.error = error
        self.ended = True

    def close(self) -> None:
        """Close what is a generator: the rest of it is nobody's any more."""
        items = cast("object", self._items)
        if isinstance(items, Generator):
            cast("Generator[SendEmail, None, None]", items).close()


class AsyncSource(Source):
    """The same for what is awaited."""

    def __init__(self, items: Iterable[SendEmail] | AsyncIterable[SendEmail]) -> None:
        self._awaited: AsyncIterable[SendEmail] | None = None
        self._iterator: AsyncIterator[SendEmail] | None = None
        if isinstance(items, AsyncIterable):
            super().__init__(())
            self._awaited = items
        else:
            super().__init__(items)

    async def afill(self, packer: Packer) -> None:
        """Add to the packer until it is full, or there is no more."""
        if self._awaited is None:
            self.fill(packer)
            return
        try:
            if self._iterator is None:
                self._iterator = aiter(self._awaited)
            async for item in self._iterator:
                if packer.add(item):
                    return
        except Exception as error:  # noqa: BLE001  # raised when all that was taken before has come to its end
            self.error = error
        self.ended = True

    async def aclose(self) -> None:
        """Close what is a generator: the rest of it is nobody's any more."""
        self.close()
        iterator = cast("object", self._iterator)
        if isinstance(iterator, AsyncGenerator):
            await cast("AsyncGenerator[SendEmail, None]", iterator).aclose()


def _name(given: object) -> str:
    return type(given).__name__
