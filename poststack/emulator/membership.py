"""Who is in a segment, and how many were on which day. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone

from poststack.emulator.audience import Contact, Segment
from poststack.emulator.store import Store

__all__ = ["MAX_DAYS", "add", "forget", "members", "remove", "sizes", "start_history"]

MAX_DAYS = 365
"""How many days the sizes of a segment are kept."""


def members(store: Store, segment: Segment, now: float) -> list[Contact]:
    """Return the contacts in a segment, in the order in which they were added to it."""
    found = (store.contacts.get(number) for number in segment.members)
    return [contact for contact in found if contact is not None]


def add(store: Store, segment: Segment, contacts: Iterable[Contact], now: float) -> int:
    """Put contacts into a segment that is filled by hand; return how many were not in it yet."""
    known = set(segment.members)
    new = [number for number in dict.fromkeys(contact.number for contact in contacts) if number not in known]
    if new:
        segment.members.extend(new)
        _changed(store, segment, now)
    return len(new)


def remove(store: Store, segment: Segment, contact: Contact, now: float) -> bool:
    """Take a contact out of a segment that is filled by hand; return whether it was in it."""
    if contact.number not in segment.members:
        return False
    segment.members.remove(contact.number)
    _changed(store, segment, now)
    return True


def forget(store: Store, contact: Contact, now: float) -> None:
    """Take a contact, which is about to be deleted, out of all segments."""
    for segment in store.segments.all():
        remove(store, segment, contact, now)


def start_history(segment: Segment, now: float) -> None:
    """Note that from today on the segment is filled by hand, so that its size on each day is known."""
    segment.sizes = {_day(now).isoformat(): len(segment.members)}


def sizes(segment: Segment, days: int, now: float) -> list[tuple[str, int]]:
    """Return the members at the end of each of the last `days` days in UTC, as far as they are known; today is last.

    Nothing is known of days before the segment was created, or before it was filled by hand.
    """
    today = _day(now)
    known = sorted(segment.sizes.items())
    found: list[tuple[str, int]] = []
    size: int | None = None
    for day in (today - timedelta(before) for before in range(MAX_DAYS - 1, -1, -1)):
        text = day.isoformat()
        while known and known[0][0] <= text:
            size = known.pop(0)[1]
        if size is not None:
            found.append((text, size))
    return found[-days:]


def _changed(store: Store, segment: Segment, now: float) -> None:
    today = _day(now)
    segment.updated_at = now
    if segment.rules is None:
        segment.sizes[today.isoformat()] = len(segment.members)
        first = (today - timedelta(MAX_DAYS - 1)).isoformat()
        older = sorted(day for day in segment.sizes if day < first)
        if older:
            segment.sizes.setdefault(first, segment.sizes[older[-1]])
        for day in older:
            del segment.sizes[day]
    store.segments.save(segment)


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, timezone.utc).date()
