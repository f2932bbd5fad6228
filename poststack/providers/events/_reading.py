"""What all providers' events have in common: JSON of which nothing is certain, and a `WebhookEvent` made of it.

Whatever a field holds, reading it raises nothing: what is no text where a text should be counts as not said.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import getaddresses
from typing import Any, Final, NamedTuple, cast

from poststack.events import WebhookEvent

__all__ = [
    "Fields",
    "Kind",
    "addresses_in",
    "bare_id",
    "client_from",
    "codes_in",
    "decoded",
    "digest",
    "location_from",
    "made_event",
    "moment_from",
    "objects_in",
    "texts_in",
]


class Kind(NamedTuple):
    """What an event means: its type, and what tells those of one type apart."""

    type: str
    bounce_class: str | None = None
    reason: str | None = None


QUEUED: Final = Kind("email.queued")
DELIVERED: Final = Kind("email.delivered")
DEFERRED: Final = Kind("email.deferred")
HARD_BOUNCE: Final = Kind("email.bounced", "hard")
SOFT_BOUNCE: Final = Kind("email.soft_bounced", "soft")
BLOCKED: Final = Kind("email.soft_bounced", "blocked")
UNCLEAR_BOUNCE: Final = Kind("email.bounced", "unknown")
COMPLAINED: Final = Kind("email.complained")
OPENED: Final = Kind("email.opened")
CLICKED: Final = Kind("email.clicked")
UNSUBSCRIBED: Final = Kind("email.unsubscribed")
SUBSCRIBED: Final = Kind("email.subscribed")
REJECTED: Final = Kind("email.failed", reason="rejected")
FAILED: Final = Kind("email.failed", reason="failed")
UNKNOWN: Final = Kind("email.unknown")

_FRACTION: Final = re.compile(r"(\.\d{1,6})\d*")
_ENHANCED: Final = r"([245]\.\d{1,3}\.\d{1,3})(?![\d.])"
_ENHANCED_CODE: Final = re.compile(rf"(?<![\d.]){_ENHANCED}")
# A reply begins with its code, or has it in front of the enhanced one; other numbers in a text are no codes.
_SMTP_CODE: Final = re.compile(rf"(?:^\s*(?:smtp\s*;\s*)?([245]\d\d)(?=[\s-]|$))|(?<!\d)([245]\d\d)[ -]#?{_ENHANCED}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Fields:
    """A JSON object; anything else is one without fields."""

    def __init__(self, value: object) -> None:
        self.raw: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        self.is_object: bool = isinstance(value, dict)

    def text(self, *names: str) -> str | None:
        """Return the first of these fields that is a text with something in it."""
        for name in names:
            value = self.raw.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return None

    def label(self, *names: str) -> str | None:
        """Return the first of these fields that is a text or a whole number, as text."""
        for name in names:
            value = self.raw.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
                return str(value)
            if (text := self.text(name)) is not None:
                return text
        return None

    def part(self, name: str) -> Fields:
        """Return the object in a field."""
        return Fields(self.raw.get(name))

    def parts(self, name: str) -> list[Fields]:
        """Return the objects in the list in a field."""
        return objects_in(self.raw.get(name))

    def values(self, name: str) -> list[object]:
        """Return the list in a field."""
        value = self.raw.get(name)
        return cast("list[object]", value) if isinstance(value, list) else []


def objects_in(value: object) -> list[Fields]:
    """Return the objects in a list."""
    values = cast("list[object]", value) if isinstance(value, list) else []
    return [one for one in map(Fields, values) if one.is_object]


def decoded(body: bytes, title: str) -> object:
    """Return the JSON of a body. Raises `ValueError`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError(f"The body of {title}'s webhook call is not JSON.") from None


