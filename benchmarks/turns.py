"""Measures by turns, so that whatever else the machine does falls on all sides."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

__all__ = ["by_turns", "middle_ratio", "ratios"]

_Side = TypeVar("_Side", bound="Hashable")
_Figure = TypeVar("_Figure")


def by_turns(
    sides: Sequence[_Side], rounds: int, run: Callable[[_Side], _Figure], *, warm_up: bool = True
) -> dict[_Side, list[_Figure]]:
    """Return one figure a round for each side. The side that goes first changes from round to round.

    With `warm_up` one round more comes first, which writes bytecode and fills caches, and does not count.
    """
    figures: dict[_Side, list[_Figure]] = {side: [] for side in sides}
    for number in range(0 if warm_up else 1, rounds + 1):
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            figure = run(side)
            if number:
                figures[side].append(figure)
    return figures


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what was measured side by side is compared side by side."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def middle_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of all rounds."""
    return median(ratios(ours, theirs))
