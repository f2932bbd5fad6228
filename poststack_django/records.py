"""Rows and events, kept in agreement. Imports models: import it late, and only when the app is installed.

A row gets its id and an event arrives in any order, perhaps at the same moment in two processes. Each side stores what
it has first and calls `settle` after: whoever comes second finds what the first one stored, so nothing stays apart.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import IntegrityError, connections, models, router, transaction
from django.db.models import F
from django.utils import timezone

from poststack_django.json_values import storable, without_breakers
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.status import Status, status_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack import WebhookEvent
    from poststack.types import SendEmail
    from poststack.types import SentEmail as Accepted
    from poststack_django.result import SendStatus

__all__ = ["record_accepted", "record_attempt", "record_event", "record_failure", "settle"]

LONGEST_LINE = 998
LONGEST_ID = 255
BEFORE_ACCEPTANCE = (Status.PENDING, Status.UNKNOWN, Status.REFUSED)

Row = TypeVar("Row", bound=models.Model)


def record_attempt(payload: SendEmail, mailer: str) -> SentEmail:
    """Store that this is about to be sent; an earlier row with the same idempotency key is used again."""
    key = payload.get("idempotency_key", "")
    row = SentEmail(
        idempotency_key=key,
        mailer=mailer[:LONGEST_ID],
        from_email=payload["from"][:LONGEST_LINE],
        to=payload["to"],
        cc=payload.get("cc", []),
        bcc=payload.get("bcc", []),
        subject=payload.get("subject", "")[:LONGEST_LINE],
        tags=payload.get("tags", []),
    )
    return _inserted(row, idempotency_key=key) or SentEmail.objects.using(_database()).get(idempotency_key=key)


def record_accepted(row: SentEmail, answer: Accepted) -> None:
    """Store the id, then adopt the events that were here before it. Updates the row in place."""
    now = timezone.now()
    row.email_id, row.test_mode = answer["id"], answer.get("test_mode", False)
    row.sent_at, row.error, row.error_code = row.sent_at or now, "", ""
    if row.status in BEFORE_ACCEPTANCE:
        row.status, row.status_at = Status.QUEUED, now
    with transaction.atomic(using=_database()):
        row.save(
            using=_database(),
            update_fields=["email_id", "test_mode", "sent_at", "status", "status_at", "error", "error_code"],
        )
    settled = _settle_now_and_after_commit(answer["id"])
    if settled is not None:
        row.status, row.status_at = settled.status, settled.status_at


def record_failure(row: SentEmail, status: SendStatus) -> None:
    """Store why it was not accepted. A row that has its id from an earlier attempt keeps its status."""
    row.error, row.error_code = status.error, (status.code or "")[:LONGEST_ID]
    now = timezone.now()
    stored = SentEmail.objects.using(_database()).filter(pk=row.pk)
    with transaction.atomic(using=_database()):
        stored.update(error=row.error, error_code=row.error_code)
        # Asked of the database: another process may have got the id with the same key since `row` was read.
        if stored.filter(email_id=None).update(status=status.status, status_at=now):
            row.status, row.status_at = status.status, now
            return
    row.refresh_from_db(using=_database())


def record_event(event: WebhookEvent, after_commit: Callable[[SentEmail | None], Any]) -> bool:
    """Store an event and bring its e-mail up to date. Returns whether it is new.

    `after_commit` is called for a new event once it is stored for good, with the row it is about.
    """
    database = _database()
    email_id = without_breakers(event.email_id or "")[:LONGEST_ID]
    arrived = EmailEvent(
        event_id=_event_id(event.id),
        email_id=email_id,
        type=without_breakers(event.type)[:LONGEST_ID],
        occurred_at=event.timestamp,
        data=storable(event.data),
    )
    created = _inserted(arrived, event_id=arrived.event_id) is not None
    # A repeated event is settled again: the first delivery may have died between storing and settling.
    row = _settle_now_and_after_commit(email_id) if email_id else None
    if created:
        transaction.on_commit(partial(after_commit, row), using=database, robust=True)
    return created


def settle(email_id: str) -> SentEmail | None:
    """Bring a row's status in line with its events, adopting those that came before it had its id.

    Calling it again changes nothing. Returns the row, `None` when there is none with this id yet.
    """
    database = _database()
    rows = SentEmail.objects.using(database).filter(email_id=email_id)
    with transaction.atomic(using=database):
        if not connections[database].features.has_select_for_update:
            # SQLite refuses to make a writer of a transaction that has read while another one wrote. When the first
            # statement writes, it waits for its turn instead.
            rows.update(status=F("status"))
        row = rows.select_for_update().first()
        if row is None:
            return None
        events = EmailEvent.objects.using(database).filter(email_id=email_id)
        events.filter(sent_email=None).update(sent_email=row)
        known = status_from(events.values_list("type", "occurred_at"))
        if known is not None:
            since = known.at or (row.status_at if row.status == str(known.status) else timezone.now())
            row.status, row.status_at = known.status, since
            row.save(using=database, update_fields=["status", "status_at"])
    return row


def _settle_now_and_after_commit(email_id: str) -> SentEmail | None:
    database = _database()
    row = settle(email_id)
    if transaction.get_connection(database).in_atomic_block:
        # Until the surrounding transaction ends, the other side sees nothing of this one.
        transaction.on_commit(partial(settle, email_id), using=database, robust=True)
    return row


def _inserted(row: Row, **unique: str) -> Row | None:
    """Insert a row; return it, or `None` when there is one with these unique values already.

    Nothing is read first: SQLite refuses to make a writer of a transaction that has read while another one wrote.
    """
    database = _database()
    try:
        with transaction.atomic(using=database):
            row.save(using=database, force_insert=True)
    except IntegrityError:
        if not type(row)._default_manager.using(database).filter(**unique).exists():
            raise
        return None
    return row


def _event_id(given: str) -> str:
    cleaned = without_breakers(given)
    if cleaned == given and len(given) <= LONGEST_ID:
        return given
    return "sha256:" + sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _database() -> str:
    return router.db_for_write(SentEmail)
