"""The words of HTML without its markup. Mail can be built to make this slow, so every scan goes forward only."""

from __future__ import annotations

import html
import re

__all__ = ["readable_html"]

# Parts that are no text, each with what ends it.
_HIDDEN = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in (
        (r"<!--", r"-->"),
        (r"<style\b", r"</style[^<>]*>?"),
        (r"<script\b", r"</script[^<>]*>?"),
        (r"<title\b", r"</title[^<>]*>?"),
    )
)
_TAG = re.compile(r"<[a-z!/?][^<>]*>?", re.IGNORECASE)


def readable_html(source: str) -> str:
    """Return what is left of HTML without comments, styles, scripts and tags, with single spaces."""
    for start, end in _HIDDEN:
        source = _without(source, start, end)
    return " ".join(html.unescape(_TAG.sub(" ", source)).split())


def _without(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> str:
    kept: list[str] = []
    position = 0
    while (opening := start.search(text, position)) is not None:
        kept.append(text[position : opening.start()])
        closing = end.search(text, opening.end())
        if closing is None:
            return " ".join(kept)
        position = closing.end()
    return " ".join((*kept, text[position:])) if kept else text
