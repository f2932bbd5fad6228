"""Ctrl-C, SIGTERM and SIGHUP: once to end in order, twice to end at once."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

__all__ = ["Interrupts"]


def _signals() -> list[signal.Signals]:
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # As under nohup.
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Interrupts:
    """While entered, the first signal sets `number` and calls `on_first`; the second calls `on_second` and exits."""

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None]) -> None:
        self.number: int | None = None
        self._on_first = on_first
        self._on_second = on_second
        self._before: dict[signal.Signals, Any] = {}

    @property
    def status(self) -> int:
        """The exit status: what a shell says of a program that this signal has ended."""
        return 128 + (self.number or signal.SIGINT)

    def __enter__(self) -> Interrupts:
        for number in _signals():
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            self._on_first()
            return
        self._on_second()
        # Neither the calls under way nor their threads are waited for. What is on disk is true at any moment.
        os._exit(self.status)
