"""What the emulator remembers: e-mails and events, webhooks and deliveries, suppressions, templates.

Values that never change after acceptance are frozen; records that live on (a status, a secret) are plain
dataclasses that only `Emulator` changes. Moments are seconds since 1970; `iso` writes one the way the API
does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Literal

from poststack.types import EmailEventType, EmailStatus

__all__ = [
    "Address",
    "Attachment",
    "Attempt",
    "Delivery",
    "DeliveryState",
    "Email",
    "EmailEvent",
    "EmailStatus",
    "EventType",
    "Message",
    "Recipient",
    "RecipientState",
    "SpamFinding",
    "Suppression",
    "Template",
    "Webhook",
    "iso",
    "read_iso",
]

EventType = EmailEventType
RecipientState = Literal["pending", "delivered", "deferred", "bounced", "complained", "failed"]
DeliveryState = Literal["delivered", "retrying", "failed"]


def iso(moment: float) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds, as the API does."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_iso(text: str) -> datetime | None:
    """Read `YYYY-MM-DD` or an ISO 8601 date and time, in UTC unless it says otherwise; `None` when it is neither."""
    value = text.strip()
    try:
        # fromisoformat reads the Z suffix only from Python 3.11 on.
        read = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value)
        read = read if read.tzinfo else read.replace(tzinfo=timezone.utc)
        # In UTC it may be before the year 1 or after 9999, and then no answer could show it.
        iso(read.timestamp())
    except (ValueError, OverflowError):
        return None
    return read


@dataclass(frozen=True)
class Address:
    """One e-mail address and the name in front of it, if any."""

    address: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address

    @property
    def domain(self) -> str:
        """The part after the last @, in lower case."""
        return self.address.rpartition("@")[2].lower()


@dataclass(frozen=True)
class Attachment:
    """A file that came with an e-mail, decoded.

    With a `content_id` the HTML shows it as `cid:<content_id>`.
    """

    filename: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    content_id: str | None = None

    @property
    def size(self) -> int:
        """The size in bytes, decoded."""
        return len(self.content)

    @property
    def inline(self) -> bool:
        """Whether the HTML refers to it."""
        return self.content_id is not None


@dataclass(frozen=True)
class SpamFinding:
    """One rule of the spam check that matched, and what it adds to the score."""

    name: str
    score: float
    description: str


@dataclass(frozen=True)
class Message:
    """What was accepted, after templates and variables were filled in and suppressed recipients were dropped.

    `payload` is the JSON as it was sent, with the content of attachments left out.
    """

    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    tags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    template_id: str | None = None
    unsubscribe: bool = False
    track_opens: bool | None = None
    track_clicks: bool | None = None
    suppressed: tuple[str, ...] = ()
    spam: tuple[SpamFinding, ...] = field(default=(), repr=False)
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    size: int = 0

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everyone it goes to: to, cc and bcc."""
        return self.to + self.cc + self.bcc

    def without(self, suppressed: Collection[str]) -> Message:
        """Return it without these recipients, which it names as suppressed."""

        def kept(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
            return tuple(address for address in addresses if address.address not in suppressed)

        return replace(
            self,
            to=kept(self.to),
            cc=kept(self.cc),
            bcc=kept(self.bcc),
            suppressed=(*self.suppressed, *suppressed),
        )

    @property
    def spam_score(self) -> float:
        """The sum of what the spam rules found."""
        return sum(finding.score for finding in self.spam)

    @cached_property
    def searchable(self) -> str:
        """Sender, recipients, subject and tags in one case-folded text; bodies are not searched."""
        words = [str(self.from_), *map(str, self.recipients), self.subject, *self.tags]
        return "\n".join(words).casefold()


@dataclass
class Recipient:
    """How far the e-mail got with one of its recipients, and what is still to happen to it there."""

    address: str
    state: RecipientState = "pending"
    plan: tuple[EventType, ...] = ()
    due_at: float | None = None


@dataclass(frozen=True)
class EmailEvent:
    """Something that happened to an e-mail; with a `recipient` when it happened to one of them."""

    id: int
    type: EventType
    at: float
    recipient: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    country: str | None = None
    region: str | None = None
    city: str | None = None
    client_name: str | None = None
    client_type: str | None = None
    os: str | None = None
    device: str | None = None
    is_prefetch: bool = False


@dataclass
class Email:
    """One accepted e-mail.

    `id` is the public `em_…` id, `number` the internal integer that no endpoint takes. One of a broadcast has its
    `br_…` id, and the number of the `BroadcastRecipient` it was sent to, which a test of it has not. One that the API
    was asked to send in reply to a received mail, or to pass that mail on, has the number of the mail.
    """

    number: int
    id: str
    message: Message
    created_at: float
    test_mode: bool = True
    status: EmailStatus = "queued"
    scheduled_at: float | None = None
    sent_at: float | None = None
    cancelled_at: float | None = None
    unread: bool = True
    recipients: list[Recipient] = field(default_factory=list[Recipient])
    events: list[EmailEvent] = field(default_factory=list[EmailEvent])
    next_step_at: float | None = None
    idempotency_key: str | None = field(default=None, repr=False)
    fingerprint: str = field(default="", repr=False)
    broadcast_id: str | None = None
    broadcast_recipient: int | None = None
    reply_to_inbound: int | None = None
    forward_of_inbound: int | None = None

    @property
    def scheduled(self) -> bool:
        """Whether it still waits for its time, so that it can be rescheduled or cancelled."""
        return self.scheduled_at is not None and self.waits

    @property
    def waits(self) -> bool:
        """Whether it has not left yet, and is going to: it was neither cancelled nor held back."""
        return self.sent_at is None and self.next_step_at is not None

    @property
    def given_key(self) -> str | None:
        """Return the idempotency key as it came, without the word on how it applies: `single: key`, `batch 3: key`."""
        return None if self.idempotency_key is None else self.idempotency_key.partition(": ")[2]


@dataclass
class Webhook:
    """An endpoint that wants to hear about events. `events` lists types such as `email.delivered`, or `*`."""

    id: int
    url: str
    events: Sequence[str]
    secret: str = field(repr=False)
    created_at: float
    description: str | None = None
    active: bool = True
    previous_secret: str | None = field(default=None, repr=False)
    previous_secret_expires_at: float | None = None
    secret_rotated_at: float | None = None
    consecutive_failures: int = 0
    disabled_at: float | None = None
    disabled_reason: str | None = None

    def wants(self, event_type: str) -> bool:
        """Return whether events of this type are delivered to it."""
        return self.active and ("*" in self.events or event_type in self.events)


@dataclass(frozen=True)
class Attempt:
    """One call of a webhook endpoint. Without a `status` no answer came and `error` says why."""

    at: float
    duration: float
    status: int | None = None
    response_body: str | None = field(default=None, repr=False)
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint answered 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Delivery:
    """One event on its way to one webhook, with every attempt. `body` is what is posted, byte for byte.

    With a `url` it goes there instead, from a step of a workflow; there is no webhook then, and `webhook_id` is 0.
    `failures` counts the failed attempts since it was created or last replayed; it decides when the next
    one is due.
    """

    id: int
    webhook_id: int
    event_id: str
    event_type: str
    body: str = field(repr=False)
    created_at: float
    email_id: str | None = None
    inbound_id: int | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    failures: int = 0
    next_attempt_at: float | None = None
    delivered_at: float | None = None
    url: str | None = None

    @property
    def state(self) -> DeliveryState:
        """Whether it arrived, will be tried again, or was given up."""
        if self.next_attempt_at is not None:
            return "retrying"
        return "delivered" if self.delivered_at is not None else "failed"


@dataclass
class Suppression:
    """An address that gets no more mail. `reason` is hard_bounce, complaint, unsubscribe or manual."""

    id: int
    email: str
    reason: str
    created_at: float


@dataclass
class Template:
    """A stored template. Only a published one can be sent; `{{name}}` marks a variable."""

    number: int
    id: str
    name: str
    subject: str
    html: str = field(repr=False)
    created_at: float
    text: str | None = field(default=None, repr=False)
    variables: Sequence[str] = ()
    published: bool = False
    version: int = 1
    builder_type: str = "html"
    builder_blocks: Mapping[str, Any] | None = field(default=None, repr=False)
