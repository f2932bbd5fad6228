"""What an e-mail's status is, given all that is known of it. Pure: no database, no clock.

The rule of this file: a status follows from the *set* of events, never from the order in which they came. So repeated,
late, early and reordered events all end in the same state, and a late `delivered` hides no complaint.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Known", "Status", "status_choices", "status_from"]


class Status(models.TextChoices):
    """The states of an e-mail: three before the API has said yes, then the API's own."""

    PENDING = "pending", _("Pending")
    """Stored, and the call has not ended. It stays so when the process ended first."""
    UNKNOWN = "unknown", _("Not confirmed")
    """The call failed in a way that may have left the e-mail accepted. Its idempotency key makes asking again safe."""
    REFUSED = "refused", _("Refused")
    """Never accepted: sending the same again will be refused again."""
    QUEUED = "queued", _("Accepted")
    SENDING = "sending", _("Sending")
    DEFERRED = "deferred", _("Deferred")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    BOUNCED = "bounced", _("Bounced")
    COMPLAINED = "complained", _("Complained")


def status_choices() -> list[tuple[str, str]]:
    """Return the choices of the model field. Migrations refer to this function, so a new status needs none."""
    return [(one.value, str(one.label)) for one in Status]


class Known(NamedTuple):
    """A status, and since when."""

    status: Status
    at: datetime | None


# The events of poststack-api §6.1. Whatever else happens to an e-mail, such as a click, was delivered first.
_MEANING: Final = {
    "email.queued": Status.QUEUED,
    "email.sent": Status.SENDING,
    "email.deferred": Status.DEFERRED,
    "email.soft_bounced": Status.DEFERRED,
    "email.delivered": Status.DELIVERED,
    "email.opened": Status.DELIVERED,
    "email.clicked": Status.DELIVERED,
    "email.unsubscribed": Status.DELIVERED,
    "email.failed": Status.FAILED,
    "email.bounced": Status.BOUNCED,
    "email.complained": Status.COMPLAINED,
}
# An end outranks whatever is still under way, and the worse end the better one, whenever they happened: one e-mail
# can have several recipients. Among states that are under way the latest counts.
_ENDS: Final = {
    Status.DELIVERED: 1,
    Status.FAILED: 2,
    Status.BOUNCED: 3,
    Status.COMPLAINED: 4,
}
_UNDER_WAY: Final = {Status.QUEUED: 0, Status.SENDING: 1, Status.DEFERRED: 2}
_LONG_AGO: Final = datetime.min.replace(tzinfo=timezone.utc)


def status_from(events: Iterable[tuple[str, datetime | None]]) -> Known | None:
    """Return the status that these events, `(type, moment)` in any order, add up to; `None` if they say nothing."""
    told = [(_MEANING[kind], at) for kind, at in events if kind in _MEANING]
    if not told:
        return None
    status, _ = max(told, key=lambda one: _weight(*one))
    moments = [at for one, at in told if one is status and at is not None]
    return Known(status, min(moments, default=None))


def _weight(status: Status, at: datetime | None) -> tuple[int, datetime, int]:
    end = _ENDS.get(status, 0)
    return (end, _LONG_AGO, 0) if end else (0, at or _LONG_AGO, _UNDER_WAY[status])
