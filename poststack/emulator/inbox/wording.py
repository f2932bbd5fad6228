"""How moments, sizes and foreign text are put into words for people. No state, no I/O."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from poststack.emulator.model import Email

__all__ = [
    "absolute",
    "count",
    "duration",
    "file_size",
    "masked_url",
    "relative",
    "short_url",
    "status_label",
    "visible",
]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_JUST_NOW = 10
_MASK = "•••"
_SHORT_URL = 36
# C0 and C1 controls except tab and line feed, and the marks that turn or reorder text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Replace characters that hide or reorder text by the replacement mark, so that a name shows what it is."""
    return _INVISIBLE.sub("\ufffd", str(text))


def relative(moment: float, now: float) -> str:
    """Say how long ago a moment was, or how far ahead it is; beyond a week, its date."""
    seconds = now - moment
    distance = abs(seconds)
    if distance < _JUST_NOW:
        return "just now" if seconds >= 0 else "in a moment"
    if distance < _MINUTE:
        text = f"{int(distance)} s"
    elif distance < _HOUR:
        text = f"{int(distance // _MINUTE)} min"
    elif distance < _DAY:
        text = f"{int(distance // _HOUR)} h"
    elif distance < 7 * _DAY:
        text = f"{int(distance // _DAY)} d"
    else:
        return datetime.fromtimestamp(moment, timezone.utc).strftime("%d %b %Y").lstrip("0")
    return f"{text} ago" if seconds > 0 else f"in {text}"


def absolute(moment: float) -> str:
    """Write a moment out, in UTC to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%a %d %b %Y, %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """Write a short time in the unit that suits it."""
    return f"{seconds * 1_000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def file_size(size: int) -> str:
    """Write a number of bytes in decimal units."""
    if size < 1_000:
        return count(size, "byte")
    for limit, unit in ((1_000_000, "kB"), (1_000_000_000, "MB")):
        if size < limit:
            value = size * 1_000 / limit
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{size / 1_000_000_000:.1f} GB"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, with thousands set apart."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def masked_url(url: str) -> str:
    """Write a URL without what may be a secret in it: the user information and the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _MASK
    user, at, host = parts.netloc.rpartition("@")
    shown = f"{parts.scheme}://{_MASK if user else ''}{at}{host}{parts.path}"
    return f"{shown}?{_MASK}" if parts.query or parts.fragment else shown


def short_url(url: str) -> str:
    """Write a URL so briefly that it fits a line: host and path, the middle of a long one left out, masked."""
    shown = masked_url(url).partition("://")[2] or _MASK
    if len(shown) <= _SHORT_URL:
        return shown
    return f"{shown[: _SHORT_URL // 2]}…{shown[-(_SHORT_URL // 2 - 1) :]}"


def status_label(email: Email) -> str:
    """Return the status as people know it: the API has no words for scheduled and cancelled e-mails."""
    if email.cancelled_at is not None:
        return "cancelled"
    return "scheduled" if email.scheduled else email.status
