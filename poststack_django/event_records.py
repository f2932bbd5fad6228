"""Webhook events as rows. Imports models: import it late, and only when the app is installed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import transaction

from poststack_django.json_values import storable, without_breakers
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.privacy import redacted, stored_address
from poststack_django.settings import get_settings
from poststack_django.settling import database, inserted, settle_now_and_after_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poststack import WebhookEvent

__all__ = ["recipient_of", "record_event"]

LONGEST_ID = 255


def record_event(event: WebhookEvent, after_commit: Callable[[SentEmail | None], Any]) -> bool:
    """Store an event and bring its e-mail up to date. Returns whether it is new.

    `after_commit` is called for a new event once it is stored for good, with the row it is about.
    """
    using = database()
    email_id = without_breakers(event.email_id or "")[:LONGEST_ID]
    recipient = recipient_of(event.data)
    plain = get_settings().store_recipients == "plain"
    arrived = EmailEvent(
        event_id=_event_id(event.id),
        email_id=email_id,
        type=without_breakers(event.type)[:LONGEST_ID],
        recipient=without_breakers(stored_address(recipient)) if recipient else "",
        occurred_at=event.timestamp,
        data=storable(event.data if plain else redacted(event.data)),
    )
    created = inserted(arrived, event_id=arrived.event_id) is not None
    # A repeated event is settled again: the first delivery may have died between storing and settling.
    row = settle_now_and_after_commit([email_id]).get(email_id) if email_id else None
    if created:
        # No `partial`: Django 6.0 and older cannot report its failure, and raise instead.
        transaction.on_commit(lambda: after_commit(row), using=using, robust=True)
    return created


def recipient_of(data: Mapping[str, object]) -> str | None:
    """Return the one address that an event is about, `None` if it names none: then it is about all."""
    for name in ("recipient", "email", "to"):
        value = data.get(name)
        if isinstance(value, str) and "@" in value:
            return value
    return None


def _event_id(given: str) -> str:
    cleaned = without_breakers(given)
    if cleaned == given and len(given) <= LONGEST_ID:
        return given
    return "sha256:" + sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
