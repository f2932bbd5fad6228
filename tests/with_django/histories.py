"""Histories of one e-mail: what PostStack tells of it, and the moment in which its row gets its id."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from django.core.mail import EmailMessage

from poststack import WebhookEvent
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, EmailRecipient, SentEmail
from poststack_django.outgoing import Outgoing
from poststack_django.records import record_accepted, record_attempts
from poststack_django.settling import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poststack_django.telling import Turn

START: Final = datetime(2026, 1, 2, tzinfo=timezone.utc)
ID: Final = "em_1"
KEY: Final = "key-1"
RECIPIENTS: Final = ("ada@example.com", "bob@example.com", "carol@example.com")


class Step(Protocol):
    """Something that comes to the database, at any time and any number of times."""

    def arrives(self) -> None: ...


class Told(NamedTuple):
    """One event. It is the same event wherever it is the same value."""

    number: int
    kind: str
    recipient: str = ""

    @property
    def at(self) -> datetime:
        return START + timedelta(minutes=self.number)

    def arrives(self) -> None:
        data = {"email_id": ID, **({"recipient": self.recipient} if self.recipient else {})}
        record_event(WebhookEvent(f"evt_{self.number}", f"email.{self.kind}", self.at, ID, data), ignore)


class Accepted:
    """The API's answer arrives, and the row gets its id."""

    def arrives(self) -> None:
        record_accepted([(SentEmail.objects.get(idempotency_key=KEY), {"id": ID})])


class Settled:
    """Another process brings the row in line with the events that there are."""

    def arrives(self) -> None:
        settle(ID)


def arrive(steps: Iterable[Step]) -> None:
    """Let them arrive one after the other."""
    for step in steps:
        step.arrives()


def ignore(turn: Turn, email: SentEmail | None) -> None:
    """What is done with an event whose receivers are not asked for."""


def stored(recipients: Sequence[str] = RECIPIENTS) -> SentEmail:
    """An e-mail that is about to be sent: one recipient visible, with a name, one copied, the rest hidden."""
    first, *others = recipients
    message = EmailMessage()
    lists = {"to": [f"The First <{first}>"], "cc": others[:1], "bcc": others[1:]}
    call = {"from": "a@example.com", "subject": "Hi", "text": "…", "idempotency_key": KEY, **lists}
    (row,) = record_attempts([Outgoing(message, call)])  # type: ignore[arg-type]  # made from parts
    return row


class Outcome(NamedTuple):
    """What the database says in the end: the status of the e-mail and of each recipient, and since when."""

    overall: tuple[str, datetime | None]
    recipients: tuple[tuple[str, datetime | None], ...]


def outcome() -> Outcome:
    """Read it."""
    row = SentEmail.objects.get(idempotency_key=KEY)
    recipients = row.recipients.order_by("pk").values_list("status", "status_at")
    return Outcome((row.status, row.status_at), tuple(recipients))


Stored = tuple[tuple[object, ...], ...]


def everything_stored() -> Stored:
    """Read all that is kept, in the order in which it came, but for keys and what this machine's clock said then."""
    rows: list[tuple[object, ...]] = []
    for model in (SentEmail, EmailRecipient, EmailEvent):
        names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        kept = model.objects.order_by("pk").values_list(*names)
        rows += [(model.__name__, *(_by_this_clock(value) or repr(value) for value in row)) for row in kept]
    return tuple(rows)


def _by_this_clock(value: object) -> str:
    """Nothing of a history happens today."""
    today = isinstance(value, datetime) and abs(datetime.now(timezone.utc) - value) < timedelta(days=1)
    return "now" if today else ""


def expected(events: Iterable[Told], recipients: Sequence[str] = RECIPIENTS) -> tuple[str, tuple[str, ...]]:
    """What must come out, by the rules as the documentation has them, written another way than in the package."""
    told = sorted(set(events))
    at_each = [_one([e for e in told if not e.recipient or _same(e.recipient, one)]) for one in recipients]
    strange = [e for e in told if e.recipient and not any(_same(e.recipient, one) for one in recipients)]
    if len(recipients) == 1:
        at_each, strange = [_one(told)], []
    elsewhere = [_one([e for e in strange if e.recipient == address]) for address in {e.recipient for e in strange}]
    everything = [*at_each, *(status for status in elsewhere if status in {"complained", "bounced", "failed"})]
    for status in ("complained", "bounced", "failed", "deferred", "sending", "queued"):
        if status in everything:
            return status, tuple(at_each)
    return "delivered", tuple(at_each)


def _one(told: Sequence[Told]) -> str:
    kinds = [event.kind for event in told]
    for kind in ("complained", "bounced", "failed"):
        if kind in kinds:
            return kind
    if {"delivered", "opened", "clicked", "unsubscribed"} & set(kinds):
        return "delivered"
    under_way = {"queued": "queued", "sent": "sending", "deferred": "deferred", "soft_bounced": "deferred"}
    return [under_way[kind] for kind in ["queued", *kinds] if kind in under_way][-1]


def _same(one: str, other: str) -> bool:
    return other.casefold() in one.casefold()
