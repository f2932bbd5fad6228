"""How many calls go on in one turn of the event loop, so that a burst of them leaves room for everything else.

An event loop runs all that is ready before it looks at its sockets again. Two hundred calls that begin, or are
answered, at the same moment would be one long turn, in which the application hears of no other request.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

__all__ = ["PER_TURN", "Turnstile"]

PER_TURN: Final = 8
"""Calls that go on in one turn: some milliseconds of work for them, some microseconds for one more turn."""


class Turnstile:
    """Lets `PER_TURN` calls through and the others wait for the next turns of this event loop, first come first served.

    It counts on asyncio and its like only. On trio everybody passes.
    """

    __slots__ = ("_left", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._left = PER_TURN
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return at once while there is room in this turn, and in a later one otherwise."""
        loop = self._loop
        if loop is None:
            return
        if self._left and not self._waiting:
            if self._left == PER_TURN:
                loop.call_soon(self._turn, loop)
            self._left -= 1
            return
        place = loop.create_future()
        self._waiting.append(place)
        await place

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = PER_TURN
        while self._waiting and self._left:
            place = self._waiting.popleft()
            if not place.done():  # Cancelled, that is.
                place.set_result(None)
                self._left -= 1
        if self._left < PER_TURN:
            loop.call_soon(self._turn, loop)
