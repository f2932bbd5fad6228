"""The edges of `/segments`: hostile values, limits, a restart, and what a day's end is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.audience import membership
from poststack.emulator.audience.rules import COMPARATORS, FIELDS
from poststack.emulator.journal import SqliteJournal
from poststack.emulator.model import EmailEvent
from poststack.transports.base import HttpRequest
from tests.emulator.app import App

DAY = 24 * 3600
FINE = {"field": "email", "comparator": "is_set"}


def contact(app: App, name: str = "ada") -> str:
    made: str = app.post("/contacts", {"email": f"{name}@example.com"}).json["contact"]["publicId"]
    return made


def segment(app: App, conditions: list[Any] | None = None) -> str:
    rules = None if conditions is None else {"operator": "and", "conditions": conditions}
    reply = app.post("/segments", {"name": "All", "rules": rules})
    assert reply.status == 201, reply.json
    made: str = reply.json["segment"]["publicId"]
    return made


def preview(app: App, conditions: object, operator: object = "and") -> Any:
    return app.post("/segments/preview", {"rules": {"operator": operator, "conditions": conditions}})


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": None}, 400),
        ({"name": 5}, 400),
        ({"name": "x" * 256}, 422),
        ({"name": "a\nb"}, 422),
        ({"name": "a\0b"}, 422),
        ({"name": "x", "rules": []}, 400),
        ({"name": "x", "rules": "and"}, 400),
        ({"name": "x", "rules": {}}, 400),
        ({"name": "x", "rules": {"operator": "and"}}, 400),
        ({"name": "x", "rules": {"operator": 1, "conditions": [FINE]}}, 400),
        ({"name": "x", "rules": {"operator": "xor", "conditions": [FINE]}}, 422),
        ({"name": "x", "rules": {"operator": "and", "conditions": {}}}, 400),
        ({"name": "x", "rules": {"operator": "and", "conditions": []}}, 422),
        ({"name": "x", "rules": {"operator": "and", "conditions": [FINE] * 51}}, 422),
    ],
)
def test_a_segment_that_is_none_is_refused(app: App, content: object, status: int) -> None:
    assert app.post("/segments", content).status == status
    assert app.get("/segments").json == {"segments": []}


@pytest.mark.parametrize(
    ("condition", "status", "place"),
    [
        (None, 400, ""),
        ([], 400, ""),
        ({"comparator": "is_set"}, 400, ""),
        ({"field": "email"}, 400, ""),
        ({"field": ["email"], "comparator": "is_set"}, 400, ".field"),
        ({"field": "email", "comparator": {}}, 400, ".comparator"),
        ({"field": "email", "comparator": "like", "value": "a"}, 422, ".comparator"),
        ({"field": "properties." + "x" * 200, "comparator": "is_set"}, 422, ".field"),
        ({"field": "email", "comparator": "equals", "value": 5}, 400, ".value"),
        ({"field": "email", "comparator": "equals", "value": "x" * 501}, 422, ".value"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": 0}, 422, ".windowDays"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": 366}, 422, ".windowDays"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": 10**400}, 422, ".windowDays"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": "7"}, 400, ".windowDays"),
        ({"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": True}, 400, ".windowDays"),
    ],
)
def test_a_wrong_condition_is_named_by_its_index(app: App, condition: object, status: int, place: str) -> None:
    reply = preview(app, [FINE, FINE, condition])

    assert reply.status == status
    assert f"`rules.conditions[2]{place}`" in reply.json["error"]


def test_a_refusal_does_not_repeat_the_value(app: App) -> None:
    reply = preview(app, [{"field": "createdAt", "comparator": "before", "value": "secret@example.com"}])

    assert reply.status == 422
    assert "secret" not in reply.json["error"]


def test_rules_come_back_as_they_came_without_what_is_unknown(app: App) -> None:
    condition = {"field": "emailsOpened", "comparator": "equals", "value": "1", "windowDays": 7}

    made = segment(app, [{**condition, "note": 1}, {**FINE, "value": None, "windowDays": None}])

    conditions = app.get(f"/segments/{made}").json["segment"]["rules"]["conditions"]
    assert conditions == [condition, FINE]


@pytest.mark.parametrize("contact_ids", [None, "con_1", {}, [1], [None], [["con_1"]]])
def test_ids_that_are_no_list_of_texts_are_refused(app: App, contact_ids: object) -> None:
    assert app.post(f"/segments/{segment(app)}/contacts", {"contact_ids": contact_ids}).status == 400


@pytest.mark.parametrize("odd", ["%2F", "..", "%00", "%ff", "seg_%F0%9F%98%80", "1", "%ED%A0%80"])
def test_odd_ids_are_not_found(app: App, odd: str) -> None:
    made = segment(app)

    assert app.get(f"/segments/{odd}").status == 404
    assert app.call("DELETE", f"/segments/{made}/contacts/{odd}").status == 404


def test_other_methods_are_refused(app: App) -> None:
    assert app.call("PUT", "/segments", {}).status == 405
    assert app.post("/segments/seg_1", {}).status == 405
    assert app.get("/segments/preview").status == 404


@pytest.mark.parametrize(("days", "status"), [("0", 422), ("366", 422), ("-1", 422), ("x", 400), ("9" * 30, 400)])
def test_growth_has_1_to_365_days(app: App, days: str, status: int) -> None:
    made = segment(app)

    assert app.get(f"/segments/{made}/growth?days={days}").status == status
    assert app.get(f"/segments/{made}/growth?days=365").status == 200


def test_a_change_that_is_refused_changes_nothing(app: App) -> None:
    made = segment(app, [FINE])

    for content in ({"name": "New", "rules": 5}, {"name": "", "rules": None}, {"name": None}):
        assert app.call("PATCH", f"/segments/{made}", content).status == 400

    shown = app.get(f"/segments/{made}").json["segment"]
    assert (shown["name"], shown["rules"]["conditions"]) == ("All", [FINE])


def test_segments_are_bounded(app: App) -> None:
    for _ in range(1_000):
        segment(app)

    reply = app.post("/segments", {"name": "One more"})

    assert reply.status == 422
    assert "1000" in reply.json["error"]


def test_a_list_that_would_take_long_says_what_it_did_not_count(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MAX_CHECKS", 5)
    for number in range(5):
        contact(app, f"c{number}")
    older, by_hand, newer = segment(app, [FINE]), segment(app), segment(app, [FINE])

    listed = app.get("/segments").json["segments"]
    alone = app.get(f"/segments/{older}").json["segment"]

    assert [(entry["publicId"], entry["contactCount"], entry.get("countUnavailable")) for entry in listed] == [
        (newer, 5, None),
        (by_hand, 0, None),
        (older, 0, True),
    ]
    assert (alone["contactCount"], alone.get("countUnavailable")) == (5, None)


def test_opens_by_a_proxy_do_not_count(app: App) -> None:
    contact(app)
    email = app.emulator.store.email(app.sent())
    assert email is not None
    opened = {"field": "emailsOpened", "comparator": "greater_than", "value": "0"}

    email.events.append(EmailEvent(1_000, "opened", app.now, "ada@example.com", is_prefetch=True))
    by_proxy = preview(app, [opened]).json["count"]
    email.events.append(EmailEvent(1_001, "opened", app.now, "Ada@Example.com"))

    assert (by_proxy, preview(app, [opened]).json["count"]) == (0, 1)


def test_the_growth_of_a_year_is_kept_and_no_more(app: App) -> None:
    made, ada = segment(app), contact(app)
    app.post(f"/segments/{made}/contacts", {"contact_ids": [ada]})
    for number in range(400):
        app.now += DAY
        app.post(f"/segments/{made}/contacts", {"contact_ids": [contact(app, f"c{number}")]})

    daily = app.get(f"/segments/{made}/growth?days=365").json["daily"]

    assert [day["members"] for day in daily] == list(range(37, 402))
    record = app.emulator.store.segments.find("id", made)
    assert record is not None
    assert len(record.sizes) == 365


def test_a_size_from_before_the_year_holds_until_it_changes(app: App) -> None:
    made, ada = segment(app), contact(app)
    app.post(f"/segments/{made}/contacts", {"contact_ids": [ada]})
    app.now += 500 * DAY
    unchanged = app.get(f"/segments/{made}/growth?days=365").json["daily"]

    app.post(f"/segments/{made}/contacts", {"contact_ids": [contact(app, "bob")]})
    changed = app.get(f"/segments/{made}/growth?days=365").json["daily"]

    assert [day["members"] for day in unchanged] == [1] * 365
    assert [day["members"] for day in changed] == [1] * 364 + [2]


def test_a_clock_that_went_back_shows_no_days_to_come(app: App) -> None:
    app.now += 10 * DAY
    made = segment(app)
    app.now -= 5 * DAY

    assert app.get(f"/segments/{made}/growth").json == {"available": True, "daily": []}


def test_segments_survive_a_restart(tmp_path: Path) -> None:
    first = App(journal=SqliteJournal(tmp_path / "data"))
    ada, picked = contact(first), segment(first)
    contact(first, "bob")
    ruled = segment(first, [{"field": "email", "comparator": "starts_with", "value": "B"}])
    first.post(f"/segments/{picked}/contacts", {"contact_ids": [ada]})
    paths = [f"/segments/{made}{rest}" for made in (picked, ruled) for rest in ("", "/members", "/growth")]
    before = [first.get(path).json for path in ("/segments", *paths)]
    first.emulator.close()

    again = App(journal=SqliteJournal(tmp_path / "data"))

    assert [again.get(path).json for path in ("/segments", *paths)] == before
    assert [entry["contactCount"] for entry in before[0]["segments"]] == [1, 1]
    again.emulator.close()


def test_segments_of_an_older_data_file_are_read(tmp_path: Path) -> None:
    first = App(journal=SqliteJournal(tmp_path / "data"))
    made = segment(first)
    first.emulator.close()
    with sqlite3.connect(tmp_path / "data") as database:
        database.execute("UPDATE records SET content = json_remove(content, '$.sizes') WHERE kind = 'segment'")
    database.close()

    again = App(journal=SqliteJournal(tmp_path / "data"))

    assert again.get(f"/segments/{made}/growth").json == {"available": True, "daily": []}
    again.emulator.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
CONDITION = st.fixed_dictionaries(
    {},
    optional={
        "field": st.sampled_from([*FIELDS, "properties.plan", "properties.none"]) | JSON,
        "comparator": st.sampled_from(COMPARATORS) | JSON,
        "value": st.text(max_size=30) | st.sampled_from(["true", "2026-01-01", "1e5", "7", "active"]) | JSON,
        "windowDays": st.integers(1, 365) | JSON,
    },
)
RULES = JSON | st.fixed_dictionaries(
    {},
    optional={"operator": st.sampled_from(["and", "or"]) | JSON, "conditions": st.lists(CONDITION | JSON, max_size=3)},
)
BODY = JSON | st.fixed_dictionaries(
    {}, optional={"name": st.text(max_size=20) | JSON, "rules": RULES, "contact_ids": st.just(["con_1"]) | JSON}
)
CALLS = st.sampled_from(
    [("POST", ""), ("POST", "/preview"), ("PATCH", "/{id}"), ("POST", "/{id}/contacts"), ("GET", ""), ("GET", "/{id}")]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(CALLS, BODY), min_size=1, max_size=4))
def test_any_json_is_accepted_or_refused(calls: list[tuple[tuple[str, str], Any]]) -> None:
    app = App()
    app.post("/contact-properties", {"name": "plan", "label": "Plan", "type": "text"})
    contact(app)
    made = segment(app)
    for (method, path), content in calls:
        body = json.dumps(content).encode("utf-8", "surrogatepass")
        address = "http://emulator/segments" + path.replace("{id}", made)
        response = app.emulator.handle(
            HttpRequest(method, address, {"Authorization": "Bearer sk_test_x"}, body), app.now
        )
        assert response.status in {200, 201, 400, 409, 422}, response.body
