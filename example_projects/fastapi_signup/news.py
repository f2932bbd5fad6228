"""Wakes the open pages when there is something new to show."""

from __future__ import annotations

import asyncio
from collections import defaultdict

__all__ = ["News"]


class News:
    """News for the pages that this process has open; those of other processes look again by themselves."""

    def __init__(self) -> None:
        self._watching: defaultdict[int, set[asyncio.Event]] = defaultdict(set)

    def tell(self, sign_up_id: int) -> None:
        """There is news about this sign-up."""
        for event in self._watching.get(sign_up_id, ()):
            event.set()

    async def wait(self, sign_up_id: int, seconds: float) -> None:
        """Return when there is news about this sign-up, or after so long."""
        event = asyncio.Event()
        self._watching[sign_up_id].add(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            pass
        finally:
            self._watching[sign_up_id].discard(event)
            if not self._watching[sign_up_id]:
                del self._watching[sign_up_id]
