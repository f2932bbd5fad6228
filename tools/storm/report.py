"""What the storm prints."""

from __future__ import annotations

from collections.abc import Mapping

from tools.storm.weather import FAULTS, RETRY_AFTER, Report, Storm

__all__ = ["table", "told"]


def told(storm: Storm) -> str:
    """Say what will happen."""
    api = ", ".join(f"{share:.0%} {name}" for name, share in FAULTS)
    return (
        f"Storm: {storm.mails:,} e-mails, {storm.workers} workers, kill -9 of a random one every "
        f"{storm.kill_every:g} s for up to {storm.seconds:g} s\n"
        f"The API answers {api} (Retry-After {RETRY_AFTER:g} s with each 429; an e-mail whose answer is "
        "lost is accepted)"
    )


def table(reports: Mapping[str, Report]) -> str:
    """Return the counts, a column for each queue."""
    rows: list[tuple[str, list[str]]] = [
        ("", list(reports)),
        ("e-mails enqueued", [f"{one.mails:,}" for one in reports.values()]),
        ("e-mails at the API", [f"{one.sent:,}" for one in reports.values()]),
        ("  missing", [f"{one.missing:,}" for one in reports.values()]),
        ("  sent twice", [f"{one.doubled:,}" for one in reports.values()]),
        ("  under a wrong key", [f"{one.strange_keys:,}" for one in reports.values()]),
        ("jobs the queue does not call done", [f"{one.not_succeeded:,}" for one in reports.values()]),
        ("requests to the API", [f"{one.requests:,}" for one in reports.values()]),
        *((f"  {name}", [f"{one.failed[name]:,}" for one in reports.values()]) for name, _ in FAULTS),
        ("kills", [f"{one.killed.total():,}" for one in reports.values()]),
        *(
            (f"  {how}", [f"{one.killed[how]:,}" for one in reports.values()])
            for how in ("worker and children", "worker", "child")
        ),
        ("storm, seconds", [f"{one.storm_seconds:.0f}" for one in reports.values()]),
        ("until nothing was left, seconds", [f"{one.calm_seconds:.0f}" for one in reports.values()]),
        ("", ["each sent once" if one.good else "BROKEN" for one in reports.values()]),
    ]
    widths = [max(len(cells[column]) for _, cells in rows) for column in range(len(reports))]
    first = max(len(name) for name, _ in rows)
    lines = [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))]).rstrip()
        for name, cells in rows
    ]
    problems = [f"{name}: {one.problem}" for name, one in reports.items() if one.problem]
    return "\n".join([*lines, *problems])
