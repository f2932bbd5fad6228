"""Rows and events, brought into agreement. Imports models: import it late, and only when the app is installed.

A row gets its id and an event arrives in any order, perhaps at the same moment in two processes. Each side stores what
it has first and calls `settle` after: whoever comes second finds what the first one stored, so nothing stays apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from poststack_django import suppressions, telling
from poststack_django.choices import EventState
from poststack_django.models import EmailEvent, EmailRecipient, SentEmail
from poststack_django.privacy import fingerprint, is_fingerprint
from poststack_django.status import Happened, Status, fates_from, meaning_of
from poststack_django.writing import database, inserted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from poststack_django.status import Known

__all__ = ["database", "inserted", "settle", "settle_now_and_after_commit"]

# Nothing was sent to these, so no event is about them.
_LEFT_OUT = (Status.WITHHELD, Status.SUPPRESSED)


def settle(email_id: str) -> SentEmail | None:
    """Bring a row's status, and those of its recipients, in line with its events.

    Adopts events that came before the row had its id. Calling it again changes nothing. Returns the row, `None` when
    there is none with this id yet.
    """
    using = database()
    # Asked before the transaction, whose first reading must be the lock. On MariaDB a locking read finds what is not
    # committed yet, and would hold the webhook until the sender's transaction ends; the sender settles by itself then.
    # Locked by the primary key, as everywhere: there an index is locked before the row, and two that lock in different
    # orders deadlock.
    key = SentEmail.objects.using(using).filter(email_id=email_id).values_list("pk", flat=True).first()
    if key is None:
        return None
    rows = SentEmail.objects.using(using).filter(pk=key)
    with transaction.atomic(using=using):
        if not connections[using].features.has_select_for_update:
            # SQLite refuses to make a writer of a transaction that has read while another one wrote. When the first
            # statement writes, it waits for its turn instead.
            rows.update(status=F("status"))
        row = rows.select_for_update().first()
        if row is None:
            return None
        recipients = list(row.recipients.using(using).exclude(status__in=_LEFT_OUT))
        addresses = {recipient.address for recipient in recipients}
        events = EmailEvent.objects.using(using).filter(email_id=email_id)
        # By key: looking for them while locking, MySQL and MariaDB would wait for events of other e-mails, and those
        # for this one's.
        alone = events.filter(pk__in=list(events.filter(sent_email=None).values_list("pk", flat=True)))
        suppressions.suppress_after_unaddressed(alone, addresses)
        alone.update(sent_email=row)
        # Asked after the update, which waits for whoever is just deciding that an event is early.
        early = list(alone.filter(state=EventState.EARLY).order_by("occurred_at", "pk").values_list("pk", flat=True))
        if early:
            transaction.on_commit(lambda: telling.tell_early(early), using=using, robust=True)
        happened = [
            Happened(meaning_of(kind, final), at, _as_listed(recipient, addresses))
            for kind, at, recipient, final in events.order_by().values_list(
                "type", "occurred_at", "recipient", "data__final"
            )
        ]
        fates = fates_from(happened, addresses)
        _update_recipients(recipients, fates.recipients, using)
        if fates.overall is not None:
            status, at = fates.overall
            row.status_at = at or (row.status_at if row.status == str(status) else timezone.now())
            row.status = status
            row.save(using=using, update_fields=["status", "status_at"])
    return row


def settle_now_and_after_commit(email_ids: Iterable[str]) -> dict[str, SentEmail]:
    """Settle every e-mail that has events, and look again once the surrounding transaction, if any, has ended.

    Until then the other side sees nothing of this one, nor this one of it. Returns the rows that were settled.
    """
    using = database()
    wanted = list(email_ids)
    if not transaction.get_connection(using).in_atomic_block:
        return _settle_those_with_events(wanted)
    # A savepoint: a query that fails would spoil the transaction, on PostgreSQL without anybody being told.
    with transaction.atomic(using=using):
        settled = _settle_those_with_events(wanted)
    if wanted:
        # A function with a name: Django 6.0 and older cannot report the failure of a `partial`, and raise instead.
        transaction.on_commit(lambda: _settle_those_with_events(wanted), using=using, robust=True)
    return settled


def _settle_those_with_events(email_ids: Iterable[str]) -> dict[str, SentEmail]:
    events = EmailEvent.objects.using(database()).filter(email_id__in=email_ids)
    with_events = events.order_by().values_list("email_id", flat=True).distinct()
    settled = {email_id: settle(email_id) for email_id in list(with_events)}
    return {email_id: row for email_id, row in settled.items() if row is not None}


def _as_listed(recipient: str, addresses: Collection[str]) -> str:
    """Return the spelling in which a recipient is stored with the e-mail, should the settings have changed since."""
    if not recipient or recipient in addresses:
        return recipient
    if not is_fingerprint(recipient):
        hashed = fingerprint(recipient)
        return hashed if hashed in addresses else recipient
    plain = (address for address in addresses if not is_fingerprint(address))
    return next((address for address in plain if fingerprint(address) == recipient), recipient)


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
