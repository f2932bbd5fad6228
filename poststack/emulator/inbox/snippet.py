"""The first words of a message, for the line under its subject. Only the beginning of a body is looked at."""

from __future__ import annotations

import re
from typing import Protocol

from poststack.emulator.receiving.readable import readable_html

__all__ = ["snippet"]

_LONGEST = 160
_LOOKED_AT = 20_000
_BODY = re.compile(r"<body\b", re.IGNORECASE)


class _Readable(Protocol):
    @property
    def text(self) -> str | None: ...

    @property
    def html(self) -> str | None: ...


def snippet(message: _Readable) -> str:
    """Return the first words of the text, or of the HTML when there is no text."""
    if message.text and message.text.strip():
        words = " ".join(message.text[:_LOOKED_AT].split())
    else:
        source = message.html or ""
        body = _BODY.search(source)
        start = body.start() if body else 0
        words = readable_html(source[start : start + _LOOKED_AT])
    return words if len(words) <= _LONGEST else words[:_LONGEST].rstrip() + "…"
