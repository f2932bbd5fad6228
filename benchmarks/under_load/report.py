"""Measures and writes the section on FastAPI under load."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.section import HEAD, Goal, Written
from benchmarks.tables import duration, measured_when, paragraph, spread, table
from benchmarks.under_load.measuring import CONCURRENT, LEAST_RATIO, LOADS, LONGEST_WAIT, PROBED_EVERY, measure_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.section import Plan
    from benchmarks.under_load.measuring import Run

__all__ = ["measure"]


def measure(plan: Plan) -> Written:
    """Return the section."""
    ours, theirs = plan.environments.ours, plan.environments.published
    rounds = plan.at_most(3)
    results = [measure_load(load, ours, theirs, rounds=rounds, quick=plan.quick) for load in LOADS]
    fast = {
        result: Goal(
            f"requests per second divided by the published SDK's, {result.load.title}",
            result.ratio,
            LEAST_RATIO,
            at_least=True,
            digits=1,
        )
        for result in results
    }
    fair = {
        result: Goal(
            f"longest wait of `/health`, {result.load.title}",
            result.worst * 1e3,
            LONGEST_WAIT * 1e3,
            unit=" ms",
            digits=0,
        )
        for result in results
    }
    lines = paragraph(
        f"uvicorn with one worker and {CONCURRENT} requests in flight, each of which sends one e-mail. This "
        "project's application gets its client by `lifespan` and `PostStackDep`; the published SDK's is what its "
        "guide shows. Each round is a process of its own, and the load begins with no connection to the API open."
    )
    lines += table(
        ["requests per second, divided by those with the published SDK", *HEAD, "range"],
        [[one.load.title, *goal.cells, spread(one.ratios, 1)] for one, goal in fast.items()],
    )
    lines += paragraph(
        f"Meanwhile a process of its own asks for another route, `/health`, {1 / PROBED_EVERY:.0f} times a second "
        "on a connection that stays open. A wait ends when the kernel has received the answer, so when that "
        "process gets to read it does not matter. Those that would have asked during a longer wait count with "
        "the rest of it. Other programs of the machine do count: the CPU time below, that of the application "
        "alone, says how much."
    )
    lines += table(
        ["longest wait of `/health`, median", *HEAD, "range", "published SDK", "range"],
        [
            [
                one.load.title, *goal.cells, _range(one.ours),
                duration(median(run.worst for run in one.theirs)), _range(one.theirs),
            ]
            for one, goal in fair.items()
        ],
    )  # fmt: skip
    lines += table(
        ["medians", ours.name, theirs.name],
        [
            [f"{one.load.title}: {name}", *(show(side) for side in (one.ours, one.theirs))]
            for one in results
            for name, show in _FIGURES.items()
        ],
    )
    lines.append(measured_when(rounds, [ours, theirs], also=["fastapi", "uvicorn"]))
    return Written("\n".join(lines), [*fast.values(), *fair.values()])


_FIGURES: Final[dict[str, Callable[[list[Run]], str]]] = {
    "requests per second": lambda runs: f"{median(run.per_second for run in runs):.0f}",
    "CPU time of a request": lambda runs: duration(median(run.cpu for run in runs)),
    "CPU time of the application during one wait of `/health`, at most": lambda runs: duration(
        median(run.longest_work for run in runs)
    ),
    "99 of 100 waits of `/health` are below": lambda runs: duration(median(run.p99 for run in runs)),
    "half of them": lambda runs: duration(median(run.half for run in runs)),
}


def _range(runs: list[Run]) -> str:
    return f"{duration(min(run.worst for run in runs))}–{duration(max(run.worst for run in runs))}"
