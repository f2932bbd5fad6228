"""The real time, as the client uses it when its transport brings no clock of its own."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """Real seconds and real waiting."""

    __module__ = "poststack.transports.base"

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait on whichever event loop is running."""
        import anyio

        await anyio.sleep(seconds)
