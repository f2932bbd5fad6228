"""Measures and writes the section on bulk."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.in_bulk.measuring import EMAILS, KINDS, MOST, measure_bulk
from benchmarks.section import Goal, Written
from benchmarks.tables import duration, measured_when, mebibytes, paragraph, spread, table

if TYPE_CHECKING:
    from benchmarks.section import Plan

__all__ = ["measure"]


def measure(plan: Plan) -> Written:
    """Return the section."""
    ours, theirs = plan.environments.ours, plan.environments.mailbridge
    results = measure_bulk(ours, theirs, rounds=plan.rounds, quick=plan.quick)
    lines = paragraph(
        f'{plan.scaled(EMAILS):,} e-mails by `AsyncMailBridge("sendgrid", …).send_bulk` of this project, and of '
        "MailBridge: CPU time of one e-mail, and the memory that the bulk took. E-mails of one content share "
        "requests here, up to 1000 recipients in each, every one with its own copy; those with a body of their "
        "own need a request each."
    )
    goals: list[Goal] = []
    rows: list[list[str]] = []
    for one in results:
        goal = Goal(f"CPU time of {KINDS[one.kind]}, divided by MailBridge's", one.ratio, MOST)
        # Where no request can be shared, nothing was promised.
        cells = goal.cells if one.kind == "same" else [goal.cells[0], "—", ""]
        goals += [goal] if one.kind == "same" else []
        cpu = [duration(median(seconds for seconds, _ in side)) for side in (one.ours, one.theirs)]
        memory = [mebibytes(median(size for _, size in side)) for side in (one.ours, one.theirs)]
        rows.append([KINDS[one.kind], *cpu, *cells, spread(one.ratios), *memory])
    lines += table(["", "this project", "MailBridge", "ratio", "goal", "", "range", "memory", "of MailBridge"], rows)
    lines.append(measured_when(plan.rounds, [ours, theirs]))
    return Written("\n".join(lines), goals)
