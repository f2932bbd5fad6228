"""Measures imports, each in an interpreter that has imported nothing yet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.section import HEAD, Goal, Written
from benchmarks.tables import duration, measured_when, mebibytes, paragraph, table
from benchmarks.turns import by_turns, middle_ratio

if TYPE_CHECKING:
    from benchmarks.section import Plan
    from benchmarks.sides import Side

__all__ = ["measure"]

_WORKLOAD: Final = Path(__file__).with_name("workload.py")
_POSTSTACK: Final = {
    "import": "import poststack",
    "names": "from poststack import PostStack",
    "client": "from poststack import PostStack; client = PostStack('sk_test_benchmark')",
}
_STEPS: Final = {"import": "import", "names": "import of the clients", "client": "first client"}
_STATEMENTS: Final = {
    sides.OURS: _POSTSTACK,
    sides.PUBLISHED: _POSTSTACK,
    sides.RESEND: {"import": "import resend", "client": "import resend; resend.api_key = 're_benchmark'"},
    sides.MAILBRIDGE: {
        "import": "import mailbridge",
        "names": "from mailbridge import MailBridge",
        "client": "from mailbridge import MailBridge; client = MailBridge('sendgrid', api_key='SG.benchmark', "
        "from_email='shop@example.com')",
    },
    sides.HTTPX: {"import": "import httpx", "client": "import httpx; client = httpx.Client()"},
    sides.AIOHTTP: {
        "import": "import aiohttp",
        "client": "import aiohttp, asyncio\n"
        "async def made(): await aiohttp.ClientSession().close()\n"
        "asyncio.run(made())",
    },
    sides.SOCKET: {"import": "import json, socket, uuid"},
}
_LIMITS: Final = {"import": ("`import poststack`", 1 / 3), "names": ("`from poststack import PostStack`", 1 / 3)}


def measure(plan: Plan) -> Written:
    """Return the section."""
    whats = [(side, step) for side, statements in _STATEMENTS.items() for step in statements]
    # Short, and easily disturbed.
    found = by_turns(whats, 2 * plan.rounds, partial(_run, plan=plan))
    rows = [
        [f"**{side.name}**" if side is sides.OURS else side.name, *(_cell(found, side, step) for step in _STEPS)]
        for side in _STATEMENTS
    ]
    lines = paragraph(
        "CPU time, and how much more memory is resident than in an interpreter that has imported nothing. Each "
        "figure is from processes of their own and counts from the start of Python, so a column contains those "
        "before it. This project imports its HTTP library with the first client, not with the package, and reads "
        "the certificate authorities with the first encrypted connection; the published SDK does both at once."
    )
    lines += table(["", *_STEPS.values()], rows)
    goals: list[Goal] = []
    for step, (what, most) in _LIMITS.items():
        sides_cpu = [[cpu for cpu, _ in found[side, step]] for side in (sides.OURS, sides.PUBLISHED)]
        goals.append(Goal(f"CPU time of {what} divided by the published SDK's", middle_ratio(*sides_cpu), most))
    lines += table(["", *HEAD], [[goal.what, *goal.cells] for goal in goals])
    lines += [measured_when(2 * plan.rounds, plan.environments.of_clients())]
    return Written("\n".join(lines), goals)


def _run(what: tuple[Side, str], plan: Plan) -> tuple[float, float]:
    side, step = what
    cpu, memory = side.environment(plan).run(_WORKLOAD, _STATEMENTS[side][step]).split()
    return float(cpu), float(memory)


def _cell(found: dict[tuple[Side, str], list[tuple[float, float]]], side: Side, step: str) -> str:
    if (side, step) not in found:
        return "—"
    figures = found[side, step]
    return f"{duration(median(cpu for cpu, _ in figures))}, {mebibytes(median(memory for _, memory in figures))}"
