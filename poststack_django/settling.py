"""Rows and events, brought into agreement. Imports models: import it late, and only when the app is installed.

A row gets its id and an event arrives in any order, perhaps at the same moment in two processes. Each side stores what
it has first and calls `settle` after: whoever comes second finds what the first one stored, so nothing stays apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import IntegrityError, connections, models, router, transaction
from django.db.models import F
from django.utils import timezone

from poststack_django.models import EmailEvent, EmailRecipient, SentEmail
from poststack_django.status import Happened, Status, overall_status, statuses_of_recipients

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from poststack_django.status import Known

__all__ = ["database", "inserted", "settle", "settle_now_and_after_commit"]

Row = TypeVar("Row", bound=models.Model)

# Nothing was sent to these, so no event is about them.
_LEFT_OUT = (Status.WITHHELD, Status.SUPPRESSED)


def database() -> str:
    """Return the alias of the database that holds the app's tables."""
    return router.db_for_write(SentEmail)


def settle(email_id: str) -> SentEmail | None:
    """Bring a row's status, and those of its recipients, in line with its events.

    Adopts events that came before the row had its id. Calling it again changes nothing. Returns the row, `None` when
    there is none with this id yet.
    """
    using = database()
    rows = SentEmail.objects.using(using).filter(email_id=email_id)
    if connections[using].vendor == "mysql" and not rows.exists():
        # A locking read finds what is not committed yet, and would hold the webhook until the sender's transaction
        # ends. The sender settles by itself then. Asked before the transaction, whose first reading must be the lock.
        return None
    with transaction.atomic(using=using):
        if not connections[using].features.has_select_for_update:
            # SQLite refuses to make a writer of a transaction that has read while another one wrote. When the first
            # statement writes, it waits for its turn instead.
            rows.update(status=F("status"))
        row = rows.select_for_update().first()
        if row is None:
            return None
        events = EmailEvent.objects.using(using).filter(email_id=email_id)
        # By key: looking for them while locking, MySQL and MariaDB would wait for events of other e-mails, and those
        # for this one's.
        alone = list(events.filter(sent_email=None).values_list("pk", flat=True))
        events.filter(pk__in=alone).update(sent_email=row)
        happened = [Happened(*event) for event in events.values_list("type", "occurred_at", "recipient")]
        recipients = list(row.recipients.using(using).exclude(status__in=_LEFT_OUT))
        known = statuses_of_recipients(happened, {recipient.address for recipient in recipients})
        _update_recipients(recipients, known, using)
        overall = overall_status(list(known.values()))
        if overall is not None:
            row.status_at = overall.at or (row.status_at if row.status == str(overall.status) else timezone.now())
            row.status = overall.status
            row.save(using=using, update_fields=["status", "status_at"])
    return row


def settle_now_and_after_commit(email_ids: Iterable[str]) -> dict[str, SentEmail]:
    """Settle every e-mail that has events, and look again once the surrounding transaction, if any, has ended.

    Until then the other side sees nothing of this one, nor this one of it. Returns the rows that were settled.
    """
    using = database()
    wanted = list(email_ids)
    settled = _settle_those_with_events(wanted)
    if transaction.get_connection(using).in_atomic_block:
        # A function with a name: Django 6.0 and older cannot report the failure of a `partial`, and raise instead.
        transaction.on_commit(lambda: _settle_those_with_events(wanted), using=using, robust=True)
    return settled


def inserted(row: Row, **unique: str) -> Row | None:
    """Insert a row; return it, or `None` when there is one with these unique values already.

    Nothing is read first: SQLite refuses to make a writer of a transaction that has read while another one wrote.
    """
    using = database()
    try:
        with transaction.atomic(using=using):
            row.save(using=using, force_insert=True)
    except IntegrityError:
        if not type(row)._default_manager.using(using).filter(**unique).exists():
            raise
        return None
    return row


def _settle_those_with_events(email_ids: Iterable[str]) -> dict[str, SentEmail]:
    events = EmailEvent.objects.using(database()).filter(email_id__in=email_ids)
    with_events = events.order_by().values_list("email_id", flat=True).distinct()
    settled = {email_id: settle(email_id) for email_id in list(with_events)}
    return {email_id: row for email_id, row in settled.items() if row is not None}


def _update_recipients(recipients: Iterable[EmailRecipient], known: Mapping[str, Known], using: str) -> None:
    changed: list[EmailRecipient] = []
    for recipient in recipients:
        now = known.get(recipient.address)
        if now is None:
            continue
        since = now.at or (recipient.status_at if recipient.status == str(now.status) else timezone.now())
        if (recipient.status, recipient.status_at) != (str(now.status), since):
            recipient.status, recipient.status_at = now.status, since
            changed.append(recipient)
    EmailRecipient.objects.using(using).bulk_update(changed, ["status", "status_at"])
