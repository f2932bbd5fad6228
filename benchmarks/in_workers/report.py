"""Writes the section on workers."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.in_workers.measuring import CONCURRENCY, EMAILS, LEAST_RATIO, MOST_OVERHEAD, WARM_UP

if TYPE_CHECKING:
    from benchmarks.environments import Environment
    from benchmarks.in_workers.measuring import WorkerResult

__all__ = ["TITLE", "section"]

TITLE: Final = "Through a Celery worker"


def section(result: WorkerResult, ours: Environment, theirs: Environment) -> str:
    """Return the section in Markdown."""
    fast, light = ("met" if met else "**missed**" for met in (result.fast, result.light))
    ratios = f"{min(result.ratios):.1f}–{max(result.ratios):.1f}"
    overheads = f"{_duration(min(result.overheads))}–{_duration(max(result.overheads))}"
    speeds = [f"{median(one.per_second for one in side):.0f}" for side in (result.ours, result.theirs)]
    busy = max(one.api_share for one in (*result.ours, *result.theirs))
    versions = ours.versions()
    lines = [
        f"## {TITLE}",
        "",
        f"A prefork worker with {CONCURRENCY} processes empties a queue of {EMAILS} e-mails of "
        f"{result.size / 1000:.0f} kB in Redis; the first {WARM_UP} do not count.",
        "This project's task is `poststack_tasks.celery.send_email`, with late acknowledgement and a key for each job.",
        "The other has the body that the guide shows, a new `PostStack` of the published SDK "
        f"{theirs.versions()['poststack']} for each job,",
        "and Celery's defaults. The CPU time of `delay` is compared with that of a task which has nothing of this",
        "project, with the same e-mails on the same broker.",
        "",
        "| | this project | published SDK | ratio | range | at least | |",
        "|---|---|---|---|---|---|---|",
        f"| e-mails per second | {speeds[0]} | {speeds[1]} | **{result.ratio:.1f}** | {ratios} | {LEAST_RATIO:.1f} "
        f"| {fast} |",
        "",
        "| | `send_email.delay` | another task | difference | range | less than | |",
        "|---|---|---|---|---|---|---|",
        f"| CPU time of `delay` | {_duration(median(result.enqueued))} | {_duration(median(result.plain))} "
        f"| **{_duration(result.overhead)}** | {overheads} | {_duration(MOST_OVERHEAD)} | {light} |",
        "",
        f"The API was busy for {busy:.0%} of the time at most, so the workers did not wait for it. Run on "
        f"{datetime.now(timezone.utc):%Y-%m-%d} with",
        f"{platform.python_implementation()} {platform.python_version()}, celery {versions.get('celery')}, "
        f"kombu {versions.get('kombu')}, redis {versions.get('redis')}, {os.cpu_count()} cores; "
        f"{len(result.ours)} rounds.",
        "",
    ]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if abs(seconds) >= 1e-3 else f"{seconds * 1e6:.0f} µs"
