"""What the rules of a segment choose, against an oracle that knows the values and not how they are written."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.emulator.audience.records import Contact
from poststack.emulator.audience.rules import Facts, FieldType, RulesError, matcher
from poststack.types.segments import SegmentCondition, SegmentRules

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=timezone.utc)
TYPES: dict[str, FieldType] = {
    "plan": "text",
    "visits": "number",
    "trial": "boolean",
    "born": "date",
    "tier": "select",
    "a.b": "text",
}
SETTINGS = settings(max_examples=400, deadline=None)


@dataclass
class Person:
    """A contact as the oracle sees it: values by the names of fields, `None` for those that are not known."""

    values: dict[str, Any]
    opened: list[timedelta] = field(default_factory=list[timedelta])
    clicked: list[timedelta] = field(default_factory=list[timedelta])

    def contact(self) -> Contact:
        values = self.values
        engaged = values["lastEngagedAt"]
        written = {
            name: value.isoformat() if isinstance(value, date) else value
            for name in TYPES
            if (value := values[f"properties.{name}"]) is not None
        }
        return Contact(
            number=1,
            id="con_1",
            email=values["email"],
            created_at=values["createdAt"].timestamp(),
            updated_at=NOW.timestamp(),
            first_name=values["firstName"],
            last_name=values["lastName"],
            unsubscribed=values["unsubscribed"],
            properties=written,
            last_engaged_at=None if engaged is None else engaged.timestamp(),
        )

    def facts(self) -> Facts:
        address = self.values["email"].lower()
        return Facts(
            now=NOW.timestamp(),
            properties=TYPES,
            opened={address: [(NOW - age).timestamp() for age in self.opened]},
            clicked={address: [(NOW - age).timestamp() for age in self.clicked]},
            engagement=lambda contact: self.values["engagementSegment"],
        )


@dataclass(frozen=True)
class Checked:
    """A condition as it is sent, and what it means."""

    sent: SegmentCondition
    means: Callable[[Person], bool]


ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_or_equal": operator.ge,
    "less_than_or_equal": operator.le,
}
TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: whole.find(part) >= 0,
    "starts_with": lambda whole, part: whole[: len(part)] == part,
    "ends_with": lambda whole, part: whole[-len(part) :] == part,
}

WORDS = st.text("aAbB", min_size=1, max_size=3)
DAYS = st.integers(-4, 4).map(lambda days: NOW.date() + timedelta(days))
MOMENTS = st.integers(-4 * 24, 2 * 24).map(lambda hours: NOW + timedelta(hours=hours))
AGES = st.lists(st.integers(0, 60 * 24).map(lambda hours: timedelta(hours=hours)), max_size=4)
SMALL = st.integers(-3, 3) | st.sampled_from([-0.5, 0.5, 2.0])
TEXTS = ("email", "firstName", "lastName", "properties.plan", "properties.a.b")
SELECTS = {"engagementSegment": ("active", "at_risk", "dormant"), "properties.tier": ("gold", "Gold", "none")}

PEOPLE = st.builds(
    Person,
    st.fixed_dictionaries(
        {
            "email": WORDS.map(lambda word: f"{word}@a.b"),
            "firstName": st.none() | WORDS,
            "lastName": st.none() | WORDS,
            "unsubscribed": st.booleans(),
            "engagementSegment": st.sampled_from(SELECTS["engagementSegment"]),
            "createdAt": MOMENTS,
            "lastEngagedAt": st.none() | MOMENTS,
            "properties.plan": st.none() | WORDS,
            "properties.a.b": st.none() | WORDS,
            "properties.visits": st.none() | SMALL,
            "properties.trial": st.none() | st.booleans(),
            "properties.born": st.none() | DAYS,
            "properties.tier": st.none() | st.sampled_from(SELECTS["properties.tier"]),
        }
    ),
    AGES,
    AGES,
)


def value_of(person: Person, name: str, window: int | None) -> Any:
    if name in {"emailsOpened", "emailsClicked"}:
        ages = person.opened if name == "emailsOpened" else person.clicked
        return len([age for age in ages if age <= timedelta(window or 30)])
    return person.values[name]


def checked(
    name: str, comparator: Any, value: str | None, holds: Callable[[Any], bool], window: int | None = None
) -> Checked:
    sent: SegmentCondition = {"field": name, "comparator": comparator}
    if value is not None:
        sent["value"] = value
    if window is not None:
        sent["windowDays"] = window
    return Checked(sent, lambda person: holds(value_of(person, name, window)))


@st.composite
def conditions(draw: st.DrawFn) -> Checked:
    kind = draw(st.sampled_from(["text", "number", "boolean", "date", "select"]))
    if kind == "text":
        name, word = draw(st.sampled_from(TEXTS)), draw(WORDS)
        comparator = draw(st.sampled_from(["equals", "not_equals", *TEXT]))
        if comparator in TEXT:
            test = TEXT[comparator]
            return checked(name, comparator, word, lambda had: had is not None and test(had.lower(), word.lower()))
        return same_or_not(name, comparator, word, lambda had: had.lower() == word.lower())
    if kind == "number":
        name, window = draw(st.sampled_from(["properties.visits", "emailsOpened", "emailsClicked"])), None
        if name != "properties.visits":
            window = draw(st.none() | st.integers(1, 60))
        number = draw(SMALL)
        comparator = draw(st.sampled_from(["equals", "not_equals", *ORDER]))
        if comparator in ORDER:
            compare = ORDER[comparator]
            return checked(name, comparator, str(number), lambda had: had is not None and compare(had, number), window)
        return same_or_not(name, comparator, str(number), lambda had: had == number, window)
    if kind == "boolean":
        name, wanted = draw(st.sampled_from(["unsubscribed", "properties.trial"])), draw(st.booleans())
        comparator = draw(st.sampled_from(["equals", "not_equals"]))
        return same_or_not(name, comparator, "true" if wanted else "false", lambda had: had is wanted)
    if kind == "select":
        name = draw(st.sampled_from(sorted(SELECTS)))
        option = draw(st.sampled_from(SELECTS[name]))
        return same_or_not(name, draw(st.sampled_from(["equals", "not_equals"])), option, lambda had: had == option)
    return draw(date_conditions())


@st.composite
def date_conditions(draw: st.DrawFn) -> Checked:
    name = draw(st.sampled_from(["createdAt", "lastEngagedAt", "properties.born"]))
    comparator = draw(st.sampled_from(["equals", "not_equals", "before", "after", "in_last_days"]))
    if comparator == "in_last_days":
        days = draw(st.integers(1, 5))
        return checked(
            name,
            comparator,
            str(days),
            lambda had: had is not None and timedelta(0) <= NOW - midnight(had) <= timedelta(days),
        )
    day = draw(DAYS)
    if comparator in {"equals", "not_equals"}:
        return same_or_not(name, comparator, day.isoformat(), lambda had: calendar_day(had) == day)
    earlier = comparator == "before"
    return checked(
        name,
        comparator,
        day.isoformat(),
        lambda had: had is not None and (calendar_day(had) < day if earlier else calendar_day(had) > day),
    )


def same_or_not(
    name: str, comparator: str, value: str, same: Callable[[Any], bool], window: int | None = None
) -> Checked:
    if comparator == "equals":
        return checked(name, comparator, value, lambda had: had is not None and same(had), window)
    return checked(name, comparator, value, lambda had: had is None or not same(had), window)


def midnight(value: date | datetime) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)


def calendar_day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


KNOWN = st.sampled_from(
    [
        *TEXTS,
        *SELECTS,
        "unsubscribed",
        "createdAt",
        "lastEngagedAt",
        "emailsOpened",
        "properties.trial",
        "properties.born",
    ]
)


@st.composite
def presence(draw: st.DrawFn) -> Checked:
    known = draw(st.booleans())
    comparator = "is_set" if known else "is_not_set"
    return checked(draw(KNOWN), comparator, None, lambda had: (had is not None) is known)


CONDITIONS = conditions() | presence()


@SETTINGS
@given(PEOPLE, CONDITIONS)
def test_a_condition_chooses_whom_it_says(person: Person, condition: Checked) -> None:
    rules: SegmentRules = {"operator": "and", "conditions": [condition.sent]}

    assert matcher(rules, person.facts())(person.contact()) == condition.means(person)


@SETTINGS
@given(PEOPLE, st.sampled_from(["and", "or"]), st.lists(CONDITIONS, min_size=1, max_size=5))
def test_all_or_any_of_the_conditions_must_hold(person: Person, combined: Any, listed: list[Checked]) -> None:
    rules: SegmentRules = {"operator": combined, "conditions": [condition.sent for condition in listed]}
    held = [condition.means(person) for condition in listed]

    assert matcher(rules, person.facts())(person.contact()) == (
        False not in held if combined == "and" else True in held
    )


SOMEBODY = Person(
    dict.fromkeys([f"properties.{name}" for name in TYPES])
    | {"email": "Ada@example.com", "firstName": "Ada", "lastName": None, "unsubscribed": False}
    | {"engagementSegment": "dormant", "createdAt": NOW, "lastEngagedAt": None}
)


def chooses(condition: SegmentCondition, properties: dict[str, Any]) -> bool:
    contact = SOMEBODY.contact()
    contact.properties = properties
    return matcher({"operator": "and", "conditions": [condition]}, SOMEBODY.facts())(contact)


@pytest.mark.parametrize(
    ("name", "comparator", "value", "had"),
    [
        ("plan", "equals", "STRASSE", "Straße"),
        ("plan", "contains", "ÉT", "été"),
        ("visits", "equals", "1e2", 100),
        ("visits", "equals", "9007199254740993", 9007199254740993),
        ("visits", "not_equals", "9007199254740993", 9007199254740992),
        ("visits", "greater_than", "9" * 500, 10**500),
        ("visits", "less_than", ".5", 0.25),
        ("born", "equals", "2000-02-29", "2000-02-29"),
        ("born", "equals", "2000-02-29", "2000-02-29T23:59:59Z"),
        ("born", "equals", "2000-03-01", "2000-02-29T23:30:00-01:00"),
        ("born", "before", "9999-12-31", "0001-01-01"),
    ],
)
def test_values_are_compared_by_what_they_are(name: str, comparator: Any, value: str, had: Any) -> None:
    assert chooses({"field": f"properties.{name}", "comparator": comparator, "value": value}, {name: had})


@pytest.mark.parametrize(
    ("comparator", "value", "moment", "chosen"),
    [
        ("before", "2026-05-10", "2026-05-09T23:59:59.999", True),
        ("before", "2026-05-10", "2026-05-10T00:00:00", False),
        ("equals", "2026-05-10", "2026-05-10T00:00:00", True),
        ("equals", "2026-05-10", "2026-05-10T23:59:59.999", True),
        ("equals", "2026-05-10", "2026-05-11T00:00:00", False),
        ("not_equals", "2026-05-10", "2026-05-10T00:00:00", False),
        ("not_equals", "2026-05-10", "2026-05-11T00:00:00", True),
        ("after", "2026-05-10", "2026-05-10T23:59:59.999", False),
        ("after", "2026-05-10", "2026-05-11T00:00:00", True),
        ("in_last_days", "7", "2026-05-13T15:30:00", True),
        ("in_last_days", "7", "2026-05-13T15:29:59", False),
        ("in_last_days", "7", "2026-05-20T15:30:00", True),
        ("in_last_days", "7", "2026-05-20T15:30:01", False),
    ],
)
def test_a_day_is_from_midnight_to_midnight_and_24_hours(
    comparator: Any, value: str, moment: str, chosen: bool
) -> None:
    condition: SegmentCondition = {"field": "properties.born", "comparator": comparator, "value": value}

    assert chooses(condition, {"born": moment}) is chosen


@pytest.mark.parametrize(("age", "chosen"), [(timedelta(days=7), True), (timedelta(days=7, seconds=1), False)])
@pytest.mark.parametrize("name", ["emailsOpened", "emailsClicked"])
def test_a_window_ends_so_many_days_ago(name: str, age: timedelta, chosen: bool) -> None:
    person = Person(SOMEBODY.values, opened=[age], clicked=[age])
    condition: SegmentCondition = {"field": name, "comparator": "equals", "value": "1", "windowDays": 7}

    assert matcher({"operator": "and", "conditions": [condition]}, person.facts())(person.contact()) is chosen


@pytest.mark.parametrize(
    ("name", "left_over"),
    [
        ("plan", 5), ("plan", ""), ("visits", "5"), ("visits", True), ("trial", 1), ("trial", "true"), ("born", 5),
        ("born", "soon"), ("born", "0001-01-01T00:00:00+14:00Z"), ("tier", ""), ("tier", ["gold"]),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_counts_as_none(name: str, left_over: Any) -> None:
    assert chooses({"field": f"properties.{name}", "comparator": "is_not_set"}, {name: left_over})


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({"field": "phone", "comparator": "is_set"}, r"field.*must be properties\.<name> or one of: email"),
        ({"field": "properties.", "comparator": "is_set"}, "field.*does not exist"),
        ({"field": "properties.size", "comparator": "is_set"}, "field.*does not exist"),
        ({"field": "email", "comparator": "greater_than", "value": "a"}, "comparator.*type text; use one of: equals"),
        ({"field": "emailsOpened", "comparator": "contains", "value": "1"}, "comparator.*type number"),
        ({"field": "unsubscribed", "comparator": "contains", "value": "t"}, "comparator.*type boolean"),
        ({"field": "createdAt", "comparator": "less_than", "value": "1"}, "comparator.*type date"),
        ({"field": "properties.tier", "comparator": "starts_with", "value": "g"}, "comparator.*type select"),
        ({"field": "email", "comparator": "before", "value": "2026-01-01"}, "comparator.*type text"),
        ({"field": "email", "comparator": "equals"}, "value.*required"),
        ({"field": "email", "comparator": "contains", "value": ""}, "value.*required"),
        ({"field": "unsubscribed", "comparator": "equals", "value": "yes"}, "value.*true or false"),
        ({"field": "engagementSegment", "comparator": "equals", "value": "lost"}, "value.*active, at_risk, dormant"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "many"}, "value.*a number"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1_0"}, "value.*a number"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "١"}, "value.*a number"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "nan"}, "value.*a number"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1e999"}, "value.*a number"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "-1e999"}, "value.*a number"),
        ({"field": "createdAt", "comparator": "before", "value": "2026-02-30"}, "value.*a date"),
        ({"field": "createdAt", "comparator": "before", "value": "20260201"}, "value.*a date"),
        ({"field": "createdAt", "comparator": "equals", "value": "today"}, "value.*a date"),
        ({"field": "createdAt", "comparator": "in_last_days", "value": "0"}, "value.*days from 1"),
        ({"field": "createdAt", "comparator": "in_last_days", "value": "1.5"}, "value.*days from 1"),
        ({"field": "createdAt", "comparator": "in_last_days", "value": "9" * 500}, "value.*days from 1"),
    ],
)
def test_what_means_nothing_is_refused_by_its_index(condition: SegmentCondition, problem: str) -> None:
    fine: SegmentCondition = {"field": "email", "comparator": "is_set"}

    with pytest.raises(RulesError, match=r"rules\.conditions\[1\]\." + problem):
        matcher({"operator": "or", "conditions": [fine, condition]}, SOMEBODY.facts())
