"""Reads a whole file and tells what is wrong with it. Sends nothing, writes nothing, needs no key."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from poststack.sending_many.content import completed, problem_with
from poststack.sending_many.outcomes import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poststack.sending_many.progress import Progress
    from poststack.sending_many.source import Source

__all__ = ["dry_run"]

_MOST_SHOWN: Final = 20
_EVERY: Final = 1_000


def dry_run(source: Source, defaults: Mapping[str, Any], progress: Progress, say: Callable[[str], None]) -> int:
    """Read everything and say what is found; return the exit status: 1 when rows are wrong."""
    totals, fields = Totals(), Counter[str]()
    shown: list[str] = []
    try:
        for row in source.rows(source.start):
            email = None if row.payload is None else completed(row.payload, defaults, f"row-{row.number}")
            problem = row.problem if email is None else problem_with(email)
            if problem is None:
                totals.sent += 1
                fields.update(name for name in email or {} if name != "idempotency_key")
            else:
                totals.failed += 1
                if len(shown) < _MOST_SHOWN:
                    shown.append(f"  line {row.line:,}: {problem}")
            if row.number % _EVERY == 0:
                progress.show(totals, row.after)
    finally:
        progress.close()
    say(
        f"{source.name}: {totals.done:,} rows, {totals.sent:,} can be sent, {totals.failed:,} cannot. Nothing was sent."
    )
    if source.table is not None:
        say(f"Columns that are fields: {', '.join(source.table.columns.fields)}.")
        say(f"Columns that are variables: {', '.join(source.table.columns.variables) or 'none'}.")
    for line in shown:
        say(line)
    if totals.failed > len(shown):
        say(f"  … and {totals.failed - len(shown):,} more.")
    return 1 if totals.failed or not totals.sent else 0
