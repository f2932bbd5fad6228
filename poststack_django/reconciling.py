"""What the API knows of an e-mail, brought into its row: for webhooks that never came.

Imports models: import it late, and only when the app is installed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from datetime import timezone as datetime_timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from poststack import WebhookEvent
from poststack.mailbridge.configured import is_mailer
from poststack_django.choices import EventState
from poststack_django.event_records import recipient_of, record_event
from poststack_django.late_webhooks import ASKED, wait_for_turn
from poststack_django.models import EmailEvent, EmailRecipient, SentEmail
from poststack_django.other_providers import provider_names
from poststack_django.privacy import stored_address
from poststack_django.records import BEFORE_ACCEPTANCE
from poststack_django.same_events import not_among
from poststack_django.settling import database, inserted, settle
from poststack_django.status import UNDER_WAY, Happened, Status, status_from
from poststack_django.stored import client_of
from poststack_django.webhooks import WebhookView

if TYPE_CHECKING:
    from poststack.types import Email, EmailAnswer, Success
    from poststack_django.telling import Turn

__all__ = ["AskableGroup", "askable", "refresh"]

logger = logging.getLogger("poststack.django")

_READ_PREFIX: Final = "status:"
# What the API's status says about an e-mail, in the words of its events.
_EVENT_OF: Final = {
    Status.QUEUED: "email.queued",
    Status.SENDING: "email.sent",
    Status.DEFERRED: "email.deferred",
    Status.DELIVERED: "email.delivered",
    Status.FAILED: "email.failed",
    Status.BOUNCED: "email.bounced",
    Status.COMPLAINED: "email.complained",
}
# True of every recipient when it is true of the e-mail; the others are true of at least one.
_OF_ALL: Final = frozenset({Status.QUEUED, Status.SENDING, Status.DELIVERED})


@runtime_checkable
class AskableGroup(Protocol):
    """The part of a client that answers for e-mails it has sent, as `PostStack.emails` does."""

    def get(self, id: str, /) -> EmailAnswer:
        """Return one e-mail with its events."""
        ...

    def cancel(self, id: str, /) -> Success:
        """Stop a scheduled e-mail."""
        ...


def askable(email: SentEmail) -> AskableGroup:
    """Return what can be asked about an e-mail. Raises `ImproperlyConfigured` when nothing can."""
    if email.provider:
        raise ImproperlyConfigured(
            f"{email.provider} took the e-mail. Only PostStack can be asked about e-mails, and told to cancel them; "
            "what became of this one is told by events."
        )
    client = client_of(email)
    if is_mailer(client):
        raise ImproperlyConfigured(
            f"PostStack has the e-mail, and its mailer sends through {provider_names(client)} by now, so there is no "
            "key to ask with."
        )
    group: object = client.emails
    if not isinstance(group, AskableGroup):
        raise ImproperlyConfigured(
            "The client that POSTSTACK['CLIENT'] makes can send and nothing else. Give its `emails` the methods `get` "
            "and `cancel`, as poststack.PostStack has them."
        )
    return group


def refresh(email: SentEmail) -> SentEmail:
    """Ask the API what became of an e-mail, store what is not yet here, and return the row as it is then.

    Events that no webhook has brought are stored and told to the receivers of `tracking`, each once: a webhook that
    brings one later is a repetition. Recipients that the API has dropped become `SUPPRESSED`. A status that no event
    explains is taken over, too, without a signal.

    Raises `ValueError` for an e-mail without an id, `poststack.PostStackError` when the API does not answer or, with
    the status code 404, no longer has the e-mail, and `ImproperlyConfigured` when its mailer is gone.
    """
    if email.email_id is None:
        raise ValueError(
            "The e-mail has no id to ask by: it was not, or not certainly, accepted. Send it again with the same key, "
            "poststack_django.actions.resend, which cannot double it."
        )
    told = askable(email).get(email.email_id)["email"]
    using = database()
    with transaction.atomic(using=using):
        wait_for_turn(email.email_id)
        _mark_dropped(email, told)
        _store_events(email.email_id, told.get("events") or [])
        settled = settle(email.email_id)
        if settled is not None and _take_status(settled, told):
            settle(email.email_id)
    return SentEmail.objects.using(using).get(pk=email.pk)


def _mark_dropped(email: SentEmail, told: Email) -> None:
    """Mark recipients that the API no longer lists: it drops suppressed ones and says nothing."""
    lists = [cast("list[str] | None", told.get(name)) for name in ("toAddresses", "ccAddresses", "bccAddresses")]
    listed = {stored_address(address) for addresses in lists for address in addresses or ()}
    if not listed:  # An e-mail has recipients; an answer without any says nothing about them.
        return
    undecided = EmailRecipient.objects.using(database()).filter(
        sent_email=email.pk, status__in=[*UNDER_WAY, *BEFORE_ACCEPTANCE]
    )
    undecided.exclude(address__in=listed).update(status=Status.SUPPRESSED, status_at=timezone.now())


def _store_events(email_id: str, told: Iterable[Mapping[str, Any]]) -> None:
    events = [_event(email_id, one) for one in told]
    stored = EmailEvent.objects.using(database()).filter(email_id=email_id)
    known = [
        (event_id, Happened(*event))
        for event_id, *event in stored.values_list("event_id", "type", "occurred_at", "recipient")
        if not event_id.startswith(_own_id(email_id, _READ_PREFIX))
    ]
    ids = {event_id for event_id, _ in known}
    ours = {event.id for event in events} & ids
    fresh = [event for event in events if event.id not in ours]
    from_webhooks = [happened for event_id, happened in known if event_id not in ours]
    for at in not_among([_happened(event) for event in fresh], from_webhooks):
        _record(fresh[at])


def _record(event: WebhookEvent) -> None:
    def tell(turn: Turn, row: SentEmail | None) -> None:
        try:
            turn.tell(event, row, WebhookView)
        except DatabaseError as error:  # The event stays as if nobody had been told.
            logger.warning("Telling of the event %s failed with %s.", event.id, type(error).__name__, exc_info=error)

    record_event(event, tell)


def _event(email_id: str, told: Mapping[str, Any]) -> WebhookEvent:
    """Return an event of the API's answer as a webhook would have brought it."""
    metadata: object = told.get("metadata")
    details = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    seen = {name: told[name] for name in _SEEN if told.get(name) is not None}
    return WebhookEvent(
        id=_own_id(email_id, str(told.get("id"))),
        type=f"email.{told.get('eventType')}",
        timestamp=_moment(told.get("createdAt")),
        email_id=email_id,
        data={**seen, **details, "email_id": email_id},
    )


