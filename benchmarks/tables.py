"""Figures and tables as Markdown."""

from __future__ import annotations

import os
import platform
import textwrap
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.environments import Environment

__all__ = ["duration", "measured_when", "mebibytes", "paragraph", "spread", "table"]


def duration(seconds: float) -> str:
    """Return a time with a unit in which it is easily read."""
    if abs(seconds) >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.1f} ms" if abs(seconds) >= 1e-3 else f"{seconds * 1e6:.{1 if seconds < 1e-4 else 0}f} µs"


def mebibytes(size: float) -> str:
    """Return an amount of memory."""
    return f"{size:.1f} MiB"


def paragraph(text: str) -> list[str]:
    """Return the lines of a paragraph, and an empty one."""
    return [*textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False), ""]


def spread(figures: Sequence[float], digits: int = 2) -> str:
    """Return the lowest and the highest."""
    return f"{min(figures):.{digits}f}–{max(figures):.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, and an empty one."""
    return [_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows), ""]


def measured_when(rounds: int, environments: Iterable[Environment] = (), also: Sequence[str] = ()) -> str:
    """Return when, on what and with what a section was measured; `also` are distributions besides the clients."""
    lines = [
        f"Measured {datetime.now(timezone.utc):%Y-%m-%d} with {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()}, {platform.machine()}, {os.cpu_count()} cores; "
        f"{rounds} round{'' if rounds == 1 else 's'}.",
        "",
    ]
    for environment in environments:
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions(also).items())
        lines.append(f"- {environment.name}: {versions}")
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
