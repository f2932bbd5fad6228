"""Measures and writes the section on rate limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.rate_limit.measuring import IN_FLIGHT, LIMIT, PROCESSES, SENT, Variant, under_limit
from benchmarks.section import HEAD, Goal, LeftOutError, Written
from benchmarks.tables import measured_when, paragraph, table
from example_projects.demo.programs import DemoError

if TYPE_CHECKING:
    from benchmarks.rate_limit.measuring import Came
    from benchmarks.section import Plan
    from benchmarks.sides import Side

__all__ = ["measure"]

MOST_TIME: Final = 1.15
"""Of the ideal one."""
MOST_REFUSED: Final = 1.0
"""Percent of the requests."""
_SHARED: Final = Variant("this project, a limit shared by Redis", LIMIT, shared=True)
# Two at a time: they wait most of the time.
_PAIRS: Final[tuple[tuple[tuple[Side, Variant], ...], ...]] = (
    ((sides.OURS, _SHARED), (sides.PUBLISHED, Variant("published SDK"))),
    (
        (sides.OURS, Variant(f"this project, `rate_limit={LIMIT / PROCESSES}` in each process", LIMIT / PROCESSES)),
        (sides.OURS, Variant("this project, left to what the API says")),
    ),
)


def measure(plan: Plan) -> Written:
    """Return the section; raise `LeftOutError` without a Redis."""
    emails = SENT // 10 if plan.quick else SENT
    came: dict[Variant, Came] = {}
    for pair in _PAIRS:
        together = Barrier(len(pair))
        environments = [side.environment(plan) for side, _ in pair]
        variants = [variant for _, variant in pair]
        with ThreadPoolExecutor(len(pair)) as pool:
            running = [
                pool.submit(under_limit, variant, environment, emails, together)
                for variant, environment in zip(variants, environments, strict=True)
            ]
        try:
            came.update(zip(variants, [one.result() for one in running], strict=True))
        except DemoError as error:
            raise LeftOutError(str(error)) from error
    goals = [
        Goal("time divided by the ideal time, limit shared by Redis", came[_SHARED].through_ideal, MOST_TIME),
        Goal(
            "429s of all requests, limit shared by Redis",
            100 * came[_SHARED].refused,
            MOST_REFUSED,
            unit=" %",
        ),
    ]
    lines = paragraph(
        f"{PROCESSES} processes with one key send {emails:,} e-mails through the emulator, which answers {LIMIT} "
        f"requests a second and all others with 429 and `Retry-After: 1`. Each process has {IN_FLIGHT} calls in "
        f"flight. The ideal time is that of the e-mails which were sent, {LIMIT} a second. An e-mail is given up "
        "when its last retry was refused, too."
    )
    lines += table(
        ["", "sent", "given up", "seconds", "divided by the ideal time", "requests", "429s"],
        [
            [
                f"**{variant.title}**" if variant is _SHARED else variant.title,
                f"{one.sent:,}",
                f"{one.failed:,}",
                f"{one.seconds:.1f}",
                f"{one.through_ideal:.2f}",
                f"{one.requests:,}",
                f"{one.refused:.1%}",
            ]
            for variant, one in came.items()
        ],
    )
    lines += table(["", *HEAD], [[goal.what, *goal.cells] for goal in goals])
    lines.append(measured_when(1, [plan.environments.ours, plan.environments.published], also=["redis"]))
    return Written("\n".join(lines), goals)
