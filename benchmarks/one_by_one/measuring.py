"""Measures calls that send one e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.section import HEAD, Goal, Written
from benchmarks.serving import served
from benchmarks.tables import duration, measured_when, paragraph, spread, table
from benchmarks.turns import by_turns, middle_ratio, ratios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.section import Plan
    from benchmarks.sides import Side, Used

__all__ = ["measure"]


@dataclass(frozen=True, eq=False)
class Way:
    """How calls are made."""

    title: str
    how: str
    in_flight: int
    sides: tuple[Side, ...]
    most: Mapping[Side, float]
    """What a side may take of the published SDK's CPU time."""


_SENT: Final = 1000
_SENT_SLOWLY: Final = {sides.RESEND: 40}
"""By libraries that connect anew for each e-mail; more would take most of the time of all."""
_SYNC: Final = (sides.OURS, sides.PUBLISHED, sides.RESEND, sides.MAILBRIDGE, sides.HTTPX, sides.SOCKET)
_ASYNC: Final = (
    sides.OURS, sides.OURS_ON_AIOHTTP, sides.PUBLISHED, sides.RESEND,
    sides.MAILBRIDGE, sides.HTTPX, sides.AIOHTTP, sides.SOCKET,
)  # fmt: skip
_HALF: Final = {sides.OURS: 0.5}
_WAYS: Final = (
    Way("synchronous", "send", 1, _SYNC, _HALF),
    Way("asynchronous, 1 in flight", "asend", 1, _ASYNC, {}),
    Way("asynchronous, 10 in flight", "asend", 10, _ASYNC, _HALF),
    Way(
        "asynchronous, 100 in flight",
        "asend",
        100,
        _ASYNC,
        {sides.OURS: 0.5, sides.OURS_ON_AIOHTTP: 0.12},
    ),
)


def measure(plan: Plan) -> Written:
    """Return the section."""
    with served() as server:

        def run(way: Way, side: Side) -> Used:
            count = plan.scaled(_SENT_SLOWLY.get(side, _SENT))
            return sides.use(plan, side, server, way.how, count, in_flight=way.in_flight)

        found = {way: by_turns(way.sides, plan.at_most(5), partial(run, way)) for way in _WAYS}
    return _written(plan, found)


def _written(plan: Plan, found: dict[Way, dict[Side, list[Used]]]) -> Written:
    lines = paragraph(
        "CPU time of one e-mail of 0.9 kB that is sent with a call of its own, and in brackets how many times "
        "that of the published SDK it is. By hand means without a library for this API: no checks, no retries, "
        "no limits. A socket by hand is what JSON and the operating system cost."
    )
    cpu = {way: {side: [used.cpu for used in runs] for side, runs in by.items()} for way, by in found.items()}
    rows = [
        [f"**{side.name}**" if side in (sides.OURS, sides.OURS_ON_AIOHTTP) else side.name]
        + [_cell(cpu[way], side) for way in _WAYS]
        for side in _ordered()
    ]
    lines += table(["CPU time of an e-mail", *(way.title for way in _WAYS)], rows)
    goals: list[Goal] = []
    ranges: list[list[str]] = []
    for way in _WAYS:
        for side, most in way.most.items():
            ours, theirs = cpu[way][side], cpu[way][sides.PUBLISHED]
            goals.append(
                Goal(
                    f"{side.name}, {way.title}: CPU time divided by the published SDK's",
                    middle_ratio(ours, theirs),
                    most,
                )
            )
            ranges.append([f"{side.name}, {way.title}", *goals[-1].cells, spread(ratios(ours, theirs))])
    lines += table(["CPU time divided by the published SDK's", *HEAD, "range"], ranges)
    lines += sides.busy_server(found.values())
    lines.append(measured_when(plan.at_most(5), plan.environments.of_clients()))
    return Written("\n".join(lines), goals)


def _ordered() -> list[Side]:
    return list(dict.fromkeys(side for way in reversed(_WAYS) for side in way.sides))


def _cell(by_side: Mapping[Side, Sequence[float]], side: Side) -> str:
    if side not in by_side:
        return "—"
    ratio = middle_ratio(by_side[side], by_side[sides.PUBLISHED])
    return f"{duration(median(by_side[side]))} ({ratio:.2f})"
