"""Webhooks of events that asking the API has already found: one happening is stored, and told, once.

Whoever stores an event of an e-mail, from a webhook or from an answer, does so in its turn: the e-mail's row is locked
from before the look at what is there until after the insert. Imports models: import it late.
"""

from __future__ import annotations

from typing import Final

from django.db import connections
from django.db.models import F

from poststack_django.models import EmailEvent, SentEmail
from poststack_django.same_events import closest
from poststack_django.settling import database
from poststack_django.status import Happened

__all__ = ["ASKED", "adopted", "happened", "wait_for_turn"]

ASKED: Final = "api:"
"""How the ids of events begin that an answer of the API has brought."""


def wait_for_turn(email_id: str) -> None:
    """Lock an e-mail's row until the end of the transaction, which must be under way."""
    using = database()
    rows = SentEmail.objects.using(using).filter(email_id=email_id)
    if connections[using].features.has_select_for_update:
        # Found first, then locked by key: MySQL and MariaDB would wait for a sender whose transaction has stored the id
        # and goes on. Nobody can have asked about a row that others do not see yet.
        keys = list(rows.order_by().values_list("pk", flat=True))
        list(SentEmail.objects.using(using).select_for_update().filter(pk__in=keys).order_by().values_list("pk"))
    else:
        # SQLite has one writer at a time, and this makes it this transaction.
        rows.update(status=F("status"))


def adopted(arrived: EmailEvent) -> bool:
    """Give the event of a webhook to what an answer has brought before, if it is the same; return whether it was.

    That has the webhook's id from then on, so that a repetition is one, and another webhook is about something else.
    Call it in a transaction. A webhook that is stored already is left alone.
    """
    if not arrived.email_id:
        return False
    wait_for_turn(arrived.email_id)
    rows = EmailEvent.objects.using(database()).filter(email_id=arrived.email_id, type=arrived.type)
    known = list(rows.order_by("id"))
    if any(event.event_id == arrived.event_id for event in known):
        return False
    candidates = [event for event in known if event.event_id.startswith(ASKED) and ":status:" not in event.event_id]
    at = closest(happened(arrived), [happened(event) for event in candidates])
    if at is None:
        return False
    found = candidates[at]
    changes = {"event_id": arrived.event_id, "recipient": found.recipient or arrived.recipient}
    return bool(rows.filter(pk=found.pk, event_id=found.event_id).update(**changes))


def happened(event: EmailEvent) -> Happened:
    """Return what an event says for telling whether it is the same as another one."""
    return Happened(event.type, event.occurred_at, event.recipient)
