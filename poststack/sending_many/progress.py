"""Tells on standard error how far it is: a bar on a terminal, else a line now and then. Never an address."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from poststack.sending_many.speech import tell

if TYPE_CHECKING:
    from poststack.sending_many.outcomes import Totals
    from poststack.sending_many.rows import Place

__all__ = ["Bar", "Lines", "Progress", "Silence", "Speed", "duration", "progress_for"]

_BETWEEN_LINES: Final = 10.0
_BETWEEN_SAMPLES: Final = 0.25
_WINDOW: Final = 120
"""Samples, which are half a minute."""


class Progress(Protocol):
    """Somewhere to tell how far it is."""

    def show(self, totals: Totals, place: Place) -> None:
        """Tell it, unless it is too soon."""

    def say(self, text: str) -> None:
        """Tell something else."""

    def close(self) -> None:
        """End."""


class _Sample(NamedTuple):
    at: float
    done: int
    offset: int


class Speed:
    """How fast it has been lately, and how long the rest takes at that. Times are in seconds."""

    def __init__(self, size: int | None) -> None:
        """`size` is in bytes, `None` when nobody knows it."""
        self._size = size
        self._samples: deque[_Sample] = deque(maxlen=_WINDOW)

    def add(self, at: float, done: int, offset: int) -> None:
        """Take a sample: at this time so many rows were done, which ended at this byte."""
        if not self._samples or at - self._samples[-1].at >= _BETWEEN_SAMPLES:
            self._samples.append(_Sample(at, done, offset))

    @property
    def rate(self) -> float | None:
        """Rows a second, `None` before it can be known."""
        elapsed = self._elapsed()
        return (self._samples[-1].done - self._samples[0].done) / elapsed if elapsed else None

    @property
    def left(self) -> float | None:
        """Seconds to go, `None` when nobody knows."""
        elapsed = self._elapsed()
        if self._size is None or not elapsed:
            return None
        passed, to_go = self._samples[-1].offset - self._samples[0].offset, self._size - self._samples[-1].offset
        return to_go * elapsed / passed if passed > 0 and to_go > 0 else None

    def _elapsed(self) -> float:
        return self._samples[-1].at - self._samples[0].at if self._samples else 0.0


def duration(seconds: float) -> str:
    """Return a time as people say it, `1 h 05 min`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def progress_for(size: int | None, *, is_quiet: bool) -> Progress:
    """Return what suits: nothing, a bar where rich is installed and somebody watches, else lines."""
    if is_quiet:
        return Silence()
    if sys.stderr.isatty():
        try:
            return Bar(size)
        except ImportError:
            pass
    return Lines(size)


def _figures(totals: Totals, speed: Speed) -> list[str]:
    figures = [f"{totals.done:,} rows"]
    if speed.rate is not None:
        figures.append(f"{speed.rate:,.0f} a second")
    if speed.left is not None:
        figures.append(f"about {duration(speed.left)} left")
    if totals.failed:
        figures.append(f"{totals.failed:,} failed")
    return figures


class Silence:
    """Tells nothing."""

    def show(self, totals: Totals, place: Place) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """A line every so many seconds, for logs."""

    def __init__(self, size: int | None, every: float = _BETWEEN_LINES) -> None:
        self._every = every
        self._size = size
        self._speed = Speed(size)
        self._told_at = time.monotonic()

    def show(self, totals: Totals, place: Place) -> None:
        """Print a line, unless the last one was just now."""
        now = time.monotonic()
        self._speed.add(now, totals.done, place.offset)
        if now - self._told_at < self._every:
            return
        self._told_at = now
        share = [f"{place.offset * 100 // self._size} %"] if self._size else []
        self.say(", ".join([*share, *_figures(totals, self._speed)]))

    def say(self, text: str) -> None:
        """Print a line."""
        tell(text)

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A bar that moves, by rich. Raises `ImportError` without it."""

    def __init__(self, size: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._speed = Speed(size)
        share: list[Any] = [BarColumn(), TaskProgressColumn()] if size else [BarColumn()]
        self._progress = RichProgress(*share, TextColumn("{task.fields[figures]}"), console=Console(stderr=True))
        self._task = self._progress.add_task("", total=size or None, figures="")
        self._progress.start()

    def show(self, totals: Totals, place: Place) -> None:
        """Move the bar. It is drawn ten times a second, however often this is called."""
        self._speed.add(time.monotonic(), totals.done, place.offset)
        self._progress.update(self._task, completed=place.offset, figures=" · ".join(_figures(totals, self._speed)))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        with contextlib.suppress(OSError):  # The terminal was closed.
            self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the bar as it is."""
        with contextlib.suppress(OSError):
            self._progress.stop()
