"""What becomes of an e-mail: chosen by the recipient's address, or by hand. Pure rules, no state.

The API documents no magic recipients; these are an extension of the emulator. The part before the @
decides, alone or followed by + or - and anything: `bounce@example.com`, `bounce+7@example.com`, `bounce-
shop@example.com`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poststack.emulator.model import EmailStatus, EventType, Recipient, RecipientState

__all__ = [
    "MAGIC_RECIPIENTS",
    "SIMULATED",
    "Effect",
    "magic_word",
    "overall_status",
    "plan_for",
]

_DELIVER: tuple[EventType, ...] = ("delivered",)

MAGIC_RECIPIENTS: Mapping[str, tuple[EventType, ...]] = {
    "bounce": ("bounced",),
    "complain": ("delivered", "complained"),
    "defer": ("deferred", "delivered"),
    "fail": ("failed",),
}


@dataclass(frozen=True)
class Effect:
    """What an event does.

    To the recipient's state (`None`: nothing), to the suppression list, and what it says.
    """

    state: RecipientState | None = None
    suppress: str | None = None
    details: Mapping[str, Any] | None = None


SIMULATED: Mapping[EventType, Effect] = {
    "delivered": Effect("delivered", details={"smtp_code": 250, "reason": "250 2.0.0 OK"}),
    "deferred": Effect(
        "deferred", details={"smtp_code": 451, "reason": "451 4.7.1 Greylisted, please try again later"}
    ),
    "bounced": Effect(
        "bounced",
        "hard_bounce",
        {"bounce_type": "hard", "smtp_code": 550, "reason": "550 5.1.1 The mailbox does not exist"},
    ),
    "soft_bounced": Effect(
        "deferred",
        details={"bounce_type": "soft", "smtp_code": 452, "reason": "452 4.2.2 The mailbox is full"},
    ),
    "complained": Effect("complained", "complaint", {"feedback_type": "abuse"}),
    "unsubscribed": Effect(None, "unsubscribe"),
    "failed": Effect("failed", details={"reason": "The message could not be handed over"}),
    "opened": Effect(),
    "clicked": Effect(),
}

_WORST_FIRST: tuple[EmailStatus, ...] = ("complained", "bounced", "failed", "deferred")
_LOCAL_PART = re.compile(r"([a-z]+)(?:[+-].*)?", re.DOTALL)


def magic_word(address: str) -> str:
    """Return the word that may choose a fate: `bounce` of `Bounce+7@example.com`. Empty when there is none."""
    match = _LOCAL_PART.fullmatch(address.rpartition("@")[0].lower())
    return match[1] if match else ""


def plan_for(address: str) -> tuple[EventType, ...]:
    """Return what will happen, in order, at this recipient."""
    return MAGIC_RECIPIENTS.get(magic_word(address), _DELIVER)


def overall_status(recipients: Iterable[Recipient], *, sent: bool) -> EmailStatus:
    """Return the status of an e-mail from the states of its recipients.

    The worst that happened to any of them wins: complained, bounced, failed, deferred. Otherwise it is
    delivered once it is delivered to all, and `sending` (before it left: `queued`) until then.
    """
    states = {recipient.state for recipient in recipients}
    for status in _WORST_FIRST:
        if status in states:
            return status
    if states == {"delivered"}:
        return "delivered"
    return "sending" if sent else "queued"
