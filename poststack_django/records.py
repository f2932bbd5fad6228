"""What is stored of an e-mail before, after and without its acceptance.

Imports models: import it late, and only when the app is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import IntegrityError, connections, transaction
from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from poststack_django.json_values import storable, without_breakers
from poststack_django.models import EmailContent, EmailRecipient, EmailRelation, SentEmail
from poststack_django.privacy import stored_address
from poststack_django.settings import get_settings
from poststack_django.settling import database, inserted, settle_now_and_after_commit
from poststack_django.status import Status

if TYPE_CHECKING:
    from poststack.types import SentEmail as Accepted
    from poststack_django.outgoing import Outgoing
    from poststack_django.result import SendStatus

__all__ = ["BEFORE_ACCEPTANCE", "payload_as_json", "payload_of", "record_accepted", "record_attempts", "record_failure"]

LONGEST_LINE = 998
LONGEST_ID = 255
BEFORE_ACCEPTANCE = (Status.PENDING, Status.WAITING, Status.UNKNOWN, Status.REFUSED, Status.GAVE_UP)


def record_attempts(
    outgoing: Sequence[Outgoing],
    *,
    status: Status = Status.PENDING,
    keep_payload: bool = False,
    queued_at: datetime | None = None,
) -> list[SentEmail]:
    """Store what is about to be sent; return the rows, in order, and set each message's `row`.

    A row that is there already with the same idempotency key is used again, as it is. `keep_payload` stores the call
    itself, whatever the settings say: the outbox, where the rows are due at `queued_at`, cannot do without it.
    """
    using = database()
    wanted = [_row(one, status, queued_at) for one in outgoing]
    fresh: list[int] = []
    with transaction.atomic(using=using):
        if _all_inserted(wanted):
            fresh = list(range(len(wanted)))
        else:
            for at, row in enumerate(wanted):
                key = row.idempotency_key
                if inserted(row, idempotency_key=key) is not None:
                    fresh.append(at)
                else:
                    wanted[at] = SentEmail.objects.using(using).get(idempotency_key=key)
        _insert_details([(wanted[at], outgoing[at]) for at in fresh], keep_payload=keep_payload)
    for row, one in zip(wanted, outgoing, strict=True):
        one.row = row
    return wanted


def record_accepted(accepted: Sequence[tuple[SentEmail, Accepted]]) -> None:
    """Store the ids, then adopt the events that were here before them. Updates the rows in place."""
    if not accepted:
        return
    using, now = database(), timezone.now()
    keys = [row.pk for row, _ in accepted]
    stored = SentEmail.objects.using(using).filter(pk__in=keys)
    ids = [When(pk=row.pk, then=Value(answer["id"])) for row, answer in accepted]
    tests = [row.pk for row, answer in accepted if answer.get("test_mode", False)]
    with transaction.atomic(using=using):
        stored.update(
            email_id=Case(*ids),
            test_mode=Case(When(pk__in=tests, then=Value(True)), default=Value(False)) if tests else Value(False),
            sent_at=Coalesce(F("sent_at"), Value(now, output_field=DateTimeField())),
            error="",
            error_code="",
            next_attempt_at=None,
            claimed_until=None,
            claim="",
        )
        stored.filter(status__in=BEFORE_ACCEPTANCE).update(status=Status.QUEUED, status_at=now)
        recipients = EmailRecipient.objects.using(using).filter(sent_email__in=keys, status__in=BEFORE_ACCEPTANCE)
        recipients.update(status=Status.QUEUED, status_at=now)
        if not get_settings().store_bodies:
            _delete_contents(keys, using)
    settled = settle_now_and_after_commit(answer["id"] for _, answer in accepted)
    for row, answer in accepted:
        row.email_id, row.test_mode = answer["id"], answer.get("test_mode", False)
        row.sent_at, row.error, row.error_code = row.sent_at or now, "", ""
        row.next_attempt_at, row.claimed_until, row.claim = None, None, ""
        if row.status in BEFORE_ACCEPTANCE:
            row.status, row.status_at = Status.QUEUED, now
        if (known := settled.get(answer["id"])) is not None:
            row.status, row.status_at = known.status, known.status_at


def record_failure(row: SentEmail, status: SendStatus) -> None:
    """Store why it was not accepted. A row that has its id from an earlier attempt keeps its status."""
    using, now = database(), timezone.now()
    row.error, row.error_code = without_breakers(status.error), without_breakers(status.code or "")[:LONGEST_ID]
    stored = SentEmail.objects.using(using).filter(pk=row.pk)
    with transaction.atomic(using=using):
        stored.update(error=row.error, error_code=row.error_code)
        # Asked of the database: another process may have got the id with the same key since `row` was read.
        if stored.filter(email_id=None).update(status=status.status, status_at=now):
            EmailRecipient.objects.using(using).filter(sent_email=row.pk, status__in=BEFORE_ACCEPTANCE).update(
                status=status.status, status_at=now
            )
            row.status, row.status_at = status.status, now
            return
    row.refresh_from_db(using=using)


def _delete_contents(keys: Sequence[int], using: str) -> None:
    # Each by its key: to find several, MySQL and MariaDB may read the whole table, and wait for what is not committed.
    one_by_one = connections[using].vendor == "mysql"
    for some in [[key] for key in keys] if one_by_one else [keys]:
        EmailContent.objects.using(using).filter(sent_email__in=some).delete()


def payload_of(content: EmailContent) -> dict[str, object]:
    """Return the stored call."""
    payload: dict[str, object] = json.loads(content.payload)
    return payload


def _row(one: Outgoing, status: Status, queued_at: datetime | None) -> SentEmail:
    payload, settings = one.payload, get_settings()
    return SentEmail(
        idempotency_key=one.key,
        mailer=one.mailer[:LONGEST_ID],
        from_email=without_breakers(payload["from"])[:LONGEST_LINE],
        subject=without_breakers(payload.get("subject", ""))[:LONGEST_LINE] if settings.store_subjects else "",
        tags=storable(payload.get("tags", [])),
        metadata=storable(one.metadata),
        status=status,
        scheduled_at=_moment(payload.get("scheduled_at")),
        queued_at=queued_at,
        next_attempt_at=queued_at,
    )


def _moment(text: str | None) -> datetime | None:
    # Checked when the message was read; what a client of one's own took is not stored rather than refused now.
    try:
        moment = parse_datetime(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or timezone.is_aware(moment) else timezone.make_aware(moment)


def _all_inserted(rows: Sequence[SentEmail]) -> bool:
    """Insert all rows in one statement; return `False`, with nothing inserted, when one of the keys is taken."""
    using = database()
    if len(rows) == 1:
        return inserted(rows[0], idempotency_key=rows[0].idempotency_key) is not None
    try:
        with transaction.atomic(using=using):
            SentEmail.objects.using(using).bulk_create(rows)
    except IntegrityError:
        for row in rows:
            row.pk = None
            row._state.adding = True
        return False
    if any(row.pk is None for row in rows):  # Databases without RETURNING.
        keys = [row.idempotency_key for row in rows]
        stored = SentEmail.objects.using(using).filter(idempotency_key__in=keys)
        numbers = dict(stored.values_list("idempotency_key", "pk"))
        for row in rows:
            row.pk = numbers[row.idempotency_key]
    return True


def _insert_details(rows: Sequence[tuple[SentEmail, Outgoing]], *, keep_payload: bool) -> None:
    using = database()
    EmailRecipient.objects.using(using).bulk_create(
        [recipient for row, one in rows for recipient in _recipients(row, one)]
    )
    EmailRelation.objects.using(using).bulk_create(
        [
            EmailRelation(sent_email=row, model=related.model, object_id=related.object_id[:LONGEST_ID])
            for row, one in rows
            for related in dict.fromkeys(one.related_to)
        ]
    )
    if keep_payload or get_settings().store_bodies:
        EmailContent.objects.using(using).bulk_create(
            [EmailContent(sent_email=row, payload=payload_as_json(one.payload)) for row, one in rows]
        )


def payload_as_json(payload: Mapping[str, object]) -> str:
    """Return a call as it is stored."""
    # ASCII: it escapes what a database cannot hold.
    return json.dumps(payload, ensure_ascii=True, separators=(",", ":"))


def _recipients(row: SentEmail, one: Outgoing) -> list[EmailRecipient]:
    how = get_settings().store_recipients
    if how == "none":
        return []
    everybody = [(kind, address, Status(row.status)) for kind, address in one.recipients]
    found: dict[tuple[str, str], EmailRecipient] = {}
    for kind, written, status in [*everybody, *one.left_out]:
        address = stored_address(written)
        display = without_breakers(written)[:LONGEST_LINE] if how == "plain" else address
        found.setdefault(
            (kind, address),
            EmailRecipient(sent_email=row, kind=kind, address=address, display=display, status=status),
        )
    return list(found.values())
