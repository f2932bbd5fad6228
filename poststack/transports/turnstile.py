"""How many tasks go on in one turn of the event loop, so that a burst of them leaves room for everything else.

An event loop runs all that is ready before it looks at its sockets again. Two hundred calls that begin, or are
answered, at the same moment would be one long turn, in which the application hears of no other request.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

__all__ = ["PER_TURN", "Turnstile", "asyncio_loop"]

PER_TURN: Final = 8
"""Tasks that go on in one turn: some milliseconds of work for them, some microseconds for one more turn."""


class Turnstile:
    """Lets `PER_TURN` tasks through in each turn of their event loop; the others wait, first come, first served.

    It counts on asyncio and its like only. On trio everybody passes.
    """

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = weakref.WeakKeyDictionary()

    async def enter(self) -> None:
        """Return at once while there is room in this turn, and in a later one otherwise."""
        loop = asyncio_loop()
        if loop is None:
            return
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        if queue.left and not queue.waiting:
            if queue.left == PER_TURN:
                loop.call_soon(queue.turn, loop)
            queue.left -= 1
            return
        place = loop.create_future()
        queue.waiting.append(place)
        await place


class _Queue:
    """Those who wait on one event loop. It does not refer to that, or neither could ever be let go of."""

    __slots__ = ("left", "waiting")

    def __init__(self) -> None:
        self.left = PER_TURN
        self.waiting: deque[asyncio.Future[None]] = deque()

    def turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self.left = PER_TURN
        while self.waiting and self.left:
            place = self.waiting.popleft()
            if not place.done():  # Cancelled, that is.
                place.set_result(None)
                self.left -= 1
        if self.left < PER_TURN:
            loop.call_soon(self.turn, loop)


def asyncio_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running event loop of asyncio, or of what replaces it; `None` on trio."""
    import asyncio  # Here, because synchronous programs need not pay for it.

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
