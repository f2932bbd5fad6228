"""Webhook calls as PostStack would make them, for tests of an application's own endpoint."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from poststack.events import SIGNATURE_HEADER, sign

if TYPE_CHECKING:
    from poststack.events import EventType

__all__ = ["WebhookCall", "webhook_call"]


@dataclass(frozen=True)
class WebhookCall:
    """One call of a webhook. The body is what was signed: send these very bytes."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    event_id: str = ""


def webhook_call(
    event_type: EventType | str = "email.delivered",
    *,
    secret: str | Iterable[str],
    email_id: str | None = None,
    recipient: str | None = None,
    event_id: str | None = None,
    timestamp: datetime | None = None,
    data: Mapping[str, Any] | None = None,
) -> WebhookCall:
    """Make a call about an e-mail, signed with this secret, or with several as during a rotation.

    Each call is a new event, happening now, unless you give `event_id` and `timestamp`. `data` is added to what the
    event says.
    """
    about = {"email_id": email_id, "recipient": recipient}
    named = event_id or f"evt_test_{uuid.uuid4().hex}"
    moment = (timestamp or datetime.now(timezone.utc)).astimezone(timezone.utc)
    event = {
        "id": named,
        "type": event_type,
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {**{name: value for name, value in about.items() if value is not None}, **(data or {})},
    }
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return WebhookCall(body, {SIGNATURE_HEADER: sign(body, secret), "Content-Type": "application/json"}, named)
