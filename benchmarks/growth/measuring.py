"""Measures series of points, each a number of e-mails, a size, or a number in flight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks import sides
from benchmarks.turns import by_turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.section import Plan
    from benchmarks.serving import Server
    from benchmarks.sides import Side, Used

__all__ = ["IN_FLIGHT", "MOST_EMAILS", "NUMBER", "SIZE", "Axis", "Series", "measure_axis"]

KIBIBYTE: Final = 1024
MOST_EMAILS: Final = 1_000_000
_NUMBERS: Final = (1, 10, 100, 1_000, 10_000, 100_000, MOST_EMAILS)
_SIZES: Final = tuple(KIBIBYTE * 10**step if step < 3 else KIBIBYTE**2 * 10 ** (step - 3) for step in range(5))
_AT_A_TIME: Final = (1, 5, 10, 50, 100, 500)


@dataclass(frozen=True)
class Series:
    """A library, how it is used, and up to which point that is worth the time."""

    name: str
    side: Side
    how: str
    most: int = MOST_EMAILS


@dataclass(frozen=True)
class Axis:
    """What grows."""

    title: str
    points: tuple[int, ...]
    series: tuple[Series, ...]

    def use(self, plan: Plan, server: Server, series: Series, point: int) -> Used:
        """Measure one point of a series once."""
        raise NotImplementedError


class _Number(Axis):
    def use(self, plan: Plan, server: Server, series: Series, point: int) -> Used:
        """Measure so many e-mails."""
        return sides.use(plan, series.side, server, series.how, point)


class _Size(Axis):
    def use(self, plan: Plan, server: Server, series: Series, point: int) -> Used:
        """Measure e-mails of that size, fewer of the large ones."""
        return sides.use(
            plan, series.side, server, series.how, min(400, max(24, 32 * KIBIBYTE**2 // point)), size=point
        )


class _InFlight(Axis):
    def use(self, plan: Plan, server: Server, series: Series, point: int) -> Used:
        """Measure with so many in flight."""
        return sides.use(plan, series.side, server, series.how, max(1000, 2 * point), in_flight=point)


_SEND_MANY: Final = Series("this project, send_many", sides.OURS, "many")
NUMBER: Final = _Number(
    "e-mails",
    _NUMBERS,
    (
        _SEND_MANY,
        Series("this project, asynchronous send_many", sides.OURS, "amany"),
        Series("published SDK, batch", sides.PUBLISHED, "batch", 100_000),
        Series("published SDK, send", sides.PUBLISHED, "send", 1_000),
    ),
)
SIZE: Final = _Size(
    "size of an e-mail",
    _SIZES,
    (
        Series("this project, send", sides.OURS, "send"),
        _SEND_MANY,
        Series("published SDK, send", sides.PUBLISHED, "send"),
        Series("httpx by hand", sides.HTTPX, "send"),
        Series("a socket by hand", sides.SOCKET, "send"),
    ),
)
IN_FLIGHT: Final = _InFlight(
    "in flight",
    _AT_A_TIME,
    (
        Series("this project", sides.OURS, "asend"),
        Series("this project on aiohttp", sides.OURS_ON_AIOHTTP, "asend"),
        Series("published SDK", sides.PUBLISHED, "asend"),
        Series("MailBridge", sides.MAILBRIDGE, "asend"),
        Series("aiohttp by hand", sides.AIOHTTP, "asend"),
    ),
)


def measure_axis(
    plan: Plan, server: Server, axis: Axis, points: Sequence[int], rounds: int
) -> Mapping[tuple[Series, int], list[Used]]:
    """Return several rounds of every point of every series."""
    whats = [
        (series, point) for point in points for series in axis.series if axis is not NUMBER or point <= series.most
    ]
    return by_turns(whats, rounds, partial(_use, plan, server, axis), warm_up=False)


def _use(plan: Plan, server: Server, axis: Axis, what: tuple[Series, int]) -> Used:
    return axis.use(plan, server, *what)
