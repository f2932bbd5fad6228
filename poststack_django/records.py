"""What is stored of an e-mail before, after and without its acceptance.

Imports models: import it late, and only when the app is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import DataError, IntegrityError, connections, transaction
from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from poststack_django.json_values import storable, without_breakers
from poststack_django.models import EmailContent, EmailRecipient, EmailRelation, SentEmail
from poststack_django.privacy import redacted, stored_address
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
NEVER_ACCEPTED = (Status.REFUSED, Status.WITHHELD, Status.SUPPRESSED)
"""The API has said no, or was not asked."""


def record_attempts(
    outgoing: Sequence[Outgoing],
    *,
    status: Status = Status.PENDING,
    keep_payload: bool = False,
    queued_at: datetime | None = None,
) -> list[SentEmail]:
    """Store what is about to be sent; return the rows, in order, and set each message's `row`.

    A row that is there already with the same idempotency key is used again, as it is; if the API is known not to have
    accepted it, with what the message says now. `keep_payload` stores the call itself, whatever the settings say: the
    outbox, where the rows are due at `queued_at`, cannot do without it.
    """
    using = database()
    wanted = [_row(one, status, queued_at) for one in outgoing]
    with transaction.atomic(using=using):
        stored = _stored_rows(wanted)
        fresh: list[int] = []
        for at, (row, found) in enumerate(zip(wanted, stored, strict=True)):
            if found is row or _begun_again(found, row):
                fresh.append(at)
        _insert_details([(stored[at], outgoing[at]) for at in fresh], keep_payload=keep_payload)
    for row, one in zip(stored, outgoing, strict=True):
        one.row = row
    return stored


def record_accepted(accepted: Sequence[tuple[SentEmail, Accepted]]) -> None:
    """Store the ids, then adopt the events that were here before them. Updates the rows in place."""
    try:
        _record_accepted(accepted)
    except (DataError, IntegrityError):
        if len(accepted) == 1:
            raise
        # One id that the table does not take must not cost the others theirs.
        failed: Exception | None = None
        for pair in accepted:
            try:
                _record_accepted([pair])
            except (DataError, IntegrityError) as error:
                failed = error
        if failed is not None:
            raise failed from None


def _record_accepted(accepted: Sequence[tuple[SentEmail, Accepted]]) -> None:
    if not accepted:
        return
    using, now = database(), timezone.now()
    email_ids = {row.pk: without_breakers(answer["id"])[:LONGEST_ID] for row, answer in accepted}
    keys = list(email_ids)
    stored = SentEmail.objects.using(using).filter(pk__in=keys)
    ids = [When(pk=key, then=Value(email_id)) for key, email_id in email_ids.items()]
    tests = [row.pk for row, answer in accepted if answer.get("test_mode", False)]
    providers = {row.pk: answer["provider"][:LONGEST_ID] for row, answer in accepted if "provider" in answer}
    took = [When(pk=key, then=Value(provider)) for key, provider in providers.items()]
    with transaction.atomic(using=using):
        stored.update(
            email_id=Case(*ids),
            test_mode=Case(When(pk__in=tests, then=Value(True)), default=Value(False)) if tests else Value(False),
            provider=Case(*took, default=Value("")) if took else "",
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
        kept = get_settings().store_bodies
        _delete_contents([row.pk for row, _ in accepted if row.sensitive or not kept], using)
    settled = settle_now_and_after_commit(email_ids.values())
    for row, answer in accepted:
        row.email_id, row.test_mode = email_ids[row.pk], bool(answer.get("test_mode", False))
        row.sent_at, row.error, row.error_code = row.sent_at or now, "", ""
        row.provider = providers.get(row.pk, "")
        row.next_attempt_at, row.claimed_until, row.claim = None, None, ""
        if row.status in BEFORE_ACCEPTANCE:
            row.status, row.status_at = Status.QUEUED, now
        if (known := settled.get(email_ids[row.pk])) is not None:
            row.status, row.status_at = known.status, known.status_at


def record_failure(row: SentEmail, status: SendStatus, stored_as: Status | None = None) -> None:
    """Store why it was not accepted. A row that has its id from an earlier attempt keeps its status.

    `stored_as` is for statuses that only rows have, such as `GAVE_UP`.
    """
    using, now = database(), timezone.now()
    error = without_breakers(status.error)
    # The API's texts may name whom it is about.
    row.error = error if get_settings().store_recipients == "plain" else redacted(error)
    row.error_code = without_breakers(status.code or "")[:LONGEST_ID]
    state = stored_as or status.status
    stored = SentEmail.objects.using(using).filter(pk=row.pk)
    with transaction.atomic(using=using):
        stored.update(error=row.error, error_code=row.error_code)
        # Asked of the database: another process may have got the id with the same key since `row` was read.
        if stored.filter(email_id=None).update(status=state, status_at=now, claimed_until=None):
            EmailRecipient.objects.using(using).filter(sent_email=row.pk, status__in=BEFORE_ACCEPTANCE).update(
                status=state, status_at=now
            )
            row.status, row.status_at = state, now
            return
    row.refresh_from_db(using=using)


def _delete_contents(keys: Sequence[int], using: str) -> None:
    contents = EmailContent.objects.using(using)
    if connections[using].vendor != "mysql":
        contents.filter(pk__in=keys).delete()
        return
    # Each by its key: to delete several, MySQL and MariaDB may read the whole table, and wait for what is being written
    # there. A plain SELECT waits for nobody.
    for key in contents.filter(pk__in=keys).values_list("pk", flat=True):
        contents.filter(pk=key).delete()


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
        sensitive=one.sensitive,
        expires_at=None if queued_at is None or one.expires_after is None else queued_at + one.expires_after,
        next_attempt_at=queued_at,
    )


def _moment(text: str | None) -> datetime | None:
    # Checked when the message was read; what a client of one's own took is not stored rather than refused now.
    try:
        moment = parse_datetime(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or timezone.is_aware(moment) else timezone.make_aware(moment)


def _stored_rows(wanted: Sequence[SentEmail]) -> list[SentEmail]:
    """Insert the rows whose key is not taken; return the stored row of each, which may be one from before."""
    # Inserted first, read after: SQLite makes no writer of a transaction that has read while another one wrote.
    if _all_inserted(wanted):
        return list(wanted)
    stored = _rows_by_key(wanted)
    new: dict[str, SentEmail] = {}
    for row in wanted:
        if row.idempotency_key not in stored:
            new.setdefault(row.idempotency_key, row)
    if not new or _all_inserted(list(new.values())):
        stored.update(new)
    else:  # Another process is sending with some of the same keys.
        own = {key: row for key, row in new.items() if inserted(row, idempotency_key=key) is not None}
        stored = {**_rows_by_key(wanted), **own}
    return [stored[row.idempotency_key] for row in wanted]


def _rows_by_key(wanted: Sequence[SentEmail]) -> dict[str, SentEmail]:
    rows = SentEmail.objects.using(database()).filter(idempotency_key__in=[row.idempotency_key for row in wanted])
    return {row.idempotency_key: row for row in rows}


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
        numbers = {key: row.pk for key, row in _rows_by_key(rows).items()}
        for row in rows:
            row.pk = numbers[row.idempotency_key]
    return True


def _begun_again(found: SentEmail, wanted: SentEmail) -> bool:
    """Make a row that the API has certainly not accepted what the message is now; return whether it was one.

    It may have been refused, withheld or suppressed, with recipients and texts that are others by now.
    """
    if found.status not in NEVER_ACCEPTED:
        return False
    using = database()
    names = ("mailer", "from_email", "subject", "tags", "metadata", "status", "scheduled_at", "queued_at")
    changes = {name: getattr(wanted, name) for name in (*names, "next_attempt_at", "sensitive", "expires_at")}
    changes |= {"status_at": timezone.now(), "error": "", "error_code": "", "attempts": 0, "first_attempt_at": None}
    changes |= {"claim": "", "claimed_until": None}
    untouched = SentEmail.objects.using(using).filter(pk=found.pk, email_id=None, status=found.status)
    if not untouched.update(**changes):  # Another process was quicker.
        return False
    for name, value in changes.items():
        setattr(found, name, value)
    for details in (EmailRecipient, EmailRelation, EmailContent):
        details.objects.using(using).filter(sent_email=found.pk).delete()
    return True


def _insert_details(rows: Sequence[tuple[SentEmail, Outgoing]], *, keep_payload: bool) -> None:
    using = database()
    EmailRecipient.objects.using(using).bulk_create(
        [recipient for row, one in rows for recipient in _recipients(row, one)]
    )
    EmailRelation.objects.using(using).bulk_create(
        [
            EmailRelation(sent_email=row, model=related.model, object_id=related.object_id)
            for row, one in rows
            for related in dict.fromkeys(one.related_to)
        ]
    )
    kept = [pair for pair in rows if keep_payload or (get_settings().store_bodies and not pair[0].sensitive)]
    EmailContent.objects.using(using).bulk_create(
        [EmailContent(sent_email=row, payload=payload_as_json(one.payload)) for row, one in kept]
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
