"""What a section of the results is: something that can be measured alone and says whether its goals were met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.environments import Environments

__all__ = ["HEAD", "Goal", "LeftOutError", "Plan", "Section", "Written"]


HEAD: Final = ("measured", "goal", "")
"""What stands above the cells of a goal."""


class LeftOutError(Exception):
    """The section cannot be measured on this machine; the text says what is missing."""


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    environments: Environments
    rounds: int
    quick: bool

    def at_most(self, rounds: int) -> int:
        """Return the rounds of what takes long."""
        return min(rounds, self.rounds)

    def scaled(self, count: int) -> int:
        """Return so many repetitions, or a quarter when it has to be quick."""
        return max(1, count // 4) if self.quick else count


@dataclass(frozen=True)
class Goal:
    """A limit that was set before anything was measured, and what came out."""

    what: str
    figure: float
    limit: float
    at_least: bool = False
    unit: str = "x"
    """What stands behind both figures."""
    digits: int = 2

    @property
    def met(self) -> bool:
        """Whether the figure is within the limit."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    @property
    def cells(self) -> list[str]:
        """The figure, the limit and the verdict."""
        limit = f"{'at least' if self.at_least else 'at most'} {self.limit:.{self.digits}f}{self.unit}"
        return [f"**{self.figure:.{self.digits}f}{self.unit}**", limit, "met" if self.met else "**missed**"]


@dataclass(frozen=True)
class Written:
    """A section in Markdown, without its title, and its goals."""

    text: str
    goals: list[Goal]


@dataclass(frozen=True)
class Section:
    """A section of the results."""

    name: str
    """What `--only` calls it."""
    title: str
    measure: Callable[[Plan], Written]
    """Measures and writes; raises `LeftOutError` where that cannot be done."""
