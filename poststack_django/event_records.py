"""Webhook events as rows. Imports models: import it late, and only when the app is installed."""

from __future__ import annotations

from datetime import timedelta
from email.utils import getaddresses
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from poststack_django.choices import EventState
from poststack_django.json_values import storable, without_breakers
from poststack_django.late_webhooks import adopted
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.privacy import redacted, stored_address
from poststack_django.settings import get_settings
from poststack_django.settling import database, inserted, settle_now_and_after_commit
from poststack_django.status import Status
from poststack_django.suppressions import suppress_after
from poststack_django.telling import GRACE, first_turn, taken_over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poststack import WebhookEvent
    from poststack_django.telling import Turn

__all__ = ["Recorded", "is_stored", "recipient_of", "record_event"]

LONGEST_ID = 255
LONGEST_CALL = timedelta(minutes=10)
"""After this, nobody waits for the answer of a call that was made at once."""


class Recorded(NamedTuple):
    """An event that is stored, and what this process has to do with it."""

    stored: EmailEvent
    is_new: bool
    turn: Turn | None
    """The right to tell the receivers; `None` when another process has told them, is at it, or will be."""


def record_event(
    event: WebhookEvent, after_commit: Callable[[Turn, SentEmail | None], Any], *, retry_failed: bool = False
) -> Recorded:
    """Store an event and bring its e-mail up to date.

    `after_commit` is called once the event is stored for good, with the turn of this process to tell the receivers and
    with the row that the event is about. That is so for a new event, for a repeated one whose process seems to have
    died before it told them, and, if wanted, for a repeated one with receivers that failed.
    """
    using = database()
    email_id = without_breakers(event.email_id or "")[:LONGEST_ID]
    arrived = _row(event, email_id)
    recipient = recipient_of(event.data)
    with transaction.atomic(using=using):
        is_new = not adopted(arrived) and inserted(arrived, event_id=arrived.event_id) is not None
        if is_new and recipient:
            suppress_after(arrived.type, event.data, recipient, arrived.event_id)
    # A repeated event is settled again: the first delivery may have died between storing and settling.
    row = settle_now_and_after_commit([email_id]).get(email_id) if email_id else None
    stored = arrived if is_new else EmailEvent.objects.using(using).get(event_id=arrived.event_id)
    if is_new and row is None and email_id and _left_for_its_email(stored):
        return Recorded(stored, is_new, None)
    if is_new and row is None and email_id:  # Perhaps they were brought together meanwhile.
        row = SentEmail.objects.using(using).filter(email_id=email_id).first()
    turn = first_turn(stored) if is_new else _turn_after(stored, retry_failed=retry_failed)
    if turn is not None:
        # No `partial`: Django 6.0 and older cannot report its failure, and raise instead.
        transaction.on_commit(lambda: after_commit(turn, row), using=using, robust=True)
    return Recorded(stored, is_new, turn)


def _left_for_its_email(stored: EmailEvent) -> bool:
    """Leave the receivers to whoever stores the e-mail's id, if one without an id is on its way; return whether so.

    The API can call before its answer is stored. Who is told without the row could do nothing about it.
    """
    rows, now = SentEmail.objects.using(database()).filter(email_id=None), timezone.now()
    asked = rows.filter(status__in=(Status.PENDING, Status.UNKNOWN), created_at__gte=now - LONGEST_CALL)
    # Of the outbox; or a job of a queue, which may be tried again long after its row was made.
    waiting = rows.filter(Q(status=Status.WAITING, attempts__gt=0) | Q(next_attempt_at=None, claimed_until__gte=now))
    if not asked.exists() and not waiting.exists():
        return False
    # On condition that they have not been brought together: then nobody would tell of it.
    alone = EmailEvent.objects.using(database()).filter(pk=stored.pk, sent_email=None, state=EventState.NEW)
    left = bool(alone.update(state=EventState.EARLY))
    if left:
        stored.state = EventState.EARLY
    return left


def is_stored(event: WebhookEvent) -> bool:
    """Return whether an event is here already."""
    return EmailEvent.objects.using(database()).filter(event_id=_event_id(event.id)).exists()


def recipient_of(data: Mapping[str, object]) -> str | None:
    """Return the one address that an event is about, `None` if it names none: then it is about all."""
    for name in ("recipient", "email", "to"):
        value = data.get(name)
        if isinstance(value, str) and "@" in value:
            # A list of them, written as one text, is no more about one address than any other list.
            several = sum("@" in address for _, address in getaddresses([value])) > 1
            return None if several else value
    return None


def _row(event: WebhookEvent, email_id: str) -> EmailEvent:
    recipient = recipient_of(event.data)
    plain = get_settings().store_recipients == "plain"
    return EmailEvent(
        event_id=_event_id(event.id),
        email_id=email_id,
        type=without_breakers(event.type)[:LONGEST_ID],
        recipient=without_breakers(stored_address(recipient)) if recipient else "",
        occurred_at=event.timestamp,
        data=storable(event.data if plain else redacted(event.data)),
    )


def _turn_after(stored: EmailEvent, *, retry_failed: bool) -> Turn | None:
    not_told = stored.state in {EventState.NEW.value, EventState.EARLY.value}
    left_alone = not_told and stored.received_at < timezone.now() - GRACE
    if left_alone or (retry_failed and stored.state == str(EventState.FAILED)):
        return taken_over(stored)
    return None


def _event_id(given: str) -> str:
    cleaned = without_breakers(given)
    if cleaned == given and len(given) <= LONGEST_ID:
        return given
    return "sha256:" + sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
