"""Who may send which row of the outbox. Imports models: import it late, and only when the app is installed.

A claim is a lease: it names its holder by a token and ends by itself. Taking one moves the row's next attempt to the
end of the lease, so that a row whose holder has died is due again then, and nothing else need be looked at to find due
rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from poststack_django.models import SentEmail
from poststack_django.settings import get_settings
from poststack_django.settling import database

if TYPE_CHECKING:
    from poststack_django.querysets import SentEmailQuerySet

__all__ = ["claim_due", "claim_one", "next_due_at", "release"]


def claim_due(limit: int, *, without_mailers: Collection[str] = ()) -> list[SentEmail]:
    """Take up to `limit` rows that are due, oldest first. Several processes that ask at once get different rows."""
    due = _due(timezone.now()).exclude(mailer__in=without_mailers) if without_mailers else _due(timezone.now())
    return _claimed(due.order_by("next_attempt_at", "pk"), limit)


def claim_one(pk: object) -> SentEmail | None:
    """Take one row, if it is due."""
    rows = _claimed(_due(timezone.now()).filter(pk=pk), 1)
    return rows[0] if rows else None


def release(rows: Sequence[SentEmail]) -> None:
    """Give rows back that were not tried; they are due at once."""
    for row in rows:
        SentEmail.objects.using(database()).filter(pk=row.pk, claim=row.claim).update(
            claim="",
            claimed_until=None,
            next_attempt_at=timezone.now(),
            attempts=F("attempts") - 1,
            first_attempt_at=row.first_attempt_at if row.attempts > 1 else None,
        )


def next_due_at() -> datetime | None:
    """Return when the next row is due, `None` when the outbox is empty."""
    waiting = SentEmail.objects.using(database()).filter(next_attempt_at__isnull=False)
    return waiting.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()


def _due(now: datetime) -> SentEmailQuerySet:
    return SentEmail.objects.get_queryset().using(database()).filter(next_attempt_at__lte=now, email_id=None)


def _claimed(due: SentEmailQuerySet, limit: int) -> list[SentEmail]:
    using, token, now = database(), str(uuid.uuid4()), timezone.now()
    until = now + timedelta(seconds=get_settings().outbox.lease)
    rows = SentEmail.objects.get_queryset().using(using)

    def take(found: SentEmailQuerySet) -> int:
        return found.update(
            claim=token,
            claimed_until=until,
            next_attempt_at=until,
            attempts=F("attempts") + 1,
            first_attempt_at=Coalesce(F("first_attempt_at"), Value(now, output_field=DateTimeField())),
        )

    if connections[using].features.has_select_for_update_skip_locked:
        with transaction.atomic(using=using):
            keys = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
            # By key alone: by any other index MySQL and MariaDB would wait for rows that others hold.
            taken = take(rows.filter(pk__in=keys)) if keys else 0
    else:
        # No transaction: SQLite lets nobody write who has read before in the same one, while others write.
        keys = list(due.values_list("pk", flat=True)[:limit])
        # The condition again: without a lock, somebody else may have taken some since they were found.
        taken = take(rows.filter(pk__in=keys, next_attempt_at__lte=now, email_id=None)) if keys else 0
    if not taken:
        return []
    # By key as well: no index leads to a claim.
    return list(rows.filter(pk__in=keys, claim=token).prefetch_related("recipients").order_by("queued_at", "pk"))
