"""Writes the results as a page, ratios first."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.under_load.measuring import CONCURRENT, LEAST_RATIO, LONGEST_WAIT, PROBED_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.environments import Environment
    from benchmarks.measuring import Result
    from benchmarks.under_load.measuring import LoadResult, Run


def page(results: list[Result], loaded: list[LoadResult], ours: Environment, theirs: Environment) -> str:
    """Return the page in Markdown."""
    lines = [
        "# What it costs",
        "",
        "Written by `make bench`. CPU time (user and system) of this project divided by that of the published SDK",
        f"({theirs.versions()['poststack']}), both measured by turns in one run against the same local server.",
        "Lower is better; the ratio is the median of all rounds, the range their lowest and highest.",
        "",
        "| | ratio | range | at most | |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        limit = "—" if result.task.limit is None else f"{result.task.limit:.2f}"
        verdict = "" if result.task.limit is None else "met" if result.passed else "**missed**"
        low, high = min(result.ratios), max(result.ratios)
        lines.append(f"| {result.task.title} | **{result.ratio:.2f}** | {low:.2f}–{high:.2f} | {limit} | {verdict} |")
    lines += ["", "| CPU time, median | this project | published SDK |", "|---|---|---|"]
    for result in results:
        figures = " | ".join(_duration(median(side)) for side in (result.ours, result.theirs))
        lines.append(f"| {result.task.title} | {figures} |")
    lines += [
        "",
        "This project imports its HTTP library with the first client, not with the package: the last row counts that.",
        "It reads the certificate authorities with the first encrypted connection, the published SDK with the client.",
        "",
        *_under_load(loaded),
        f"Measured {datetime.now(timezone.utc):%Y-%m-%d} with {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()}, {platform.machine()}, {os.cpu_count()} cores.",
        "",
        f"- {_listed(ours)}",
        f"- {_listed(theirs)}",
        "",
    ]
    return "\n".join(lines)


def _under_load(results: list[LoadResult]) -> list[str]:
    lines = [
        "## FastAPI under load",
        "",
        f"uvicorn with one worker and {CONCURRENT} requests in flight, each of which sends one e-mail. This project's",
        "application gets its client by `lifespan` and `PostStackDep`; the published SDK's is what its guide shows.",
        "Each round is a process of its own, and the load begins with no connection to the API open.",
        "",
        "| requests per second | ratio | range | at least | |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        low, high = min(result.ratios), max(result.ratios)
        verdict = "met" if result.fast else "**missed**"
        lines.append(
            f"| {result.load.title} | **{result.ratio:.1f}** | {low:.1f}–{high:.1f} | {LEAST_RATIO:.1f} | {verdict} |"
        )
    lines += [
        "",
        f"Meanwhile a process of its own asks for another route, `/health`, {1 / PROBED_EVERY:.0f} times a second on a",
        "connection that stays open. A wait ends when the kernel has received the answer, so when that process gets to",
        "read it does not matter. Those that would have asked during a longer wait count with the rest of it. Other",
        "programs of the machine do count: the CPU time below, that of the application alone, says how much.",
        "",
        "| longest wait of `/health`, median | this project | range | less than | | published SDK | range |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        verdict = "met" if result.fair else "**missed**"
        theirs = f"{_duration(median(run.worst for run in result.theirs))} | {_range(result.theirs)}"
        ours = f"**{_duration(result.worst)}** | {_range(result.ours)} | {_duration(LONGEST_WAIT)} | {verdict}"
        lines.append(f"| {result.load.title} | {ours} | {theirs} |")
    lines += ["", "| medians | this project | published SDK |", "|---|---|---|"]
    for result in results:
        for name, show in _FIGURES.items():
            figures = " | ".join(show(side) for side in (result.ours, result.theirs))
            lines.append(f"| {result.load.title}: {name} | {figures} |")
    return [*lines, ""]


_FIGURES: dict[str, Callable[[list[Run]], str]] = {
    "requests per second": lambda runs: f"{median(run.per_second for run in runs):.0f}",
    "CPU time of a request": lambda runs: _duration(median(run.cpu for run in runs)),
    "CPU time of the application during one wait of `/health`, at most": lambda runs: _duration(
        median(run.longest_work for run in runs)
    ),
    "99 of 100 waits of `/health` are below": lambda runs: _duration(median(run.p99 for run in runs)),
    "half of them": lambda runs: _duration(median(run.half for run in runs)),
}


def _range(runs: list[Run]) -> str:
    return f"{_duration(min(run.worst for run in runs))}–{_duration(max(run.worst for run in runs))}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _listed(environment: Environment) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
    return f"{environment.name}: {versions}"
