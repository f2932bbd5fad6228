"""Broadcasts beyond the client: restarts, limits, and what no client sends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.emulator.ids import counted_ids
from poststack.emulator.journal import SqliteJournal
from poststack.emulator.model import iso
from poststack.emulator.outreach.broadcasts import BroadcastRecipient
from poststack.emulator.settings import Settings
from poststack.transports.base import HttpRequest
from tests.emulator.app import START, App
from tests.emulator.test_hostile import JSON, QUICK

SLOW = Settings(broadcast_batch=1, broadcast_interval=10)
AB_TEST = {
    "variants": [{"name": name, "subject": name, "html": name, "weight": 50} for name in ("A", "B")],
    "test_sample_size": 50,
}


def segment_of(app: App, *addresses: str) -> str:
    ids = [app.post("/contacts", {"email": address}).json["contact"]["publicId"] for address in addresses]
    segment: str = app.post("/segments", {"name": "Readers"}).json["segment"]["publicId"]
    app.post(f"/segments/{segment}/contacts", {"contact_ids": ids})
    return segment


def created(app: App, segment: str, **changes: object) -> str:
    content = {"segment_id": segment, "from": "a@example.com", "subject": "News", "text": "Hello", **changes}
    reply = app.post("/broadcasts", content)
    assert reply.status == 201, reply.json
    broadcast: str = reply.json["broadcast"]["publicId"]
    return broadcast


def status(app: App, broadcast: str) -> str:
    found: str = app.get(f"/broadcasts/{broadcast}").json["broadcast"]["status"]
    return found


def recipients(app: App) -> list[str]:
    return [email.message.to[0].address for email in app.emulator.store.accepted()]


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    ids = counted_ids()
    app = App(SLOW, SqliteJournal(tmp_path / "file"), ids)
    broadcast = created(app, segment_of(app, "a@example.com", "b@example.com", "c@example.com"))
    app.post(f"/broadcasts/{broadcast}/send")
    app.wait(15)
    before = app.get(f"/broadcasts/{broadcast}").json
    app.emulator.close()
    again = App(SLOW, SqliteJournal(tmp_path / "file"), ids)
    again.now = app.now

    assert (before["broadcast"]["status"], again.get(f"/broadcasts/{broadcast}").json) == ("sending", before)
    again.wait(30)
    shown = again.get(f"/broadcasts/{broadcast}").json["broadcast"]
    assert recipients(again) == ["a@example.com", "b@example.com", "c@example.com"]
    assert (shown["status"], shown["deliveredCount"]) == ("sent", 3)
    again.emulator.close()


def test_a_restart_keeps_everything_of_a_broadcast(tmp_path: Path) -> None:
    app = App(SLOW, SqliteJournal(tmp_path / "file"))
    segment = segment_of(app, "a@example.com", "b@example.com", "c@example.com", "d@example.com")
    created(app, segment, name="Draft", reply_to="r@example.com", scheduled_at="2100-01-01", html="<p>ü</p>")
    tested = created(app, segment, ab_test=AB_TEST)
    app.post(f"/broadcasts/{tested}/send")
    app.wait(20)
    app.post(f"/_emulator/emails/{app.emulator.store.accepted()[0].id}/simulate", {"event": "clicked"})
    app.emulator.close()
    before, after = app.emulator.store, App(SLOW, SqliteJournal(tmp_path / "file")).emulator.store

    assert after.broadcasts.all() == before.broadcasts.all()
    assert after.broadcast_recipients.all() == before.broadcast_recipients.all()
    assert after.broadcasts.all()[1].test is not None
    assert after.broadcasts.agenda.first() == before.broadcasts.agenda.first() == (START + 20 + 7_200, 2)
    assert after.accepted() == before.accepted() != []
    after.close()


def test_a_broadcast_whose_time_came_while_nothing_ran_is_sent_after_the_restart(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "file"))
    broadcast = created(app, segment_of(app, "a@example.com"), scheduled_at="2027-01-16")
    app.post(f"/broadcasts/{broadcast}/send")
    app.emulator.close()
    again = App(journal=SqliteJournal(tmp_path / "file"))
    again.now = START + 30 * 24 * 3600
    again.wait(1)

    assert recipients(again) == ["a@example.com"]
    again.emulator.close()


def test_thousands_of_people_are_written_to_in_steps() -> None:
    app = App()
    rows = [{"email": f"p{number}@example.com"} for number in range(2_500)]
    imported = app.post("/contacts/import", {"contacts": rows})
    assert imported.json["imported"] == 2_500
    rules = {"operator": "and", "conditions": [{"field": "email", "comparator": "is_set"}]}
    segment = app.post("/segments", {"name": "All", "rules": rules}).json["segment"]["publicId"]
    broadcast = created(app, segment)
    app.post(f"/broadcasts/{broadcast}/send")
    most = before = steps = 0
    while status(app, broadcast) == "sending":
        app.now += 0.1
        app.emulator.run_due(app.now)
        left = app.emulator.store.total
        most, before, steps = max(most, left - before), left, steps + 1
    app.wait(2)

    shown = app.get(f"/broadcasts/{broadcast}").json["broadcast"]
    assert (len(set(recipients(app))), shown["deliveredCount"]) == (2_500, 2_500)
    # One batch of its own, and one that the request for the status let leave.
    assert (most, steps) <= (200, 26)
    assert steps >= 12


def test_many_broadcasts_at_once_share_the_batch_of_a_step() -> None:
    app = App(Settings(broadcast_batch=2))
    segment = segment_of(app, "a@example.com", "b@example.com")
    for _ in range(5):
        app.post(f"/broadcasts/{created(app, segment)}/send")
    app.emulator.run_due(app.now)
    app.now += 1
    sent: list[int] = []
    while (due := app.emulator.next_due()) is not None and due <= app.now and len(sent) < 10:
        app.emulator.run_due(app.now)
        sent.append(app.emulator.store.total)

    assert sent[:5] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(("seconds", "left"), [(0, []), (15, ["a@example.com"])])
def test_a_sender_that_is_not_verified_any_more_stops_a_broadcast(seconds: float, left: list[str]) -> None:
    app = App(replace(SLOW, domains=("example.com",)))
    broadcast = created(app, segment_of(app, "a@example.com", "b@example.com"), scheduled_at=iso(START + 1))
    app.post(f"/broadcasts/{broadcast}/send")
    app.wait(seconds)
    (domain,) = app.get("/domains").json["domains"]
    assert app.call("DELETE", f"/domains/{domain['id']}").status == 200
    app.wait(100)

    assert (status(app, broadcast), recipients(app)) == ("cancelled", left)
    assert app.get(f"/broadcasts/{broadcast}").json["broadcast"]["totalRecipients"] == len(left)


def test_a_key_for_one_domain_sends_no_broadcasts_from_another() -> None:
    app = App(Settings(domains=("example.com", "example.org")))
    segment = segment_of(app, "a@example.com")
    broadcast = created(app, segment)
    of_domain = {domain["name"]: domain["publicId"] for domain in app.get("/domains").json["domains"]}
    key = {"name": "x", "permission": "full_access", "allow_full_access": True, "domain_id": of_domain["example.org"]}
    app.key = app.post("/api-keys", key).json["key"]

    forbidden = {"segment_id": segment, "from": "a@example.com", "subject": "News", "text": "Hello"}
    for method, path, content in (
        ("POST", "/broadcasts", forbidden),
        ("POST", f"/broadcasts/{broadcast}/send", None),
        ("POST", f"/broadcasts/{broadcast}/test", {"email": "me@example.com"}),
        ("PATCH", f"/broadcasts/{broadcast}", {"subject": "Other"}),
        ("POST", f"/broadcasts/{broadcast}/cancel", None),
        ("POST", f"/broadcasts/{broadcast}/resend", None),
        ("POST", f"/broadcasts/{broadcast}/end-ab-test", None),
    ):
        assert app.call(method, path, content).error == (403, "forbidden")
    own = created(app, segment, **{"from": "a@example.org"})
    app.post(f"/broadcasts/{own}/send")
    app.wait(1)
    assert recipients(app) == ["a@example.com"]
    assert not app.email(app.emulator.store.accepted()[0].id)["testMode"]


def test_an_address_that_no_email_can_have_is_left_out() -> None:
    app = App()
    broadcast = created(app, segment_of(app, "a@example.com", "b@example.com"))
    contact = app.emulator.store.contacts.all()[0]
    contact.email = "from an older data file"
    app.emulator.store.contacts.save(contact)
    app.post(f"/broadcasts/{broadcast}/send")
    app.wait(1)

    assert recipients(app) == ["b@example.com"]
    assert app.get(f"/broadcasts/{broadcast}").json["broadcast"]["totalRecipients"] == 1


def test_the_oldest_that_are_done_make_room_for_new_recipients_who_wait_for_it_otherwise() -> None:
    app = App()
    one, two = segment_of(app, "a@example.com"), segment_of(app, "b@example.com", "c@example.com")
    old, new, waiting = created(app, one), created(app, one), created(app, two)
    app.post(f"/broadcasts/{old}/send")
    app.wait(1)
    table = app.emulator.store.broadcast_recipients
    # As many as there is room for, without as many e-mails.
    while len(table) < 200_000:
        table.save(BroadcastRecipient(app.emulator.store.next_number("broadcast_recipient"), broadcast=0, contact=0))
    app.post(f"/broadcasts/{new}/send")
    app.wait(1)
    assert app.get(f"/broadcasts/{old}").error == (404, "not_found")
    assert (status(app, new), len(table)) == ("sent", 200_000)

    app.post(f"/broadcasts/{waiting}/send")
    app.wait(59)
    assert status(app, waiting) == "queued"
    table.clear()
    app.wait(2)
    assert status(app, waiting) == "sent"


def test_there_is_room_for_a_thousand_broadcasts(app: App) -> None:
    segment = segment_of(app, "a@example.com")
    sent = created(app, segment)
    for _ in range(999):
        created(app, segment)
    app.post(f"/broadcasts/{sent}/send")
    app.wait(1)

    refused = app.post("/broadcasts", {"segment_id": segment, "from": "a@example.com", "subject": "x"})
    assert refused.error == (422, "unprocessable_entity")
    assert app.post(f"/broadcasts/{sent}/resend").status == 422
    assert len(app.emulator.store.segments) == 1


def test_the_control_interface_names_the_broadcast_of_an_email(app: App) -> None:
    broadcast = created(app, segment_of(app, "a@example.com"))
    app.post(f"/broadcasts/{broadcast}/send")
    app.wait(1)

    assert app.get("/_emulator/emails/latest").json["email"]["broadcastId"] == broadcast
    app.sent()
    assert app.get("/_emulator/emails/latest").json["email"]["broadcastId"] is None


@pytest.mark.parametrize("bad", [0, -1])
def test_a_batch_has_at_least_one_email(bad: int) -> None:
    with pytest.raises(ValueError, match="broadcast_batch"):
        Settings(broadcast_batch=bad)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("inf"), float("nan")])
def test_between_batches_some_time_passes(bad: float) -> None:
    with pytest.raises(ValueError, match="broadcast_interval"):
        Settings(broadcast_interval=bad)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_broadcast_cannot_be_replaced_or_deleted(app: App, method: str) -> None:
    broadcast = created(app, segment_of(app))

    assert app.call(method, f"/broadcasts/{broadcast}").status == 405


Strategies = dict[str, st.SearchStrategy[Any]]
OF_VARIANT: Strategies = {
    "name": st.just("a") | JSON,
    "subject": st.just("b") | JSON,
    "html": JSON,
    "text": JSON,
    "weight": st.sampled_from([50, 25, 10**400, -1]) | JSON,
}
OF_TEST: Strategies = {
    "variants": st.lists(st.fixed_dictionaries({}, optional=OF_VARIANT), max_size=5) | JSON,
    "test_sample_size": st.just(5) | JSON,
    "test_duration_minutes": st.just(30) | JSON,
}
OF_BROADCAST: Strategies = {
    "segment_id": st.sampled_from(["SEGMENT", "seg_1", "\ud800"]) | JSON,
    "from": st.just("a@example.com") | JSON,
    "subject": st.just("{{x}}") | JSON,
    "html": JSON,
    "text": st.just("{{email}}") | JSON,
    "reply_to": JSON,
    "name": JSON,
    "scheduled_at": st.sampled_from(["0001-01-01", "9999-12-31T23:59:59-12:00"]) | JSON,
    "topic_id": JSON,
    "ab_test": st.fixed_dictionaries({}, optional=OF_TEST) | JSON,
    "target": st.just("non_clickers") | JSON,
    "email": st.just("b@example.com") | JSON,
}
INPUTS = st.fixed_dictionaries({}, optional=OF_BROADCAST)
PATHS = [
    ("POST", "/broadcasts"), ("PATCH", "/broadcasts/ID"), ("POST", "/broadcasts/ID/send"),
    ("POST", "/broadcasts/ID/cancel"), ("POST", "/broadcasts/ID/resend"), ("POST", "/broadcasts/ID/test"),
    ("POST", "/broadcasts/ID/end-ab-test"), ("GET", "/broadcasts/ID/non-openers?limit=QUERY"),
    ("GET", "/broadcasts/performance?since=QUERY"), ("GET", "/broadcasts/performance?metric=QUERY"),
    ("GET", "/broadcasts?status=QUERY"), ("GET", "/broadcasts/QUERY"), ("GET", "/broadcasts/ID/variant-stats"),
]  # fmt: skip


@settings(QUICK, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(PATHS), INPUTS, st.text(max_size=8)), min_size=1, max_size=6))
def test_any_input_is_accepted_or_refused(requests: list[tuple[tuple[str, str], dict[str, Any], str]]) -> None:
    app = App()
    segment = segment_of(app, "a@example.com")
    broadcast = created(app, segment)
    for (method, path), content, query in requests:
        address = path.replace("ID", broadcast).replace("QUERY", query)
        text = json.dumps(content).replace("SEGMENT", segment)
        body = None if method == "GET" else text.encode("utf-8", "surrogatepass")
        request = HttpRequest(method, "http://emulator" + address, {"Authorization": "Bearer sk_test_x"}, body)
        response = app.emulator.handle(request, app.now)
        assert response.status in {200, 201, 400, 404, 405, 409, 422}, response.body
        json.loads(response.body)
        app.wait(1)
