"""Deleting what has been stored for long enough. Imports models: import it late, and only when the app is installed.

Rows are deleted in batches, each a short transaction, so that nobody waits for long and an interrupted run has done
part of the work. What the outbox may still send is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import OperationalError, connections, transaction
from django.db.models import F, Q
from django.db.models.deletion import ProtectedError, RestrictedError

from poststack_django.models import EmailContent, EmailEvent, SentEmail
from poststack_django.status import UNDER_WAY, Status
from poststack_django.writing import database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

__all__ = ["ENDS", "Pruned", "prune", "prune_contents"]

_MAY_BE_SENT: Final = (Status.PENDING, Status.WAITING)
UNFINISHED: Final = (*sorted(UNDER_WAY), Status.UNKNOWN)
"""Accepted or perhaps accepted, and nothing is known of an end."""
ENDS: Final = tuple(status for status in Status if status not in {*_MAY_BE_SENT, *UNFINISHED})


@dataclass
class Pruned:
    """How many rows were deleted, or would be."""

    emails: int = 0
    events: int = 0
    contents: int = 0
    protected: int = 0
    """E-mails that rows of the project's own refer to and protect."""
    unfinished: int = 0
    """E-mails that are old enough, and of which no end is known."""


def prune(before: datetime, *, batch: int = 500, dry_run: bool = False, also_unfinished: bool = False) -> Pruned:
    """Delete e-mails from before a moment that are at an end, with their events, and events that belong to none.

    `also_unfinished` takes e-mails of which no end is known as well, as in a project without a webhook. Nothing goes
    that is scheduled for later or that the outbox may still send.
    """
    using, done = database(), Pruned()
    old = _no_longer_sent(before).filter(status__in=(*ENDS, *UNFINISHED) if also_unfinished else ENDS)
    orphans = EmailEvent.objects.using(using).filter(sent_email=None, received_at__lt=before)
    if not also_unfinished:
        done.unfinished = _no_longer_sent(before).filter(status__in=UNFINISHED).count()
    if dry_run:
        done.emails = old.count()
        done.events = EmailEvent.objects.using(using).filter(sent_email__in=old).count() + orphans.count()
        return done
    for keys in _in_batches(old, batch):
        _prune_emails(old, keys, done)
    for keys in _in_batches(orphans, batch):
        done.events += orphans.filter(pk__in=keys).delete()[0]
    return done


def prune_contents(before: datetime, *, batch: int = 500, dry_run: bool = False) -> Pruned:
    """Delete the stored contents of e-mails from before a moment; the e-mails stay."""
    done = Pruned()
    needed_no_more = _no_longer_sent(before)
    contents = EmailContent.objects.using(database()).filter(sent_email__in=needed_no_more)
    if dry_run:
        done.contents = contents.count()
        return done
    for keys in _in_batches(contents, batch):
        with transaction.atomic(using=database()):
            # Not by the subquery: MariaDB would lock what it reads.
            free = _locked(needed_no_more, keys)
            done.contents += EmailContent.objects.using(database()).filter(pk__in=free).delete()[0]
    return done


def _no_longer_sent(before: datetime) -> QuerySet[SentEmail]:
    over = Q(scheduled_at=None) | Q(scheduled_at__lt=before)
    rows = SentEmail.objects.using(database()).filter(over, created_at__lt=before, next_attempt_at=None)
    return rows.exclude(status__in=_MAY_BE_SENT)


def _in_batches(
    rows: QuerySet[SentEmail] | QuerySet[EmailEvent] | QuerySet[EmailContent], batch: int
) -> Iterator[list[int]]:
    last = 0
    while keys := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch]):
        yield keys
        last = keys[-1]


def _locked(rows: QuerySet[SentEmail], keys: Sequence[int]) -> list[int]:
    """Return those of these keys for which it is still so, and let nobody change them until the transaction ends."""
    found = rows.filter(pk__in=keys)
    found.update(status=F("status"))  # A write, so that SQLite gives this transaction its turn before it reads.
    return list(found.values_list("pk", flat=True))


def _prune_emails(old: QuerySet[SentEmail], keys: Sequence[int], done: Pruned, attempts: int = 3) -> None:
    try:
        _delete_together(old, keys, done)
    except (ProtectedError, RestrictedError):
        if len(keys) == 1:
            done.protected += 1
            return
        for key in keys:
            _prune_emails(old, [key], done)
    except OperationalError:
        # A deadlock with an event that is arriving: databases end one of the two, and ours can be repeated.
        if attempts <= 1 or connections[database()].in_atomic_block:
            raise
        _prune_emails(old, keys, done, attempts - 1)


def _delete_together(old: QuerySet[SentEmail], keys: Sequence[int], done: Pruned) -> None:
    using = database()
    with transaction.atomic(using=using):
        free = _locked(old, keys)
        theirs = EmailEvent.objects.using(using).filter(sent_email__in=free)
        # By their keys: MariaDB would also lock the gaps between those of the e-mails.
        keys_of_events = list(theirs.order_by().values_list("pk", flat=True))
        events = EmailEvent.objects.using(using).filter(pk__in=keys_of_events).delete()[0]
        SentEmail.objects.using(using).filter(pk__in=free).delete()
    done.events += events
    done.emails += len(free)
