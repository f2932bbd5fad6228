"""Rules of segments: what a condition may say, and which contacts it chooses. No I/O, no clock."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal, get_args

from poststack.emulator.audience.records import Contact
from poststack.emulator.model import read_iso
from poststack.types.contacts import Engagement
from poststack.types.segments import SegmentComparator, SegmentCondition, SegmentRules

__all__ = ["COMPARATORS", "DEFAULT_WINDOW", "FIELDS", "Facts", "FieldType", "RulesError", "matcher"]

FieldType = Literal["text", "number", "boolean", "date", "select"]
Test = Callable[[Contact], bool]

COMPARATORS: tuple[str, ...] = get_args(SegmentComparator)
DEFAULT_WINDOW = 30
"""Days that `emailsOpened` and `emailsClicked` count unless `windowDays` says otherwise."""

FIELDS: Mapping[str, FieldType] = {
    "email": "text",
    "firstName": "text",
    "lastName": "text",
    "unsubscribed": "boolean",
    "engagementSegment": "select",
    "createdAt": "date",
    "lastEngagedAt": "date",
    "emailsOpened": "number",
    "emailsClicked": "number",
}
_PROPERTY = "properties."
_DAY = 86_400
# A century: what is more is a slip of the keyboard.
_MAX_LAST_DAYS = 36_500
_EPOCH = date(1970, 1, 1).toordinal()
_ENGAGEMENTS: tuple[str, ...] = get_args(Engagement)

_ALWAYS: tuple[SegmentComparator, ...] = ("equals", "not_equals", "is_set", "is_not_set")
_FITTING: Mapping[FieldType, tuple[SegmentComparator, ...]] = {
    "text": (*_ALWAYS, "contains", "starts_with", "ends_with"),
    "number": (*_ALWAYS, "greater_than", "less_than", "greater_than_or_equal", "less_than_or_equal"),
    "boolean": _ALWAYS,
    "date": (*_ALWAYS, "before", "after", "in_last_days"),
    "select": _ALWAYS,
}
# Whether it holds for a contact of whom the field is not known.
_HOLDS_WITHOUT_VALUE: frozenset[SegmentComparator] = frozenset({"not_equals", "is_not_set"})

_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "contains": operator.contains,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_or_equal": operator.ge,
    "less_than_or_equal": operator.le,
}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class RulesError(ValueError):
    """A condition that means nothing; the message names it by its index and says what would."""


@dataclass(frozen=True)
class Facts:
    """What is known beside the contacts themselves.

    `properties` are the types of the contact properties by name. `opened` and `clicked` say, by address in lower case,
    when each e-mail to it was last opened or clicked. `engagement` says how engaged a contact is.
    """

    now: float
    properties: Mapping[str, FieldType]
    opened: Mapping[str, Sequence[float]]
    clicked: Mapping[str, Sequence[float]]
    engagement: Callable[[Contact], str]


def matcher(rules: SegmentRules, facts: Facts) -> Test:
    """Return what tells whether the rules choose a contact. Raises `RulesError` for rules that mean nothing."""
    tests = [
        _test(condition, facts, f"rules.conditions[{index}]") for index, condition in enumerate(rules["conditions"])
    ]
    if rules["operator"] == "or":
        return lambda contact: any(test(contact) for test in tests)
    return lambda contact: all(test(contact) for test in tests)


def _test(condition: SegmentCondition, facts: Facts, place: str) -> Test:
    name, comparator = condition["field"], condition["comparator"]
    kind = _type_of(name, facts, place)
    if comparator not in _FITTING[kind]:
        raise RulesError(
            f"`{place}.comparator` does not fit a field of type {kind}; use one of: {', '.join(_FITTING[kind])}."
        )
    read = _reader(condition, kind, facts)
    if comparator in {"is_set", "is_not_set"}:
        wanted = comparator == "is_set"
        return lambda contact: (read(contact) is not None) is wanted
    value = condition.get("value", "")
    if not value:
        raise RulesError(f"`{place}.value` is required for this comparator; is_not_set finds what has no value.")
    holds = _comparison(kind, comparator, _expected(name, kind, comparator, value, place), facts.now)
    without = comparator in _HOLDS_WITHOUT_VALUE
    return lambda contact: without if (actual := read(contact)) is None else holds(actual)


def _type_of(name: str, facts: Facts, place: str) -> FieldType:
    if name in FIELDS:
        return FIELDS[name]
    if not name.startswith(_PROPERTY):
        raise RulesError(f"`{place}.field` must be {_PROPERTY}<name> or one of: {', '.join(FIELDS)}.")
    try:
        return facts.properties[name.removeprefix(_PROPERTY)]
    except KeyError:
        raise RulesError(f"`{place}.field` names a contact property that does not exist; create it first.") from None


# What a contact has: None when it is not known


def _reader(condition: SegmentCondition, kind: FieldType, facts: Facts) -> Callable[[Contact], Any]:
    name = condition["field"]
    if name in _OWN:
        return _OWN[name]
    if name == "engagementSegment":
        return facts.engagement
    if name in {"emailsOpened", "emailsClicked"}:
        since = facts.now - condition.get("windowDays", DEFAULT_WINDOW) * _DAY
        return _counter(facts.opened if name == "emailsOpened" else facts.clicked, since)
    key, read = name.removeprefix(_PROPERTY), _PROPERTY_VALUES[kind]
    return lambda contact: read(contact.properties.get(key))


def _counter(moments: Mapping[str, Sequence[float]], since: float) -> Callable[[Contact], int]:
    counts = {address: sum(at >= since for at in latest) for address, latest in moments.items()}
    return lambda contact: counts.get(contact.email.lower(), 0)


def _text(value: object) -> str | None:
    return value.casefold() if isinstance(value, str) and value else None


def _exact_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _moment(value: object) -> float | None:
    return _parsed_moment(value) if isinstance(value, str) else None


# The conditions on one contact ask one after another.
@lru_cache(maxsize=1_000)
def _parsed_moment(value: str) -> float | None:
    read = read_iso(value)
    return None if read is None else read.timestamp()


_OWN: Mapping[str, Callable[[Contact], Any]] = {
    "email": lambda contact: _text(contact.email),
    "firstName": lambda contact: _text(contact.first_name),
    "lastName": lambda contact: _text(contact.last_name),
    "unsubscribed": lambda contact: contact.unsubscribed,
    "createdAt": lambda contact: contact.created_at,
    "lastEngagedAt": lambda contact: contact.last_engaged_at,
}
# Types of properties never change, but a property can be deleted and come back with another type; values of the old one
# count as none.
_PROPERTY_VALUES: Mapping[FieldType, Callable[[object], Any]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _moment,
    "select": _exact_text,
}


# What it is compared with


def _expected(name: str, kind: FieldType, comparator: SegmentComparator, value: str, place: str) -> Any:
    if kind == "text":
        return value.casefold()
    if kind == "boolean":
        if value not in {"true", "false"}:
            raise RulesError(f"`{place}.value` must be true or false, as a string.")
        return value == "true"
    if kind == "number":
        return _parsed_number(value, place)
    if kind == "date":
        return _days(value, place) if comparator == "in_last_days" else _start_of_day(value, place)
    if name == "engagementSegment" and value not in _ENGAGEMENTS:
        raise RulesError(f"`{place}.value` must be one of: {', '.join(_ENGAGEMENTS)}.")
    return value


def _parsed_number(value: str, place: str) -> float:
    if _WHOLE.fullmatch(value):
        return int(value)
    number = float(value) if _DECIMAL.fullmatch(value) else float("inf")
    if number in {float("inf"), float("-inf")}:
        raise RulesError(f"`{place}.value` must be a number such as 12 or -0.5.")
    return number


def _days(value: str, place: str) -> int:
    days = int(value) if _WHOLE.fullmatch(value) else 0
    if not 1 <= days <= _MAX_LAST_DAYS:
        raise RulesError(f"`{place}.value` must be a whole number of days from 1 to {_MAX_LAST_DAYS}.")
    return days


def _start_of_day(value: str, place: str) -> float:
    try:
        day = date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        raise RulesError(f"`{place}.value` must be a date such as 2026-01-31.")
    return (day.toordinal() - _EPOCH) * _DAY


def _comparison(kind: FieldType, comparator: SegmentComparator, expected: Any, now: float) -> Callable[[Any], bool]:
    if kind == "date":
        start, end = expected, expected + _DAY
        dates: Mapping[str, Callable[[float], bool]] = {
            "equals": lambda at: start <= at < end,
            "not_equals": lambda at: not start <= at < end,
            "before": lambda at: at < start,
            "after": lambda at: at >= end,
            "in_last_days": lambda at: now - expected * _DAY <= at <= now,
        }
        return dates[comparator]
    compare = _COMPARED[comparator]
    return lambda actual: compare(actual, expected)
