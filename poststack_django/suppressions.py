"""Addresses that nothing is sent to any more. Imports models: import it late, and only when the app is installed.

With `POSTSTACK = {"SUPPRESSIONS": True}` hard bounces, complaints and unsubscriptions add the address by themselves, in
the transaction that stores the event. The first reason stays. An address that was taken off the list is not put back by
a repetition of the same event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from poststack_django.choices import SuppressionReason
from poststack_django.json_values import without_breakers
from poststack_django.models import Suppression
from poststack_django.privacy import searchable_address, spellings
from poststack_django.settings import get_settings
from poststack_django.writing import database, inserted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import QuerySet

    from poststack_django.models import EmailEvent

__all__ = [
    "reason_of",
    "suppress",
    "suppress_after",
    "suppress_after_unaddressed",
    "suppress_all",
    "suppressed_among",
    "unsuppress",
]

_REASONS: Final = {
    "email.bounced": SuppressionReason.HARD_BOUNCE,
    "email.complained": SuppressionReason.COMPLAINT,
    "email.unsubscribed": SuppressionReason.UNSUBSCRIBE,
}
# Bounces that say nothing, or nothing lasting, against the address.
_SOFT: Final = frozenset({"soft", "transient", "temporary", "blocked", "unknown"})


def suppress(address: str, reason: str = SuppressionReason.MANUAL, *, event_id: str = "") -> bool:
    """Put an address, with or without a name beside it, on the list; return whether it was not there before.

    It is stored as the settings want recipients stored, but hashed where they want none stored. Raises `ValueError` for
    what is no address and for a reason that is none of `SuppressionReason`.
    """
    return _insert(_listed_as(address), SuppressionReason(reason), event_id)


def suppress_all(addresses: Iterable[tuple[str, str]]) -> int:
    """Put many addresses, each with its reason, on the list in one statement; return how many were not there before.

    A reason that this version does not know is stored as `manual`. Raises `ValueError` for what is no address.
    """
    wanted = {_listed_as(address): _known_reason(reason) for address, reason in addresses}
    rows = Suppression.objects.using(database())
    there = set(rows.filter(address__in=wanted).values_list("address", flat=True))
    fresh = [Suppression(address=one, reason=reason) for one, reason in wanted.items() if one not in there]
    rows.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def unsuppress(address: str) -> bool:
    """Take an address off the list, however it is spelled and stored; return whether it was on it.

    PostStack keeps a list of its own: `client.suppressions.remove(address)` takes it off there.
    """
    found = Suppression.objects.using(database()).filter(address__in=spellings(address))
    return found.delete()[0] > 0


def suppressed_among(addresses: Iterable[str]) -> set[str]:
    """Return those of these addresses, spelled as they are given, that are on the list. Makes one query, or none."""
    forms = {address: spellings(address) for address in addresses}
    if not forms:
        return set()
    wanted = {form for found in forms.values() for form in found}
    rows = Suppression.objects.using(database()).filter(address__in=wanted)
    listed = set(rows.order_by().values_list("address", flat=True))
    return {address for address, found in forms.items() if not listed.isdisjoint(found)}


def reason_of(event_type: str, data: Mapping[str, Any]) -> SuppressionReason | None:
    """Return why an event suppresses an address, `None` if it does not.

    A bounce that calls itself soft does not, nor one of which the provider cannot say what was wrong.
    """
    reason = _REASONS.get(event_type)
    if reason is SuppressionReason.HARD_BOUNCE and str(data.get("bounce_type", "")).lower() in _SOFT:
        return None
    return reason


def suppress_after(event_type: str, data: Mapping[str, Any], address: str, event_id: str) -> None:
    """Suppress the address that an event names, if the settings and the event want it."""
    reason = reason_of(event_type, data)
    if reason is not None and get_settings().suppressions:
        _insert(_listed_as(address), reason, event_id)


def suppress_after_unaddressed(events: QuerySet[EmailEvent], recipients: Collection[str]) -> None:
    """Suppress the one recipient of an e-mail after those of these events that name none, if the settings want it.

    `recipients` are given as they are stored. With more or fewer than one of them it is unknown who is meant, and
    nobody is suppressed. Call it when the events are given to the e-mail, which happens once.
    """
    if len(recipients) != 1 or not get_settings().suppressions:
        return
    (address,) = recipients
    for event_id, kind, data in events.filter(recipient="", type__in=_REASONS).values_list("event_id", "type", "data"):
        reason = reason_of(kind, data)
        if reason is not None:
            _insert(address, reason, event_id)


def _insert(stored_address: str, reason: SuppressionReason, event_id: str) -> bool:
    row = Suppression(address=stored_address, reason=reason, event_id=event_id)
    return inserted(row, address=stored_address) is not None


def _listed_as(address: str) -> str:
    if "@" not in address:
        raise ValueError("This is not an e-mail address. Write `name@example.com`.")
    return without_breakers(searchable_address(address))


def _known_reason(reason: str) -> SuppressionReason:
    known = reason in SuppressionReason.values
    return SuppressionReason(reason) if known else SuppressionReason.MANUAL
