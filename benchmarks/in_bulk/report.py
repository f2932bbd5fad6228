"""Writes the section on bulk."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.in_bulk.measuring import EMAILS, KINDS, MOST

if TYPE_CHECKING:
    from benchmarks.environments import Environment
    from benchmarks.in_bulk.measuring import BulkResult

__all__ = ["TITLE", "section"]

TITLE: Final = "Many e-mails through MailBridge"


def section(results: list[BulkResult], ours: Environment, mailbridge: Environment) -> str:
    """Return the section in Markdown."""
    versions = mailbridge.versions()
    lines = [
        f"## {TITLE}",
        "",
        f'{EMAILS:,} e-mails by `AsyncMailBridge("sendgrid", …).send_bulk`, compared with MailBridge '
        f"{versions.get('mailbridge')} on aiohttp {versions.get('aiohttp')}:",
        "CPU time of one e-mail, and the memory that the bulk took. E-mails of one content share requests here, up to",
        "1000 recipients in each, every one with its own copy; those with a body of their own need a request each.",
        "",
        "| | this project | MailBridge | ratio | range | at most | | memory | of MailBridge |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        cpu = [f"{median(one for one, _ in side) * 1e6:.0f} µs" for side in (result.ours, result.theirs)]
        memory = [f"{median(one for _, one in side):.1f} MiB" for side in (result.ours, result.theirs)]
        limit = f"{MOST:.2f} | {'met' if result.passed else '**missed**'}" if result.kind == "same" else "— | "
        lines.append(
            f"| {KINDS[result.kind]} | {cpu[0]} | {cpu[1]} | **{result.ratio:.2f}** | {min(result.ratios):.2f}–"
            f"{max(result.ratios):.2f} | {limit} | {memory[0]} | {memory[1]} |"
        )
    lines += [
        "",
        f"Run on {datetime.now(timezone.utc):%Y-%m-%d} with {platform.python_implementation()} "
        f"{platform.python_version()}, {os.cpu_count()} cores; {len(results[0].ours)} rounds.",
        "",
    ]
    return "\n".join(lines)
