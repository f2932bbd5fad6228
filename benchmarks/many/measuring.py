"""Measures what an e-mail costs among many, and compares it with calls of one and with lists by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.section import HEAD, Goal, Written
from benchmarks.serving import served
from benchmarks.tables import duration, measured_when, mebibytes, paragraph, spread, table
from benchmarks.turns import by_turns, middle_ratio, ratios

if TYPE_CHECKING:
    from benchmarks.section import Plan
    from benchmarks.serving import Server
    from benchmarks.sides import Side, Used

__all__ = ["measure"]

IN_FLIGHT: Final = 4
"""Calls of the asynchronous batches by hand; what `send_many` has unless it is told otherwise."""


@dataclass(frozen=True)
class Way:
    """A library, and how many e-mails are sent with it."""

    title: str
    side: Side
    how: str
    count: int
    in_flight: int = 1

    def run(self, plan: Plan, server: Server) -> Used:
        """Measure once."""
        return sides.use(plan, self.side, server, self.how, plan.scaled(self.count), in_flight=self.in_flight)


@dataclass(frozen=True)
class Comparison:
    """What is to be how much cheaper than what."""

    what: str
    ours: Way
    theirs: Way
    most: float


_MANY: Final = Way("**this project**, `send_many`", sides.OURS, "many", 20_000)
_AMANY: Final = Way("**this project**, asynchronous `send_many`", sides.OURS, "amany", 20_000)
_BATCH: Final = Way("published SDK, `batch`", sides.PUBLISHED, "batch", 20_000)
_ABATCH: Final = Way("published SDK, asynchronous `batch`", sides.PUBLISHED, "abatch", 20_000, IN_FLIGHT)
_SEND: Final = Way("published SDK, `send`", sides.PUBLISHED, "send", 600)
_ASEND: Final = Way("published SDK, asynchronous `send`, 100 in flight", sides.PUBLISHED, "asend", 600, 100)
_WAYS: Final = (
    _MANY,
    _AMANY,
    Way("this project, `batch`", sides.OURS, "batch", 20_000),
    _BATCH,
    _ABATCH,
    Way("resend, `Batch.send`", sides.RESEND, "batch", 20_000),
    _SEND,
    _ASEND,
)
_COMPARISONS: Final = (
    Comparison("`send_many`, divided by `send` of the published SDK", _MANY, _SEND, 0.02),
    Comparison("asynchronous `send_many`, divided by asynchronous `send` of the published SDK", _AMANY, _ASEND, 0.02),
    Comparison("`send_many`, divided by `batch` of the published SDK", _MANY, _BATCH, 1.3),
    Comparison("asynchronous `send_many`, divided by asynchronous `batch` of the published SDK", _AMANY, _ABATCH, 1.3),
)


def measure(plan: Plan) -> Written:
    """Return the section."""
    with served() as server:
        found = by_turns(_WAYS, plan.rounds, partial(Way.run, plan=plan, server=server))
    cpu = {way: [used.cpu for used in runs] for way, runs in found.items()}
    lines = paragraph(
        f"{plan.scaled(_MANY.count):,} e-mails of 0.9 kB come from a generator. `send_many` packs them, gives "
        "each a key, says what became of each, and tries again what failed. A `batch` is given lists of 100 that "
        "were cut from the same generator by hand, without keys of the e-mails: a program that is started again "
        "sends all of them again."
    )
    lines += table(
        ["", "CPU time of an e-mail", "range", "memory above the start"],
        [
            [
                way.title,
                duration(median(cpu[way])),
                f"{duration(min(cpu[way]))}–{duration(max(cpu[way]))}",
                mebibytes(median(used.memory for used in runs)),
            ]
            for way, runs in found.items()
        ],
    )
    goals: list[Goal] = []
    rows: list[list[str]] = []
    for one in _COMPARISONS:
        goal = Goal(
            f"CPU time of {one.what}",
            middle_ratio(cpu[one.ours], cpu[one.theirs]),
            one.most,
            digits=3 if one.most < 0.1 else 2,
        )
        goals.append(goal)
        rows.append([one.what, *goal.cells, spread(ratios(cpu[one.ours], cpu[one.theirs]), goal.digits)])
    lines += table(["CPU time", *HEAD, "range"], rows)
    lines += sides.busy_server({way.side: runs} for way, runs in found.items())
    environments = plan.environments
    lines.append(measured_when(plan.rounds, [environments.ours, environments.published, environments.resend]))
    return Written("\n".join(lines), goals)
