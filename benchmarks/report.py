"""Writes the results as a page, ratios first."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.environments import Environment
    from benchmarks.measuring import Result


def page(results: list[Result], ours: Environment, theirs: Environment) -> str:
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
        f"Measured {datetime.now(timezone.utc):%Y-%m-%d} with {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()}, {platform.machine()}, {os.cpu_count()} cores.",
        "",
        f"- {_listed(ours)}",
        f"- {_listed(theirs)}",
        "",
    ]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _listed(environment: Environment) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
    return f"{environment.name}: {versions}"
