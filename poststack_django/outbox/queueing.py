"""Putting e-mails into the outbox. Imports models: import it late, and only when the app is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from poststack_django.models import EmailContent, EmailRecipient, SentEmail
from poststack_django.outbox.wake import wake
from poststack_django.records import BEFORE_ACCEPTANCE, payload_as_json, record_attempts
from poststack_django.settling import database
from poststack_django.status import Status

if TYPE_CHECKING:
    from poststack_django.outgoing import Outgoing

__all__ = ["put_into_outbox"]

SENT_AT_ONCE = (Status.PENDING.value, Status.UNKNOWN.value)
"""Tried when the row was made, by a backend that notes no attempts."""


def put_into_outbox(outgoing: Sequence[Outgoing]) -> list[SentEmail]:
    """Store e-mails to be sent after the commit; return their rows, in order.

    One whose idempotency key has a row already is not stored a second time: sent, it stays sent; waiting, it goes on
    waiting; given up or refused, it waits again, with what the message says now.
    """
    using, now = database(), timezone.now()
    with transaction.atomic(using=using):
        rows = record_attempts(outgoing, status=Status.WAITING, keep_payload=True, queued_at=now)
        for row, one in zip(rows, outgoing, strict=True):
            if row.email_id is None and row.next_attempt_at is None:
                _put_back(row, one)
        waiting = [row.pk for row in rows if row.email_id is None]
        if waiting:
            # No `partial`: Django 6.0 and older cannot report its failure, and raise instead.
            transaction.on_commit(lambda: wake(waiting, using), using=using, robust=True)
    return rows


def _put_back(row: SentEmail, one: Outgoing) -> None:
    using, now = database(), timezone.now()
    changes = {
        "status": Status.WAITING,
        "status_at": now,
        "queued_at": now,
        "next_attempt_at": now,
        # What was tried before may have been accepted, and the API knows its key only so long.
        "first_attempt_at": row.first_attempt_at or (row.created_at if row.status in SENT_AT_ONCE else None),
        "attempts": 0,
        "sensitive": one.sensitive,
        "expires_at": None if one.expires_after is None else now + one.expires_after,
        "claim": "",
        "claimed_until": None,
    }
    idle = SentEmail.objects.using(using).filter(pk=row.pk, email_id=None, next_attempt_at=None)
    if not idle.update(**changes):  # Another process was quicker.
        row.refresh_from_db(using=using)
        return
    for name, value in changes.items():
        setattr(row, name, value)
    EmailContent.objects.using(using).update_or_create(
        sent_email=row, defaults={"payload": payload_as_json(one.payload)}
    )
    EmailRecipient.objects.using(using).filter(sent_email=row.pk, status__in=BEFORE_ACCEPTANCE).update(
        status=Status.WAITING, status_at=now
    )
