"""How lately a contact reacted to mail. The API counts that once a day, the emulator when it is asked."""

from __future__ import annotations

from poststack.emulator.audience.records import Contact
from poststack.types.contacts import Engagement

__all__ = ["ACTIVE_DAYS", "AT_RISK_DAYS", "engagement"]

ACTIVE_DAYS = 30
"""Up to so many days after the last open or click a contact is active."""

AT_RISK_DAYS = 90
"""Up to so many it is at risk, and after them dormant."""

_DAY = 24 * 3600


def engagement(contact: Contact, now: float) -> Engagement:
    """Return the engagement of a contact. For one that never opened or clicked, the days count since it was added."""
    since = contact.created_at if contact.last_engaged_at is None else contact.last_engaged_at
    if now - since <= ACTIVE_DAYS * _DAY:
        return "active"
    return "at_risk" if now - since <= AT_RISK_DAYS * _DAY else "dormant"
