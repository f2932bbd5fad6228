"""Measures a bulk through this project's MailBridge and through MailBridge itself, by turns against one server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.serving import served

if TYPE_CHECKING:
    from benchmarks.environments import Environment

__all__ = ["EMAILS", "KINDS", "MOST", "BulkResult", "measure_bulk"]

EMAILS: Final = 2_000
MOST: Final = 0.35
"""Of the other's CPU time, where e-mails may share a request."""
KINDS: Final = {"same": "one subject and body for all", "own": "a body for each"}


@dataclass
class BulkResult:
    """CPU seconds of one e-mail and MiB of the whole bulk on both sides, one figure a round."""

    kind: str
    ours: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    theirs: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    @property
    def ratios(self) -> list[float]:
        """The ratio of the CPU time of each round."""
        return [ours[0] / theirs[0] for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The middle one of the ratios."""
        return median(self.ratios)


def measure_bulk(ours: Environment, mailbridge: Environment, *, rounds: int, quick: bool) -> list[BulkResult]:
    """Return the figures of several rounds. The side that goes first changes from round to round."""
    program = Path(__file__).with_name("workload.py")
    count = str(EMAILS // 4 if quick else EMAILS)
    results = [BulkResult(kind) for kind in KINDS]
    with served() as server:
        for number in range(rounds + 1):
            for result in results:
                sides = [(ours, "poststack.mailbridge", result.ours), (mailbridge, "mailbridge", result.theirs)]
                for side, module, figures in sides if number % 2 else reversed(sides):
                    seconds, mebibytes = side.run(program, module, server.address, count, result.kind).split()
                    if number:  # The first one writes bytecode and fills caches.
                        figures.append((float(seconds), float(mebibytes)))
    return results
