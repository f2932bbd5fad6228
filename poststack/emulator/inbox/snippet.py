"""The words of a message without its markup, for the line under the subject and for search.

A mail can be built to make this slow, so every scan goes forward only and the list looks at the beginning alone.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poststack.emulator.model import Message

__all__ = ["readable_html", "snippet"]

_LONGEST = 160
_LOOKED_AT = 20_000
_BODY = re.compile(r"<body\b", re.IGNORECASE)
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


def snippet(message: Message) -> str:
    """Return the first words of the text, or of the HTML when there is no text."""
    if message.text and message.text.strip():
        words = " ".join(message.text[:_LOOKED_AT].split())
    else:
        source = message.html or ""
        body = _BODY.search(source)
        start = body.start() if body else 0
        words = readable_html(source[start : start + _LOOKED_AT])
    return words if len(words) <= _LONGEST else words[:_LONGEST].rstrip() + "…"


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
