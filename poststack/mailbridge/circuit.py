"""Whether a provider is worth asking: after failures in a row it rests, then one call tries it again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Circuit"]


class Circuit:
    """The state of one provider. Safe to use from several threads. Times are in seconds.

    `closed` lets everything through; `open`, after `threshold` failures in a row, nothing for `rest` seconds;
    `half open` lets one through, which decides.
    """

    def __init__(self, *, threshold: int = 5, rest: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        if threshold < 1 or not rest > 0:
            raise ValueError("`threshold` is at least 1, and `rest` more than 0 seconds.")
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._opens_at: float | None = None
        self._lock = threading.Lock()

    @property
    def state(self) -> Literal["closed", "open", "half open"]:
        """Return the state at this moment."""
        with self._lock:
            if self._opens_at is None:
                return "closed"
            return "open" if self._clock() < self._opens_at else "half open"

    def admits(self) -> bool:
        """Return whether to ask the provider now. In the state `half open` only the first one to ask is told so."""
        with self._lock:
            if self._opens_at is None:
                return True
            now = self._clock()
            if now < self._opens_at:
                return False
            # The others wait for what becomes of this one; should nothing become of it, the next is let through later.
            self._opens_at = now + self._rest
            return True

    def succeeded(self) -> None:
        """Note that the provider took an e-mail."""
        with self._lock:
            self._failures, self._opens_at = 0, None

    def failed(self) -> None:
        """Note that it did not, for reasons of its own."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._threshold:
                self._opens_at = self._clock() + self._rest

    def __repr__(self) -> str:
        return f"Circuit({self.state!r})"
