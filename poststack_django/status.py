"""What an e-mail's status is, given all that is known of it. Pure: no database, no clock.

The rule of this file: a status follows from the *set* of events, never from the order in which they came. So repeated,
late, early and reordered events all end in the same state, and a late `delivered` hides no complaint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Final, NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = [
    "CANCELED_EVENT",
    "ENDED_SOFTLY",
    "UNDER_WAY",
    "Fates",
    "Happened",
    "Known",
    "Status",
    "fates_from",
    "meaning_of",
    "overall_status",
    "status_choices",
    "status_from",
]


class Status(models.TextChoices):
    """The states of an e-mail and of each of its recipients: ours before the API has said yes, then the API's own."""

    PENDING = "pending", _("Pending")
    """Stored, and the call has not ended. It stays so when the process ended first."""
    WAITING = "waiting", _("In the outbox")
    """The outbox will send it, or try again."""
    UNKNOWN = "unknown", _("Not confirmed")
    """The call failed in a way that may have left the e-mail accepted. Its idempotency key makes asking again safe, but
    not at a provider that minds no keys: what is in doubt there is for somebody to look at."""
    REFUSED = "refused", _("Refused")
    """Never accepted: sending the same again will be refused again, unless a quota was the reason."""
    GAVE_UP = "gave_up", _("Given up")
    """The outbox tried for as long as it may, and was not once told that the e-mail is accepted."""
    WITHHELD = "withheld", _("Withheld")
    """The staging guard kept it back."""
    SUPPRESSED = "suppressed", _("Suppressed")
    """Nothing is sent to an address that bounced, complained or unsubscribed before."""
    CANCELED = "canceled", _("Canceled")
    """Canceled before it was sent, while it was scheduled or in the outbox."""
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


class Happened(NamedTuple):
    """One event: its type, when it happened, and at which recipient (empty: at all of them)."""

    type: str
    at: datetime | None
    recipient: str = ""


class Known(NamedTuple):
    """A status, and since when."""

    status: Status
    at: datetime | None


class Fates(NamedTuple):
    """What is known of the addresses of an e-mail, as far as anything is, and of the e-mail."""

    recipients: dict[str, Known]
    overall: Known | None


CANCELED_EVENT: Final = "poststack_django.canceled"
"""Stored when the API has confirmed that a scheduled e-mail is canceled; it sends no event of its own for that."""
ENDED_SOFTLY: Final = "poststack_django.ended_softly"
"""What a soft bounce counts as after which nobody tries again. It is never stored."""

# The events of poststack-api §6.1. Whatever else happens to an e-mail, such as a click, was delivered first.
_MEANING: Final = {
    "email.queued": Status.QUEUED,
    "email.sent": Status.SENDING,
    "email.deferred": Status.DEFERRED,
    "email.soft_bounced": Status.DEFERRED,
    CANCELED_EVENT: Status.CANCELED,
    "email.delivered": Status.DELIVERED,
    "email.opened": Status.DELIVERED,
    "email.clicked": Status.DELIVERED,
    "email.unsubscribed": Status.DELIVERED,
    "email.failed": Status.FAILED,
    "email.bounced": Status.BOUNCED,
    ENDED_SOFTLY: Status.BOUNCED,
    "email.complained": Status.COMPLAINED,
}
# At one recipient an end outranks whatever is still under way, and the worse end the better one, whenever they
# happened. Among states that are under way the latest counts.
_ENDS: Final = {
    Status.CANCELED: 1,
    Status.DELIVERED: 2,
    Status.FAILED: 3,
    Status.BOUNCED: 4,
    Status.COMPLAINED: 5,
}
_BAD_ENDS: Final = frozenset({Status.FAILED, Status.BOUNCED, Status.COMPLAINED})
_UNDER_WAY: Final = {Status.QUEUED: 0, Status.SENDING: 1, Status.DEFERRED: 2}
UNDER_WAY: Final[frozenset[Status]] = frozenset(_UNDER_WAY)
"""Accepted, and not at an end."""
# An e-mail is as well off as the worst of its recipients, and delivered once it is delivered to all.
_WORST_FIRST: Final = (
    Status.COMPLAINED,
    Status.BOUNCED,
    Status.FAILED,
    Status.DEFERRED,
    Status.SENDING,
    Status.QUEUED,
    Status.CANCELED,
    Status.DELIVERED,
)
_LONG_AGO: Final = datetime.min.replace(tzinfo=timezone.utc)


def status_from(events: Iterable[Happened]) -> Known | None:
    """Return the status that the events at one recipient, in any order, add up to; `None` if they say nothing."""
    told = [(_MEANING[event.type], event.at) for event in events if event.type in _MEANING]
    if not told:
        return None
    status, _ = max(told, key=lambda one: _weight(*one))
    moments = [at for one, at in told if one is status and at is not None]
    return Known(status, min(moments, default=None))


def meaning_of(type: str, final: object) -> str:
    """Return the type by which an event counts. `final` is what its data say of whether the sending has ended.

    PostStack tries again after a soft bounce; other providers tell of one when they have given up.
    """
    return ENDED_SOFTLY if type == "email.soft_bounced" and final else type


def fates_from(events: Iterable[Happened], addresses: Iterable[str] = ()) -> Fates:
    """Return what the events, in any order, say of each of an e-mail's addresses and of the e-mail as a whole.

    Events that name no recipient happened at all of them. An address that is none of these is a forwarded mailbox, or
    one that somebody spelled in another way: it stands for the recipient if there is only one; otherwise it counts for
    the e-mail only, and only by an end that is bad. Without any addresses, those that the events name take their place.
    """
    happened, listed = list(events), set(addresses)
    if len(listed) == 1:
        happened = [event._replace(recipient="") for event in happened]
    everywhere = [event for event in happened if not event.recipient]
    named: dict[str, list[Happened]] = {}
    for event in happened:
        if event.recipient:
            named.setdefault(event.recipient, []).append(event)
    known: dict[str, Known] = {}
    for address in listed or set(named) or {""}:
        status = status_from([*everywhere, *named.get(address, ())])
        if status is not None:
            known[address] = status
    if not listed:
        return Fates({}, overall_status(list(known.values())))
    strange = [status_from(found) for address, found in named.items() if address not in listed]
    whole = [*known.values(), *(one for one in strange if one is not None and one.status in _BAD_ENDS)]
    if len(known) < len(listed) and (known or any(strange)):
        # The API has said something of the e-mail, so it has accepted it, for these recipients as well.
        whole.append(Known(Status.QUEUED, None))
    return Fates(known, overall_status(whole))


def overall_status(recipients: Sequence[Known]) -> Known | None:
    """Return the status of an e-mail from those of its recipients; `None` if nothing is known of any."""
    for status in _WORST_FIRST:
        moments = [known.at for known in recipients if known.status is status]
        if moments:
            dated = [at for at in moments if at is not None]
            # Delivered to all since the last of them was reached; worse, since the first.
            choose = max if status is Status.DELIVERED else min
            return Known(status, choose(dated, default=None))
    return None


def _weight(status: Status, at: datetime | None) -> tuple[int, datetime, int]:
    end = _ENDS.get(status, 0)
    return (end, _LONG_AGO, 0) if end else (0, at or _LONG_AGO, _UNDER_WAY[status])
