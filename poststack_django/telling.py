"""Telling the project's receivers of stored events: by one process at a time, and again where that has failed.

An event is `NEW` from when it is stored until its receivers have run, so whoever finds one that has been so for long
knows that a process died. Whoever takes an event up moves its `received_at`, on condition that nobody else has: so two
never have it at once, and one that dies lets go of it by itself. Afterwards `received_at` is what it was.

Imports models: import it late, and only when the app is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from django.utils import timezone

from poststack import WebhookEvent
from poststack_django.choices import EventState
from poststack_django.models import EmailEvent
from poststack_django.receivers import MISSING, call_again, call_all
from poststack_django.writing import database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poststack_django.models import SentEmail

__all__ = [
    "GRACE",
    "OWN_TYPES",
    "Turn",
    "event_of",
    "first_turn",
    "taken_over",
    "tell_early",
    "tell_overdue",
    "unfinished",
]

GRACE: Final = timedelta(seconds=60)
"""How long receivers may take until a repetition of the event takes their process for dead."""
OWN_TYPES: Final = "poststack_django."
"""What this package itself stores as an event, beside what PostStack sends: no receiver is told."""


@dataclass(frozen=True)
class Turn:
    """The right to tell the receivers of one event, which one process at a time has."""

    stored: EmailEvent
    lease: datetime
    received_at: datetime

    def tell(self, event: WebhookEvent, email: SentEmail | None, sender: type, *, forget_missing: bool = False) -> bool:
        """Call the receivers that have not dealt with the event, and store the outcome; return whether all have now.

        `forget_missing` gives up on receivers that failed and are no longer connected.
        """
        before = self.stored.failures
        failures = call_again(before, event, email, sender) if before else call_all(event, email, sender)
        if forget_missing:
            failures = [failure for failure in failures if failure["error"] != MISSING]
        state = EventState.FAILED if failures else EventState.HANDLED
        stored = cast("list[dict[str, str]]", failures)
        # Whoever took this one for dead has told the receivers again, and stores what came of that.
        mine = EmailEvent.objects.using(database()).filter(pk=self.stored.pk, received_at=self.lease)
        if mine.update(state=state, failures=stored, received_at=self.received_at):
            self.stored.state, self.stored.failures = state, stored
        return not failures


def first_turn(stored: EmailEvent) -> Turn:
    """Return the turn of the process that has inserted the event just now."""
    return Turn(stored, stored.received_at, stored.received_at)


def taken_over(stored: EmailEvent) -> Turn | None:
    """Take up an event that another process has left unfinished; `None` when it, or a third one, was quicker."""
    lease = timezone.now()
    as_read = EmailEvent.objects.using(database()).filter(
        pk=stored.pk, state=stored.state, received_at=stored.received_at
    )
    if not as_read.update(state=EventState.NEW, received_at=lease):
        return None
    return Turn(stored, lease, stored.received_at)


def tell_early(keys: Iterable[int]) -> None:
    """Tell the receivers of events that were early, now that their e-mail is known."""
    from poststack_django.webhooks import WebhookView

    for stored in EmailEvent.objects.using(database()).select_related("sent_email").filter(pk__in=keys):
        turn = taken_over(stored)
        if turn is not None:
            turn.tell(event_of(stored), stored.sent_email, WebhookView)


def tell_overdue(limit: int) -> None:
    """Tell the receivers of early events whose e-mail is not ours after all, at most so many."""
    overdue = EmailEvent.objects.using(database()).filter(
        state=EventState.EARLY, received_at__lt=timezone.now() - GRACE
    )
    tell_early(list(overdue.order_by("received_at").values_list("pk", flat=True)[:limit]))


def unfinished(older_than: timedelta, limit: int | None = None) -> Iterator[EmailEvent]:
    """Yield the events that have failed receivers, and those that have been `NEW` for so long, oldest first."""
    rows = EmailEvent.objects.using(database()).exclude(type__startswith=OWN_TYPES)
    failed = rows.filter(state=EventState.FAILED)
    left = rows.filter(state__in=(EventState.NEW, EventState.EARLY), received_at__lt=timezone.now() - older_than)
    keys = (failed | left).order_by("received_at", "pk").values_list("pk", flat=True)
    for key in list(keys[:limit]):
        found = rows.select_related("sent_email").filter(pk=key).first()
        if found is not None:
            yield found


def event_of(stored: EmailEvent) -> WebhookEvent:
    """Return the event as far as it is stored."""
    return WebhookEvent(
        id=stored.event_id,
        type=stored.type,
        timestamp=stored.occurred_at,
        email_id=stored.email_id or None,
        data=stored.data,
    )
