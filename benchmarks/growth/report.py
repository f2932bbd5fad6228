"""Measures, draws and writes the section on growth."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.growth.measuring import IN_FLIGHT, MOST_EMAILS, NUMBER, SIZE, Axis, Series, measure_axis
from benchmarks.section import HEAD, Goal, Written
from benchmarks.serving import served
from benchmarks.tables import duration, measured_when, mebibytes, paragraph, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.section import Plan
    from benchmarks.sides import Used

__all__ = ["measure"]

MOST_MEMORY: Final = 100.0
"""MiB above the start that the most e-mails may take."""
_ALTERNATIVE: Final = (
    "CPU time of an e-mail by the number of e-mails, their size and the number in flight, and memory by their number"
)
_PICTURE: Final = Path(__file__).parents[1] / "growth.svg"
_PLOT: Final = Path(__file__).with_name("plot.py")

_Found = dict[tuple[Series, int], "list[Used]"]


def measure(plan: Plan) -> Written:
    """Return the section, and draw its picture."""
    rounds = plan.at_most(3)
    most_quickly = 10_000
    with served() as server:
        numbers = [point for point in NUMBER.points if point < (most_quickly if plan.quick else MOST_EMAILS)]
        number = dict(measure_axis(plan, server, NUMBER, numbers, rounds))
        # Long enough to need no second time.
        number.update(measure_axis(plan, server, NUMBER, [most_quickly if plan.quick else MOST_EMAILS], 1))
        size = dict(measure_axis(plan, server, SIZE, SIZE.points, rounds))
        in_flight = dict(measure_axis(plan, server, IN_FLIGHT, IN_FLIGHT.points, rounds))
    picture = plan.environments.ours.python.parents[2] / "growth.svg" if plan.quick else _PICTURE
    _draw(plan, picture, number, size, in_flight)
    goals = [
        Goal(
            f"memory that {point:,} e-mails from a generator take above the start, {series.name.split(', ')[1]}",
            max(used.memory for used in runs), MOST_MEMORY, unit=" MiB", digits=1,
        )
        for (series, point), runs in number.items()
        if point == max(point for _, point in number) and series.side is sides.OURS
    ]  # fmt: skip
    lines = [f"![{_ALTERNATIVE}](growth.svg)", ""]
    lines += paragraph(
        "With the number of e-mails, each of 0.9 kB, from a generator: CPU time of one, and how much memory all "
        f"took above the start at most. The row of {MOST_EMAILS:,} is from one round."
    )
    lines += _table(NUMBER, number, lambda point: f"{point:,}", memory=True)
    lines += table(["", *HEAD], [[goal.what, *goal.cells] for goal in goals])
    lines += paragraph("With the size of an e-mail's HTML, one after another:")
    lines += _table(SIZE, size, _size, memory=True)
    lines += paragraph("With the number of calls in flight, each with one e-mail of 0.9 kB:")
    lines += _table(IN_FLIGHT, in_flight, str, memory=False)
    everything = [{series.side: runs} for found in (number, size, in_flight) for (series, _), runs in found.items()]
    lines += sides.busy_server(everything)
    lines.append(measured_when(rounds, plan.environments.of_clients()))
    return Written("\n".join(lines), goals)


def _table(
    axis: Axis, found: Mapping[tuple[Series, int], list[Used]], show: Callable[[int], str], *, memory: bool
) -> list[str]:
    def cell(series: Series, point: int) -> str:
        if (series, point) not in found:
            return "—"
        runs = found[series, point]
        cpu = duration(median(used.cpu for used in runs))
        return f"{cpu}, {mebibytes(median(used.memory for used in runs))}" if memory else cpu

    points = sorted({point for _, point in found})
    rows = [[show(point), *(cell(series, point) for series in axis.series)] for point in points]
    return table([axis.title, *(series.name for series in axis.series)], rows)


def _size(characters: int) -> str:
    return f"{characters // 1024**2} MiB" if characters >= 1024**2 else f"{characters // 1024} KiB"


def _draw(plan: Plan, picture: Path, number: _Found, size: _Found, in_flight: _Found) -> None:
    def lines(found: _Found, figure: Callable[[Used], float]) -> dict[str, list[tuple[int, float]]]:
        drawn: dict[str, list[tuple[int, float]]] = {}
        for (series, point), runs in found.items():
            drawn.setdefault(series.name, []).append((point, median(figure(used) for used in runs)))
        return drawn

    def panel(
        what: str, by: str, unit: str, drawn: dict[str, list[tuple[int, float]]], limit: float | None = None
    ) -> dict[str, object]:
        return {"title": f"{what}, by {by}", "x": by, "y": unit, "lines": drawn, "limit": limit}

    panels = [
        panel("CPU time of an e-mail", "number of e-mails", "µs", lines(number, _microseconds)),
        panel("Memory above the start", "number of e-mails", "MiB", lines(number, _memory), MOST_MEMORY),
        panel("CPU time of an e-mail", "size of its HTML", "µs", lines(size, _microseconds)),
        panel("CPU time of an e-mail", "calls in flight", "µs", lines(in_flight, _microseconds)),
    ]
    plan.environments.plotting.run(_PLOT, str(picture), given=json.dumps(panels))


def _memory(used: Used) -> float:
    return max(used.memory, 0.1)  # Nothing cannot be drawn on a logarithmic axis.


def _microseconds(used: Used) -> float:
    return used.cpu * 1e6
