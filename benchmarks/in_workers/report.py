"""Measures and writes the section on workers."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.in_workers.measuring import CONCURRENCY, EMAILS, LEAST_RATIO, MOST_OVERHEAD, WARM_UP, measure_workers
from benchmarks.section import Goal, LeftOutError, Written
from benchmarks.tables import duration, measured_when, paragraph, spread, table
from example_projects.demo.programs import DemoError

if TYPE_CHECKING:
    from benchmarks.section import Plan

__all__ = ["measure"]


def measure(plan: Plan) -> Written:
    """Return the section; raise `LeftOutError` without a Redis."""
    ours, theirs = plan.environments.ours, plan.environments.published
    rounds = plan.at_most(5)
    try:
        result = measure_workers(ours, theirs, rounds=rounds, quick=plan.quick)
    except DemoError as error:
        raise LeftOutError(str(error)) from error
    fast = Goal("e-mails per second divided by the published SDK's", result.ratio, LEAST_RATIO, at_least=True, digits=1)
    light = Goal("CPU time that a call of `delay` takes more", result.overhead * 1e3, MOST_OVERHEAD * 1e3, unit=" ms")
    speeds = [f"{median(one.per_second for one in side):.0f}" for side in (result.ours, result.theirs)]
    busy = max(one.api_share for one in (*result.ours, *result.theirs))
    emails = EMAILS // 2 if plan.quick else EMAILS
    lines = paragraph(
        f"A prefork worker with {CONCURRENCY} processes empties a queue of {emails} e-mails of "
        f"{result.size / 1000:.0f} kB in Redis; the first {WARM_UP} do not count. This project's task is "
        "`poststack_tasks.celery.send_email`, with late acknowledgement and a key for each job. The other has "
        "the body that the guide shows, a new `PostStack` of the published SDK for each job, and Celery's "
        "defaults. The CPU time of `delay` is compared with that of a task which has nothing of this project, "
        "with the same e-mails on the same broker."
    )
    lines += table(
        ["", "this project", "published SDK", "ratio", "goal", "", "range"],
        [["e-mails per second", *speeds, *fast.cells, spread(result.ratios, 1)]],
    )
    lines += table(
        ["", "`send_email.delay`", "another task", "difference", "goal", "", "range"],
        [
            [
                "CPU time of `delay`",
                duration(median(result.enqueued)),
                duration(median(result.plain)),
                *light.cells,
                f"{duration(min(result.overheads))}–{duration(max(result.overheads))}",
            ]
        ],
    )
    lines += paragraph(f"The API was busy for {busy:.0%} of the time at most, so the workers did not wait for it.")
    lines.append(measured_when(rounds, [ours, theirs], also=["celery", "kombu", "redis"]))
    return Written("\n".join(lines), [fast, light])
