"""What is due when. A heap whose stale entries are skipped, so that changing a time needs no search."""

from __future__ import annotations

import heapq

__all__ = ["Agenda"]

_FEW = 1_000


class Agenda:
    """The times of numbered things; each number has at most one.

    Earlier times come first, then lower numbers.
    """

    def __init__(self) -> None:
        self._times: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def put(self, number: int, at: float | None) -> None:
        """Set, move or (with `None`) remove the time of this number."""
        if at is None:
            self._times.pop(number, None)
        elif self._times.get(number) != at:
            self._times[number] = at
            heapq.heappush(self._heap, (at, number))
            if len(self._heap) > 2 * len(self._times) + _FEW:
                # What was moved or removed before its time came would otherwise stay until then.
                self._heap = [(at, number) for number, at in self._times.items()]
                heapq.heapify(self._heap)

    def first(self) -> tuple[float, int] | None:
        """Return the earliest time and its number, or `None` when nothing is planned."""
        while self._heap:
            at, number = self._heap[0]
            if self._times.get(number) == at:
                return at, number
            heapq.heappop(self._heap)
        return None
