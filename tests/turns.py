"""What happens in which turn of an event loop."""

from __future__ import annotations

import asyncio
from collections import Counter

__all__ = ["Turns"]


class Turns:
    """Counts the turns of the running event loop, and what happens in each."""

    def __init__(self) -> None:
        self.number = 0
        self.events: Counter[int] = Counter()
        self._tick()

    def _tick(self) -> None:
        self.number += 1
        asyncio.get_running_loop().call_soon(self._tick)

    def note(self) -> None:
        """Something happens now."""
        self.events[self.number] += 1
