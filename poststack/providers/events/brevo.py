"""Brevo's transactional webhooks (Brevo documentation, "Transactional webhooks"): no signature, and no ids of events.

What tells its calls from others' are the user and password in the webhook's address, a bearer token or headers that
were given when it was created. Events come one a call, or many where the webhook is `batched`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from poststack.providers.events import _reading as reading
from poststack.providers.events._credentials import Credentials, folded
from poststack.providers.events._reading import (
    Fields,
    bare_id,
    codes_in,
    decoded,
    digest,
    made_event,
    moment_from,
    objects_in,
)
from poststack.providers.events.base import ProviderEvents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from poststack.events import WebhookEvent
    from poststack.receiving.checking import HiddenText

__all__ = ["BrevoEvents"]

_KINDS: Final = {
    "request": reading.QUEUED,
    "sent": reading.QUEUED,
    "delivered": reading.DELIVERED,
    "deferred": reading.DEFERRED,
    "hard_bounce": reading.HARD_BOUNCE,
    "invalid_email": reading.HARD_BOUNCE,
    "invalid": reading.HARD_BOUNCE,
    "soft_bounce": reading.SOFT_BOUNCE,
    "blocked": reading.REJECTED,
    "error": reading.FAILED,
    "opened": reading.OPENED,
    "unique_opened": reading.OPENED,
    "proxy_open": reading.OPENED,
    "unique_proxy_open": reading.OPENED,
    "click": reading.CLICKED,
    "clicked": reading.CLICKED,
    "spam": reading.COMPLAINED,
    "complaint": reading.COMPLAINED,
    "unsubscribe": reading.UNSUBSCRIBED,
    "unsubscribed": reading.UNSUBSCRIBED,
}
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
METADATA_HEADER: Final = "X-Mailin-custom"
EARLIEST_IN_MILLISECONDS: Final = 10**11
"""Numbers below are seconds: as milliseconds they would be in 1973."""


class BrevoEvents(ProviderEvents):
    """Reads Brevo's transactional webhooks.

    `username` and `password` are those in the webhook's address, or `token` that of its `auth`; `headers` are those it
    was created with. Whatever is given must come with every call. Raises `ValueError` when nothing is given, or
    something empty.
    """

    name: ClassVar[str] = "brevo"
    title: ClassVar[str] = "Brevo"

    def __init__(
        self,
        *,
        username: str | HiddenText | None = None,
        password: str | HiddenText | None = None,
        token: str | HiddenText | None = None,
        headers: Mapping[str, str | HiddenText] | None = None,
    ) -> None:
        self._credentials = Credentials(self.title, username=username, password=password, token=token, headers=headers)
        if not self._credentials.are_given:
            raise ValueError("Brevo needs `username` and `password`, a `token`, or `headers`: anybody could call else.")
        self.challenges: bool = self._credentials.are_basic

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call. Raises `WebhookSignatureError` and `ValueError`."""
        self._credentials.check(folded(headers))
        found = decoded(body, self.title)
        events = [_event(fields) for fields in _items(found)]
        if not events and found != []:
            raise ValueError("The body of Brevo's webhook call is no event.")
        return events


def _items(found: object) -> list[Fields]:
    """Return the events: how those of a batch are wrapped is not documented."""
    fields = Fields(found)
    if not fields.is_object:
        return objects_in(found)
    lists = [] if "event" in fields.raw else [one for one in map(objects_in, fields.raw.values()) if one]
    return lists[0] if len(lists) == 1 else [fields] if "event" in fields.raw else []


def _event(fields: Fields) -> WebhookEvent:
    said = fields.text("event") or ""
    plain = _HUMP.sub("_", said).lower()
    message_id = bare_id(fields.text("message-id", "messageId"))
    recipient, link, reason = fields.text("email"), fields.text("link"), fields.text("reason")
    smtp, enhanced = codes_in(reason)
    # Its `id` is that of the webhook. An epoch is in every event; elsewhere the account's time zone is in question.
    told_at = fields.raw.get("ts_epoch") or fields.raw.get("ts_event") or fields.raw.get("date")
    return made_event(
        "brevo",
        digest(message_id, plain, recipient, told_at, link),
        _KINDS.get(plain, reading.UNKNOWN),
        fields.raw,
        timestamp=_moment(fields),
        message_id=message_id,
        recipient=recipient,
        tags=_tags(fields),
        metadata=_metadata(fields),
        description=reason,
        event=said or None,
        smtp_code=smtp,
        enhanced_code=enhanced,
        subject=fields.text("subject"),
        url=link,
        user_agent=fields.text("user_agent"),
        ip=fields.text("ip"),
        machine=True if "proxy" in plain else None,
    )


def _moment(fields: Fields) -> datetime | None:
    # `date` is in a time zone that only the account knows.
    for name in ("ts_epoch", "ts_event", "ts"):
        value = fields.raw.get(name)
        try:
            number = float(value) if isinstance(value, (int, float, str)) else 0.0
        except (ValueError, OverflowError):
            continue
        moment = moment_from(number / 1000 if abs(number) >= EARLIEST_IN_MILLISECONDS else number)
        if number > 0 and moment is not None:
            return moment
    return None


def _tags(fields: Fields) -> list[str]:
    listed = reading.texts_in(fields.raw.get("tags"))
    if listed:
        return listed
    tag = fields.text("tag")
    if tag is None:
        return []
    return reading.texts_in(_json_in(tag)) if tag.startswith("[") else [tag]


def _metadata(fields: Fields) -> dict[str, Any]:
    told = fields.raw.get(METADATA_HEADER)
    text = told.strip() if isinstance(told, str) else ""
    found = _json_in(text) if text.startswith("{") else told
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    return {METADATA_HEADER: text} if text else {}


def _json_in(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