def moment_from(value: object) -> datetime | None:
    """Return a moment in UTC, from ISO 8601 of any precision or from seconds since 1970; `None` for anything else."""
    if isinstance(value, str):
        text = value.strip()
        try:
            # First: Python 3.11 and later would take some of these numbers for dates without hyphens.
            value = float(text)
        except ValueError:
            return _moment_of_text(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
        # Not `fromtimestamp`, whose range is the platform's.
        return _EPOCH + timedelta(seconds=seconds) if math.isfinite(seconds) else None
    except OverflowError:
        return None


def codes_in(*texts: str | None) -> tuple[int | None, str | None]:
    """Return the SMTP code and the enhanced code (RFC 3463) that the first of these texts has that has one."""
    smtp: int | None = None
    enhanced: str | None = None
    for text in texts:
        # As much as a reply may have; what comes after it is prose.
        said = (text or "")[:2000]
        if smtp is None and (found := _SMTP_CODE.search(said)):
            smtp = int(found[1] or found[2])
        if enhanced is None and (found := _ENHANCED_CODE.search(said)):
            enhanced = found[1]
    return smtp, enhanced


def bare_id(message_id: str | None) -> str | None:
    """Return an id without angle brackets and blanks, as `EmailResponseDTO.message_id` has it."""
    return (message_id or "").strip(" \t\r\n<>") or None


def addresses_in(*values: object) -> list[str]:
    """Return the bare addresses that stand in these texts, in order, none twice."""
    texts = [value for value in values if isinstance(value, str)]
    found = [address for _, address in getaddresses(texts) if "@" in address]
    if not found:  # It is what the provider calls the recipient, whether or not it can be read.
        found = [text.strip() for text in texts if "@" in text]
    return list(dict.fromkeys(found))


def texts_in(value: object) -> list[str]:
    """Return the texts of a list, or the one that stands for it."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str) and one]


def client_from(name: str | None, kind: str | None, system: str | None) -> dict[str, str] | None:
    """Return with what somebody opened or clicked, as PostStack's own events say it; `None` if nothing is known."""
    given = {"name": name, "type": kind, "os": system}
    return {key: value for key, value in given.items() if value is not None} or None


def location_from(country: str | None, region: str | None, city: str | None) -> dict[str, str] | None:
    """Return where, as PostStack's own events say it; `None` if nothing is known."""
    given = {"country": country, "region": region, "city": city}
    return {key: value for key, value in given.items() if value is not None} or None


def digest(*parts: object) -> str:
    """Return what is the same for the same parts, and shows none of them."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def made_event(
    provider: str,
    event_id: str,
    kind: Kind,
    raw: Mapping[str, Any],
    *,
    timestamp: datetime | None,
    message_id: str | None,
    recipient: str | None,
    tags: list[str],
    metadata: Mapping[str, Any],
    description: str | None = None,
    **details: object,
) -> WebhookEvent:
    """Return the event, with data under the names that PostStack's own events have. What is not said is left out."""
    data: dict[str, Any] = {
        "email_id": message_id,
        "provider": provider,
        "message_id": message_id,
        "recipient": recipient,
        # PostStack's own name beside ours: what judges its bounces judges these.
        "bounce_type": kind.bounce_class,
        "bounce_class": kind.bounce_class,
        # A soft bounce of PostStack's is tried again. Others tell of one when they have given up.
        "final": True if kind.bounce_class is not None else None,
        "reason": kind.reason or description,
        "description": description,
        **details,
        "tags": tags,
        "metadata": dict(metadata),
        "raw": raw,
    }
    return WebhookEvent(
        id=f"{provider}:{event_id}",
        type=kind.type,
        timestamp=timestamp,
        email_id=message_id,
        data={name: value for name, value in data.items() if value is not None},
    )


def _moment_of_text(text: str) -> datetime | None:
    # Python 3.10 reads neither a trailing Z nor more than six digits of a second.
    cut = _FRACTION.sub(lambda found: found[1].ljust(7, "0"), text)
    try:
        moment = datetime.fromisoformat(cut[:-1] + "+00:00" if cut.endswith(("Z", "z")) else cut)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
