"""What is said in the end: what became of the rows, and what to do next. Never an address."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from poststack._packing import UNTRIED
from poststack.sending_many.outcomes import End, failure_for
from poststack.sending_many.progress import duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poststack.errors import PostStackError
    from poststack.sending_many.outcomes import Totals

__all__ = ["already_sent", "counts", "ending", "next_steps", "pace", "reasons"]

_SHORTEST_RATED: Final = 0.05
"""Seconds. What took less says nothing about a rate."""
_SHORT: Final = 10
"""Seconds, below which tenths are told."""


def counts(totals: Totals) -> str:
    """Return how many there are of which."""
    parts = [f"{totals.sent:,} sent"]
    if totals.replayed:
        parts.append(f"{totals.replayed:,} accepted before under the same key")
    parts.append(f"{totals.failed:,} failed")
    return f"{_rows(totals.done)}: {', '.join(parts)}."


def reasons(found: Mapping[str, int]) -> list[str]:
    """Return why they failed, the most frequent reason first."""
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    width = max((len(f"{count:,}") for _, count in ordered), default=0)
    return [f"  {count:>{width},}  {reason}" for reason, count in ordered]


def pace(rows: int, seconds: float) -> str:
    """Return how long this run took, and how many rows a second that is."""
    rate = f", {rows / seconds:,.0f} rows a second" if seconds >= _SHORTEST_RATED else ""
    return f"In {f'{seconds:.1f} s' if seconds < _SHORT else duration(seconds)}{rate}."


def next_steps(totals: Totals, report: Path, *, is_done: bool) -> list[str]:
    """Return what can be done about those that failed."""
    if not totals.failed:
        return []
    if not is_done:
        return [f"What failed so far is in {report}, with the reasons."]
    lines = [
        f"What failed is in {report}, with the reasons. Put right what is wrong there and send that file:",
        f"  poststack send-many {quote(str(report))}",
    ]
    if totals.unknown:
        lines.append(
            f'{totals.unknown:,} of them may have been accepted all the same, where it says "outcome": "unknown". '
            "Leave those as they are: their keys keep them from being sent twice."
        )
    return lines


def ending(end: End, error: PostStackError | None, line: int, *, is_resumable: bool) -> str | None:
    """Return why it ended before the end of the file, `None` when it did not."""
    if end is End.DONE:
        return None
    said = _said(error) if error else ""
    why = {
        End.INTERRUPTED: "Interrupted.",
        End.REFUSED: f"The API refuses this key: {said}. Look at POSTSTACK_API_KEY and what the key may do.",
        End.QUOTA: f"The sending quota is used up: {said}. Wait until there is more, or get a bigger plan.",
        End.ALIKE: f"All of the first e-mails were refused for one reason: {said}. Put that right, or give "
        "--keep-going to have those reported that are refused.",
        End.UNREACHABLE: f"The API is away: {said}. Wait, or look at --base-url and POSTSTACK_BASE_URL.",
    }[end]
    if is_resumable:
        return f"{why}\nTo go on{f' after line {line:,}' if line else ''}, give the same command again."
    return f"{why}\nTo go on, give the same command with the same input: keys keep what was sent from being sent twice."


def already_sent(name: str, totals: Totals) -> str:
    """Return what is said about a file that is done."""
    return f"{name} was sent before, to its end. Nothing was sent now. To send EVERYTHING AGAIN, give --restart.\n" + (
        counts(totals)
    )


def _said(error: PostStackError) -> str:
    failure = failure_for(error)
    # Of an e-mail that was not tried: what the one was told that was.
    failure = failure._replace(error=failure.error.removeprefix(UNTRIED))
    return f"{failure.reason.rstrip('.')} ({failure.status})" if failure.status else failure.reason.rstrip(".")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
