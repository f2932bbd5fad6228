"""Contacts, their properties, topics and signup forms: the edges of the wire, limits, and the data file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.emulator import store
from poststack.emulator.api import contact_import, contact_input, contact_properties, signup_forms, subscription_topics
from poststack.emulator.api import contacts as contact_routes
from poststack.emulator.audience import contacts
from poststack.emulator.journal import SqliteJournal
from tests.emulator.app import App
from tests.emulator.test_hostile import JSON, QUICK, check, request

FORM = {"name": "News", "fields": [{"name": "email", "type": "email", "label": "E-mail", "required": True}]}
HUGE = "1" + "0" * 4_000


def created(app: App, path: str, content: object) -> dict[str, Any]:
    reply = app.post(path, content)
    assert reply.status == 201, reply.json
    [record] = reply.json.values()
    found: dict[str, Any] = record
    return found


def prepared(app: App | None = None) -> App:
    """Return an emulator with one of each kind, whose ids are 1, con_…01, seg_…02, top_…03 and sf_…04."""
    app = app or App()
    size = {"name": "size", "label": "Size", "type": "select", "options": ["S", "L"], "required": True}
    created(app, "/contact-properties", size)
    created(app, "/contacts", {"email": "ada@example.com", "first_name": "Ada", "properties": {"size": "S", "x": 4.5}})
    segment = created(app, "/segments", {"name": "All"})["publicId"]
    topic = created(app, "/subscription-topics", {"name": "News", "description": "Monthly"})["publicId"]
    created(app, "/signup-forms", {**FORM, "segment_id": segment, "topic_id": topic})
    return app


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({}, 400),
        ({"email": None}, 400),
        ({"email": 7}, 400),
        ({"email": ["a@example.com"]}, 400),
        ({"email": "nobody"}, 422),
        ({"email": "Ada <ada@example.com>"}, 422),
        ({"email": "a@example.com\r\nBcc: b@example.com"}, 422),
        ({"email": "a@example.com", "first_name": 7}, 400),
        ({"email": "a@example.com", "first_name": "a\nb"}, 422),
        ({"email": "a@example.com", "last_name": "x" * 256}, 422),
        ({"email": "a@example.com", "unsubscribed": "true"}, 400),
        ({"email": "a@example.com", "properties": ["x"]}, 400),
    ],
)
def test_contacts_that_make_no_sense_are_refused(app: App, content: dict[str, Any], status: int) -> None:
    assert app.post("/contacts", content).status == status
    assert app.get("/contacts").json["data"] == []


def test_numbers_too_long_to_read_are_refused(app: App) -> None:
    body = b'{"email": "a@example.com", "properties": {"size": %s}}'
    huge = app.call("POST", "/contacts", body=body % HUGE.encode())
    endless = app.call("POST", "/contacts", body=body % (HUGE * 2).encode())

    assert (huge.status, endless.status) == (422, 400)


def test_half_characters_are_refused(app: App) -> None:
    reply = app.call("POST", "/contacts", body=b'{"email": "a@example.com", "first_name": "\\ud800"}')

    assert reply.error == (400, "invalid_request")


@pytest.mark.parametrize("contact", ["7", "con_", "%2F", "%ff", "%00", "con_" + "0" * 18, "💌"])
def test_ids_of_any_kind_are_not_found(app: App, contact: str) -> None:
    for path in (f"/contacts/{contact}", f"/contacts/by-email/{contact}", f"/signup-forms/{contact}"):
        assert app.get(path).error == (404, "not_found")


@pytest.mark.parametrize("number", ["0", "-1", "1.0", "²", "9" * 30, "con_1", "%31%20"])
def test_properties_have_whole_numbers_as_ids(app: App, number: str) -> None:
    created(app, "/contact-properties", {"name": "size", "label": "Size", "type": "text"})

    assert app.call("DELETE", f"/contact-properties/{number}").error == (404, "not_found")
    assert app.call("DELETE", "/contact-properties/1").status == 200


@pytest.mark.parametrize(
    "rows",
    [
        ["a@example.com"],
        [None],
        [{"first_name": "Ada"}],
        [{"email": 7}],
        [{"email": "b@example.com", "first_name": 7}],
        [{"email": "b@example.com", "properties": {"size": 42}}],
        [{"email": "b@example.com", "properties": "x"}],
    ],
)
def test_an_import_with_a_wrong_type_anywhere_imports_nothing(app: App, rows: list[Any]) -> None:
    for wrong in ([{"email": "a@example.com"}, *rows], rows[0], None):
        assert app.post("/contacts/import", {"contacts": wrong}).error == (400, "invalid_request")
    assert app.get("/contacts").json["meta"]["total"] == 0


def test_an_unknown_engagement_and_another_truth_are_refused(app: App) -> None:
    created(app, "/contacts", {"email": "a@example.com"})

    assert app.get("/contacts?engagement_segment=asleep").status == 422
    assert app.get("/contacts?unsubscribed=maybe").status == 422
    assert app.get("/contacts?unsubscribed=&engagement_segment=").json["meta"]["total"] == 1


def test_an_export_is_a_csv_file(app: App) -> None:
    created(app, "/contacts", {"email": "a@example.com", "first_name": "Zoë"})
    response = app.answer("GET", "/contacts/export").response

    assert response is not None
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.body.decode() == (
        "email,first_name,last_name,unsubscribed,created_at\r\na@example.com,Zoë,,false,2027-01-15T08:00:00.000Z\r\n"
    )


def test_a_form_is_filled_in_without_a_key_and_nothing_else_is(app: App) -> None:
    form = created(app, "/signup-forms", FORM)["publicId"]
    for key in ("", "wrong"):
        app.key = key
        assert app.post(f"/signup-forms/{form}/submit", {"email": f"a{key}@example.com"}).status == 200
        assert app.get(f"/signup-forms/{form}").error == (401, "unauthorized")
        assert app.get("/contacts").error == (401, "unauthorized")
    app.key = "sk_test_app"

    assert app.get("/contacts").json["meta"]["total"] == 2


@pytest.mark.parametrize(
    ("module", "limit", "path", "content"),
    [
        (contacts, "MAX_CONTACTS", "/contacts", {"email": "b@example.com", "properties": {"size": "S"}}),
        (contact_properties, "_MAX_PROPERTIES", "/contact-properties", {"name": "b", "label": "B", "type": "text"}),
        (subscription_topics, "_MAX_TOPICS", "/subscription-topics", {"name": "B"}),
        (signup_forms, "_MAX_FORMS", "/signup-forms", FORM),
    ],
)
def test_there_is_room_for_so_many(
    monkeypatch: pytest.MonkeyPatch, module: Any, limit: str, path: str, content: object
) -> None:
    app = prepared()
    monkeypatch.setattr(module, limit, 1)
    reply = app.post(path, content)

    assert reply.error == (422, "unprocessable_entity")
    assert "at most" in reply.json["error"]


def test_forms_and_imports_add_nobody_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    app = prepared()
    [form] = app.get("/signup-forms").json["data"]
    app.call("PATCH", "/contact-properties/1", {"required": False})
    monkeypatch.setattr(contacts, "MAX_CONTACTS", 1)
    submitted = app.post(f"/signup-forms/{form['publicId']}/submit", {"email": "b@example.com"})
    imported = app.post("/contacts/import", {"contacts": [{"email": "b@example.com"}, {"email": "ada@example.com"}]})

    assert submitted.status == 422
    assert (imported.json["imported"], imported.json["skipped"], len(imported.json["errors"])) == (0, 1, 1)


def test_choices_are_bounded_but_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = prepared()
    [contact] = app.get("/contacts").json["data"]
    other = created(app, "/contacts", {"email": "b@example.com", "properties": {"size": "L"}})
    [topic] = app.get("/subscription-topics").json["topics"]
    [form] = app.get("/signup-forms").json["data"]
    paths = [f"/subscription-topics/contacts/{one['publicId']}/subscriptions" for one in (contact, other)]
    monkeypatch.setattr(subscription_topics, "MAX_CHOICES", 1)
    first = app.post(paths[0], {"topic_id": topic["publicId"]})
    second = app.post(paths[1], {"topic_id": topic["publicId"]})
    submitted = app.post(f"/signup-forms/{form['publicId']}/submit", {"email": "b@example.com", "size": "S"})
    changed = app.call("DELETE", f"{paths[0]}/{topic['publicId']}")

    assert (first.status, second.status, submitted.status, changed.status) == (200, 422, 422, 200)
    assert app.get(f"/contacts/{other['publicId']}").json["contact"]["properties"] == {"size": "L"}


def test_a_segment_that_has_rules_by_now_takes_nobody_from_a_form() -> None:
    app = prepared()
    [form], [segment] = app.get("/signup-forms").json["data"], app.get("/segments").json["segments"]
    rules = {"operator": "and", "conditions": [{"field": "unsubscribed", "comparator": "equals", "value": "true"}]}
    assert app.call("PATCH", f"/segments/{segment['publicId']}", {"rules": rules}).status == 200
    submitted = app.post(f"/signup-forms/{form['publicId']}/submit", {"email": "b@example.com", "size": "S"})

    assert submitted.status == 200
    assert app.get(f"/segments/{segment['publicId']}/members").json["data"] == []


def test_events_of_an_import_reach_the_webhook_for_each_contact(app: App) -> None:
    app.post("/webhooks", {"url": "http://localhost/", "events": ["contact.created"]})
    app.post("/contacts/import", {"contacts": [{"email": f"{number}@example.com"} for number in range(2_000)]})
    heard = [json.loads(body)["data"]["email"] for body in app.wait(0)]

    assert heard == [f"{number}@example.com" for number in range(2_000)]


def test_events_of_contacts_are_kept_in_bounds(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_UNBOUND_DELIVERIES", 3)
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    app.post("/contacts/import", {"contacts": [{"email": f"{number}@example.com"} for number in range(5)]})

    assert len(app.wait(0)) == 3


def test_a_restart_keeps_contacts_and_all_about_them(tmp_path: Path) -> None:
    app = prepared(App(journal=SqliteJournal(tmp_path / "file")))
    [form] = app.get("/signup-forms").json["data"]
    app.post(f"/signup-forms/{form['publicId']}/submit", {"email": "b@example.com", "size": "S", "first_name": "Bé"})
    email = app.sent(to=["ada@example.com"])
    app.wait(1)
    app.emulator.simulate(email, "clicked", app.now)
    before = app.emulator.store
    paths = ["/contacts", "/contact-properties", "/subscription-topics", "/signup-forms", "/contacts/con_x"]
    answers = [app.get(path).json for path in paths]
    app.emulator.close()
    again = App(journal=SqliteJournal(tmp_path / "file"))
    again.now = app.now
    after = again.emulator.store

    assert [again.get(path).json for path in paths] == answers
    for name in ("contacts", "contact_properties", "topics", "topic_choices", "signup_forms"):
        assert getattr(after, name).all() == getattr(before, name).all() != []
    assert again.get("/contacts/by-email/B@example.com").status == 200
    assert again.post("/contacts", {"email": "ADA@example.com", "properties": {"size": "S"}}).status == 409
    assert after.contacts.all()[0].clicked == 1
    again.emulator.close()


def test_starting_over_forgets_contacts_and_all_about_them() -> None:
    app = prepared()
    app.post("/_emulator/reset")

    assert app.get("/contacts").json["data"] == app.get("/signup-forms").json["data"] == []
    assert app.get("/contact-properties").json["properties"] == app.get("/subscription-topics").json["topics"] == []
    assert prepared(app).get("/contacts").json["data"][0]["id"] == 2


ROUTES = [
    route
    for module in (contact_routes, contact_import, contact_properties, subscription_topics, signup_forms)
    for route in module.ROUTES
]
VALUES = JSON | st.sampled_from(["ada@example.com", "size", "select", "email", "S", "https://example.com", True, HUGE])
ADDRESSES = st.sampled_from(["ada@example.com", "b@example.com", "x"]) | VALUES
ROW: dict[str, st.SearchStrategy[Any]] = {"email": ADDRESSES, "properties": VALUES}
FIELD: dict[str, st.SearchStrategy[Any]] = {"name": VALUES, "type": VALUES, "label": VALUES, "options": VALUES}
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "email": ADDRESSES,
    "properties": st.dictionaries(st.sampled_from(["size", "x", "email", ""]), VALUES) | VALUES,
    "contacts": st.lists(st.fixed_dictionaries({}, optional=ROW)) | VALUES,
    "fields": st.lists(st.fixed_dictionaries({}, optional=FIELD)) | VALUES,
    "options": st.lists(st.text(max_size=3)) | VALUES,
    **dict.fromkeys(
        ["name", "label", "type", "required", "first_name", "last_name", "unsubscribed", "description", "topic_id",
         "segment_id", "success_message", "redirect_url", "active", "size"],
        VALUES,
    ),
}  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(["page", "per_page", "search", "segment_id", "engagement_segment", "unsubscribed", "subscribed"]),
    st.sampled_from(["active", "true", "-1", "9" * 30, "%ff", "é", ""]),
).map(lambda query: "&".join(f"{name}={value}" for name, value in query.items()))


@settings(QUICK, max_examples=300)
@given(st.sampled_from(ROUTES), st.fixed_dictionaries({}, optional=FIELDS), QUERIES, st.booleans())
def test_any_json_on_any_route_is_answered(route: Any, content: dict[str, Any], query: str, known: bool) -> None:
    app = prepared()
    contact = app.get("/contacts").json["data"][0]["publicId"]
    topic = app.get("/subscription-topics").json["topics"][0]["publicId"]
    form = app.get("/signup-forms").json["data"][0]["publicId"]
    ids = {"/contacts": contact, "/contact-properties": "1", "/subscription-topics": topic, "/signup-forms": form}
    path = route.path.replace("{contact}", contact).replace("{topic}", topic).replace("{email}", "ada@example.com")
    group = "/" + path.split("/")[1]
    status = check_status(app, route.method, path.replace("{id}", ids[group] if known else "é"), query, content)

    assert status in {200, 201, 400, 404, 409, 422}
    assert app.get("/contacts").status == app.get("/signup-forms").status == 200


def check_status(app: App, method: str, path: str, query: str, content: object) -> int:
    if path == "/contacts/export":
        response = app.answer(method, f"{path}?{query}").response
        assert response is not None
        return response.status
    return check(app, request(method, f"{path}?{query}", content))


def test_names_that_properties_cannot_have_are_the_columns_of_an_export(app: App) -> None:
    for name in contact_input.COLUMNS:
        assert app.post("/contact-properties", {"name": name, "label": "x", "type": "text"}).status == 422
