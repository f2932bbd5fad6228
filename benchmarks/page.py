"""The page of results: an introduction, a table of all goals, and sections that can be measured anew one by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from benchmarks.section import HEAD
from benchmarks.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.section import Goal

__all__ = ["Page"]

_INTRODUCTION: Final = """\
# What it costs

Written by `make bench`. Each library has an environment and processes of its own; the API is a local server that does
next to nothing, or the emulator. All sides take turns, round by round. CPU time is user and system time of the client's
process alone. A figure is the median of all rounds; a ratio is that of the two sides within a round, of which again the
median is shown, and the range is that of the rounds. What else the machine does changes the times; the ratios hold.
"""
_GOALS: Final = "Goals"
_HEADING: Final = re.compile(r"^## (.+)\n", re.MULTILINE)
_LINK: Final = re.compile(r"^\| \[(.+?)\]\(", re.MULTILINE)


class Page:
    """What has been measured, by the titles of the sections."""

    def __init__(self, text: str, order: Sequence[str]) -> None:
        """Read a page; sections of titles that are not in `order` are left out."""
        _, *parts = _HEADING.split(text)
        found = dict(zip(parts[::2], parts[1::2], strict=True))
        self._order = order
        self._sections = {title: found[title].strip() for title in order if title in found}
        rows = [line for line in found.get(_GOALS, "").splitlines() if _LINK.match(line)]
        self._goals = {title: [row for row in rows if row.startswith(f"| [{title}](")] for title in order}

    def put(self, title: str, text: str, goals: Sequence[Goal]) -> None:
        """Put a section in the place of the one of its title."""
        self._sections[title] = text.strip()
        link = f"[{title}](#{re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-')})"
        self._goals[title] = [f"| {' | '.join([link, goal.what, *goal.cells])} |" for goal in goals]

    def __str__(self) -> str:
        goals = [row for title in self._order if title in self._sections for row in self._goals[title]]
        head = "\n".join(table(["section", "", *HEAD], [])[:2])
        parts = [_INTRODUCTION, f"## {_GOALS}\n\n" + "\n".join([head, *goals]) + "\n"]
        parts += [f"## {title}\n\n{self._sections[title]}\n" for title in self._order if title in self._sections]
        return "\n".join(parts)