_SEEN: Final = (
    "geoCountry",
    "geoRegion",
    "geoCity",
    "uaClientName",
    "uaClientType",
    "uaOs",
    "uaDeviceType",
    "isPrefetch",
)


def _take_status(row: SentEmail, told: Email) -> bool:
    """Store the API's status as an event of its own if the events do not explain it; return whether to settle again."""
    try:
        status, present = Status(told["status"]), Status(row.status)
    except ValueError:  # A word of a later API.
        return False
    if status not in _EVENT_OF or present not in _EVENT_OF or status is present:
        # A canceled e-mail is `failed` at the API, which has no word for it.
        return False
    using, now = database(), timezone.now()
    if status in UNDER_WAY and EmailEvent.objects.using(using).filter(email_id=row.email_id).exists():
        return False
    both = (Happened(_EVENT_OF[present], row.status_at), Happened(_EVENT_OF[status], now))
    better = status_from(both)
    if better is None or better.status is not status:
        return False
    concerned = row.recipients.using(using).exclude(status__in=(Status.SUPPRESSED, Status.WITHHELD))
    if status not in _OF_ALL and concerned.count() > 1:
        # It is true of one of them, and nothing says of which.
        SentEmail.objects.using(using).filter(pk=row.pk).update(status=status, status_at=now)
        return False
    event_id = _own_id(row.email_id or "", _READ_PREFIX + status)
    found = EmailEvent(
        event_id=event_id,
        sent_email=row,
        email_id=row.email_id or "",
        type=_EVENT_OF[status],
        occurred_at=now,
        state=EventState.HANDLED,
    )
    inserted(found, event_id=event_id)
    return True


def _happened(event: WebhookEvent) -> Happened:
    recipient = recipient_of(event.data)
    return Happened(event.type, event.timestamp, stored_address(recipient) if recipient else "")


def _own_id(email_id: str, number: str) -> str:
    return f"{ASKED}{email_id}:{number}"


def _moment(text: object) -> datetime | None:
    try:
        moment = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is None or timezone.is_aware(moment) else moment.replace(tzinfo=datetime_timezone.utc)
