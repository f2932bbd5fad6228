"""Which receivers an event has, and calling them. No models: it works without the app installed, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from django.utils import timezone

from poststack_django import signals
from poststack_django.signals import receiver_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poststack import WebhookEvent
    from poststack_django.models import SentEmail
    from poststack_django.signals import RobustSignal

__all__ = ["EVENT_SIGNALS", "Failure", "call_again", "call_all", "signals_of"]

EVENT_SIGNALS: Final[Mapping[str, RobustSignal]] = {
    "tracking": signals.tracking,
    "delivered": signals.delivered,
    "deferred": signals.deferred,
    "bounced": signals.bounced,
    "failed": signals.failed,
    "complained": signals.complained,
    "unsubscribed": signals.unsubscribed,
    "opened": signals.opened,
    "clicked": signals.clicked,
    "inbound": signals.inbound,
}
_OF_TYPE: Final[Mapping[str, str]] = {
    "email.delivered": "delivered",
    "email.deferred": "deferred",
    "email.soft_bounced": "deferred",
    "email.bounced": "bounced",
    "email.failed": "failed",
    "email.complained": "complained",
    "email.unsubscribed": "unsubscribed",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.inbound": "inbound",
    "inbound_email.received": "inbound",
}
MISSING: Final = "NoSuchReceiver"
"""Stands for the exception of a receiver that is to be called again and is no longer connected."""


class Failure(TypedDict):
    """A receiver that has not dealt with an event."""

    signal: str
    """Its name in `poststack_django.signals`."""
    receiver: str
    """Module and qualified name."""
    error: str
    """The exception's type. Its text may hold addresses, and is in the log only."""
    at: str
    """When it failed, in ISO 8601."""


def signals_of(event_type: str) -> list[str]:
    """Return the names of the signals that are sent for an event of this type, in order."""
    return ["tracking", *([_OF_TYPE[event_type]] if event_type in _OF_TYPE else [])]


def call_all(event: WebhookEvent, email: SentEmail | None, sender: type) -> list[Failure]:
    """Call every receiver of an event; return those that raised."""
    return [
        failure for name in signals_of(event.type) for failure in _call(name, EVENT_SIGNALS[name], event, email, sender)
    ]


def call_again(
    failures: Sequence[Mapping[str, str]], event: WebhookEvent, email: SentEmail | None, sender: type
) -> list[Failure]:
    """Call the receivers that failed before; return those that raised again or are no longer connected."""
    names: dict[str, set[str]] = {}
    for failure in failures:
        names.setdefault(failure["signal"], set()).add(failure["receiver"])
    still: list[Failure] = []
    for name, wanted in names.items():
        signal = EVENT_SIGNALS.get(name)
        reached: set[str] = set() if signal is None else signal.names(sender)
        if signal is not None:
            still += _call(name, signal.only(sender, wanted), event, email, sender)
        still += [_failure(name, receiver, MISSING) for receiver in sorted(wanted - reached)]
    return still


def _call(name: str, signal: RobustSignal, event: WebhookEvent, email: SentEmail | None, sender: type) -> list[Failure]:
    answers: list[tuple[Any, Any]] = signal.send_robust(sender=sender, event=event, email=email)
    # Once each: two receivers of one name are called again together.
    raised = {receiver_name(one): type(answer).__name__ for one, answer in answers if isinstance(answer, Exception)}
    return [_failure(name, receiver, error) for receiver, error in raised.items()]


def _failure(signal: str, receiver: str, error: str) -> Failure:
    return Failure(signal=signal, receiver=receiver, error=error, at=timezone.now().isoformat())
