"""Sections of the page of results, each of which can be measured anew while the others stay."""

from __future__ import annotations

from typing import Final

__all__ = ["section_of", "with_section"]

_LAST: Final = "\nMeasured 2"
"""The paragraph after all sections."""


def section_of(page: str, title: str) -> str:
    """Return the section of that title, or nothing."""
    start, end = _place(page, title)
    return page[start:end]


def with_section(page: str, title: str, text: str) -> str:
    """Return the page with this section in place of the one of its title, or after all others when it had none."""
    start, end = _place(page, title)
    return page[:start] + text + ("\n" if text and not text.endswith("\n\n") else "") + page[end:]


def _place(page: str, title: str) -> tuple[int, int]:
    last = page.index(_LAST) + 1
    start = page.find(f"## {title}\n")
    if start < 0:
        return last, last
    following = page.find("\n## ", start)
    return start, last if following < 0 else min(following + 1, last)
