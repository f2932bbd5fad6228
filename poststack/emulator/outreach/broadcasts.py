"""One e-mail to all contacts of a segment: what was asked for, how far it got, and who got what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from poststack.emulator.tables import Kind
from poststack.types import BroadcastStatus

__all__ = [
    "BROADCASTS",
    "BROADCAST_RECIPIENTS",
    "AbTest",
    "Broadcast",
    "BroadcastRecipient",
    "Content",
    "Counts",
    "Variant",
]


@dataclass
class Counts:
    """How many people it goes to, and at how many of them what happened at least once."""

    recipients: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    bounced: int = 0

    def rate(self, happened: int) -> float:
        """Return the share of the recipients, 0 to 1; 0 when there are none."""
        return happened / self.recipients if self.recipients else 0.0


@dataclass(frozen=True)
class Content:
    """What an e-mail says, with `{{placeholders}}` for what differs from person to person."""

    subject: str
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)


@dataclass
class Variant:
    """One version of the e-mail in an A/B test. Without bodies of its own it has those of the broadcast."""

    number: int
    name: str
    subject: str
    weight: int
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    counts: Counts = field(default_factory=Counts)


@dataclass
class AbTest:
    """A test on `sample_size` per cent of the people; after `minutes` the rest gets the `winner`, a number."""

    variants: list[Variant]
    sample_size: int = 20
    minutes: int = 120
    winner: int | None = None

    def variant(self, number: int | None) -> Variant | None:
        """Return the variant with this number."""
        return next((variant for variant in self.variants if variant.number == number), None)


@dataclass
class Broadcast:
    """A broadcast. `id` is the public `br_…` id; `segment` and `topic` are numbers.

    When sending begins, everybody it is to go to becomes a `BroadcastRecipient`; their numbers are `planned` ones in a
    row from `first` on. Of these, the first `handled` had their turn, and the first `sample` are those of the test.
    """

    number: int
    id: str
    sender: str
    subject: str
    segment: int
    created_at: float
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    reply_to: str | None = None
    name: str | None = None
    topic: int | None = None
    scheduled_at: float | None = None
    test: AbTest | None = None
    status: BroadcastStatus = "draft"
    test_mode: bool = True
    sent_at: float | None = None
    next_step_at: float | None = None
    first: int = 0
    planned: int = 0
    handled: int = 0
    sample: int = 0
    counts: Counts = field(default_factory=Counts)

    @property
    def testing(self) -> bool:
        """Whether the variants of its test still compete."""
        return self.test is not None and self.test.winner is None

    def content(self, variant: Variant | None) -> Content:
        """Return what the e-mail says in this variant."""
        if variant is None:
            return Content(self.subject, self.html, self.text)
        own = variant.html is not None or variant.text is not None
        return Content(variant.subject, variant.html if own else self.html, variant.text if own else self.text)


@dataclass
class BroadcastRecipient:
    """A contact that a broadcast is to go to, and what became of it there.

    `email_id` is there once it was sent. Who must not get it any more when it is their turn is `left_out`.
    """

    number: int
    broadcast: int
    contact: int
    variant: int | None = None
    email_id: str | None = None
    left_out: bool = False
    delivered: bool = False
    opened: bool = False
    clicked: bool = False
    bounced: bool = False


def _broadcast_from(**content: Any) -> Broadcast:
    test = content.pop("test")
    return Broadcast(
        counts=Counts(**content.pop("counts")), test=None if test is None else _test_from(**test), **content
    )


def _test_from(**content: Any) -> AbTest:
    variants = [
        Variant(counts=Counts(**variant.pop("counts")), **variant) for variant in map(dict, content.pop("variants"))
    ]
    return AbTest(variants=variants, **content)


BROADCASTS = Kind(
    "broadcast",
    _broadcast_from,
    keys={"id": lambda broadcast: broadcast.id},
    due=lambda broadcast: broadcast.next_step_at,
)
BROADCAST_RECIPIENTS = Kind("broadcast_recipient", BroadcastRecipient)
