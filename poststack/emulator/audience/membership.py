"""Who is in a segment, and how many were on which day. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import cast

from poststack.emulator.audience.engagement import engagement
from poststack.emulator.audience.records import Contact, Segment
from poststack.emulator.audience.rules import Facts, RulesError, matcher
from poststack.emulator.model import Email
from poststack.emulator.store import Store
from poststack.types.segments import SegmentRules

__all__ = [
    "MAX_CHECKS",
    "MAX_DAYS",
    "add",
    "check",
    "chosen",
    "counts",
    "forget",
    "meets",
    "members",
    "remove",
    "sizes",
    "start_history",
]

MAX_CHECKS = 5_000_000
"""How many conditions are held against contacts when several segments are counted together; it takes seconds."""

MAX_DAYS = 365
"""How many days the sizes of a segment are kept."""


def members(store: Store, segment: Segment, now: float) -> list[Contact]:
    """Return the contacts in a segment: oldest first with rules, else in the order in which they were added to it.

    Rules that no longer mean anything, because a contact property was deleted, choose nobody.
    """
    if segment.rules is None:
        found = (store.contacts.get(number) for number in segment.members)
        return [contact for contact in found if contact is not None]
    try:
        return chosen(store, cast("SegmentRules", segment.rules), now)
    except RulesError:
        return []


def counts(store: Store, segments: Sequence[Segment], now: float) -> list[int | None]:
    """Return how many contacts are in each of the segments.

    `None` stands for rules that no longer mean anything, and, unless it is a single segment, for what would take too
    long to count.
    """
    facts, left = _facts(store, now), MAX_CHECKS
    found: list[int | None] = []
    for segment in segments:
        rules = cast("SegmentRules | None", segment.rules)
        if rules is None:
            found.append(len(members(store, segment, now)))
            continue
        checks = len(store.contacts) * len(rules["conditions"])
        if checks > left and len(segments) > 1:
            found.append(None)
            continue
        left -= checks
        found.append(_count(store, rules, facts))
    return found


def check(store: Store, rules: SegmentRules, now: float) -> None:
    """Raise `RulesError` for rules that mean nothing."""
    matcher(rules, _facts(store, now))


def chosen(store: Store, rules: SegmentRules, now: float) -> list[Contact]:
    """Return the contacts that rules choose, oldest first. Raises `RulesError` for rules that mean nothing."""
    return list(filter(matcher(rules, _facts(store, now)), store.contacts.all()))


def meets(store: Store, rules: SegmentRules, contact: Contact, now: float) -> bool:
    """Return whether rules choose this contact. Raises `RulesError` for rules that mean nothing."""
    return matcher(rules, _facts(store, now, store.emails_to(contact.email)))(contact)


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


def _count(store: Store, rules: SegmentRules, facts: Facts) -> int | None:
    try:
        return sum(map(matcher(rules, facts), store.contacts.all()))
    except RulesError:
        return None


def _facts(store: Store, now: float, emails: Iterable[Email] | None = None) -> Facts:
    opened, clicked = _reactions(store.accepted() if emails is None else emails)
    return Facts(
        now=now,
        properties={entry.name: entry.type for entry in store.contact_properties.all()},
        opened=opened,
        clicked=clicked,
        engagement=lambda contact: engagement(contact, now),
    )


def _reactions(emails: Iterable[Email]) -> tuple[Mapping[str, list[float]], Mapping[str, list[float]]]:
    """Return, by address, when each of these e-mails was last opened and last clicked, by somebody, not a proxy."""
    found: dict[str, dict[str, list[float]]] = {"opened": {}, "clicked": {}}
    for email in emails:
        latest: dict[tuple[str, str], float] = {}
        for event in email.events:
            if event.type in found and event.recipient is not None and not event.is_prefetch:
                latest[event.type, event.recipient.lower()] = event.at
        for (event_type, address), at in latest.items():
            found[event_type].setdefault(address, []).append(at)
    return found["opened"], found["clicked"]


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, timezone.utc).date()
