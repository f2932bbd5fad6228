"""What becomes of e-mails: as time passes, by recipient, by hand, and when they are scheduled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from poststack.emulator.core import NotPossibleError
from poststack.emulator.journal import SqliteJournal
from poststack.emulator.model import EventType
from poststack.emulator.settings import Settings
from tests.emulator.app import START, App


def test_an_email_is_delivered_within_the_delay(app: App) -> None:
    email_id = app.sent()
    app.wait(0.3)
    on_its_way = app.email(email_id)["status"]
    app.wait(0.3)

    assert on_its_way == "sending"
    assert app.email(email_id)["status"] == "delivered"
    assert app.events(email_id) == ["queued", "sent", "delivered"]


def test_reading_is_never_behind_the_clock(app: App) -> None:
    email_id = app.sent()
    app.now += 10
    app.get("/emails")
    app.now += 10

    assert app.email(email_id)["status"] == "delivered"


@pytest.mark.parametrize("suffix", ["", "+7", "-shop"])
@pytest.mark.parametrize(
    ("name", "status", "events"),
    [
        ("bounce", "bounced", ["bounced"]),
        ("complain", "complained", ["delivered", "complained"]),
        ("Defer", "delivered", ["deferred", "delivered"]),
        ("fail", "failed", ["failed"]),
        ("bouncer", "delivered", ["delivered"]),
    ],
)
def test_the_recipient_chooses_the_fate(app: App, name: str, status: str, events: list[str], suffix: str) -> None:
    email_id = app.sent(to=[f"{name}{suffix}@example.com"])
    app.wait(120)

    assert app.email(email_id)["status"] == status
    assert app.events(email_id) == ["queued", "sent", *events]


def test_a_deferred_email_says_so_until_it_is_delivered(app: App) -> None:
    email_id = app.sent(to=["defer@example.com"])
    app.wait(30)

    assert app.email(email_id)["status"] == "deferred"


def test_the_worst_of_several_recipients_decides(app: App) -> None:
    email_id = app.sent(to=["ada@example.com"], cc=["bounce@example.com"], bcc=["defer@example.com"])
    app.wait(120)
    email = app.emulator.store.email(email_id)

    assert email is not None
    assert email.status == "bounced"
    assert [(event.type, event.recipient) for event in email.events] == [
        ("queued", None),
        ("sent", None),
        ("delivered", "ada@example.com"),
        ("bounced", "bounce@example.com"),
        ("deferred", "defer@example.com"),
        ("delivered", "defer@example.com"),
    ]


@pytest.mark.parametrize(
    ("event", "status", "events"),
    [
        ("delivered", "delivered", ["delivered"]),
        ("bounced", "bounced", ["bounced"]),
        ("soft_bounced", "deferred", ["soft_bounced"]),
        ("complained", "complained", ["delivered", "complained"]),
        ("opened", "delivered", ["delivered", "opened"]),
        ("clicked", "delivered", ["delivered", "clicked"]),
        ("unsubscribed", "delivered", ["delivered", "unsubscribed"]),
        ("failed", "failed", ["failed"]),
    ],
)
def test_an_event_by_hand_replaces_the_plan(app: App, event: str, status: str, events: list[str]) -> None:
    email_id = app.sent()
    app.emulator.simulate(email_id, cast("EventType", event), app.now)
    app.wait(1_000)

    assert app.email(email_id)["status"] == status
    assert app.events(email_id) == ["queued", "sent", *events]


def test_an_event_can_happen_to_one_recipient(app: App) -> None:
    email_id = app.sent(to=["a@example.com", "b@example.com"])
    app.emulator.simulate(email_id, "bounced", app.now, recipient="B@example.com", metadata={"reason": "full"})
    app.wait(1)
    bounced = app.get(f"/emails/{email_id}/events").json["events"][2]

    assert bounced["metadata"]["recipient"] == "b@example.com"
    assert bounced["metadata"]["reason"] == "full"
    assert app.events(email_id) == ["queued", "sent", "bounced", "delivered"]


def test_what_cannot_happen_is_refused(app: App) -> None:
    waiting, sent = app.sent(scheduled_at="2100-01-01"), app.sent()
    many = app.sent(to=[f"a{number}@example.com" for number in range(50)], cc=["x@example.com"])
    cases: list[tuple[str, Any, str | None]] = [
        (waiting, "opened", None),
        (sent, "queued", None),
        (sent, "opened", "nobody@example.com"),
    ]

    for email_id, event, recipient in cases:
        with pytest.raises(NotPossibleError):
            app.emulator.simulate(email_id, event, app.now, recipient=recipient)
    for _ in range(17):
        app.emulator.simulate(many, "clicked", app.now)
    with pytest.raises(NotPossibleError, match="1000 events"):
        app.emulator.simulate(many, "clicked", app.now)
    with pytest.raises(KeyError):
        app.emulator.simulate("em_unknown", "opened", app.now)


def test_a_scheduled_email_leaves_on_time(app: App) -> None:
    email_id = app.sent(scheduled_at="2027-01-15T09:00:00+00:00")
    app.wait(3_599)
    before = app.email(email_id)
    app.wait(2)

    assert (before["status"], before["scheduledAt"]) == ("queued", "2027-01-15T09:00:00.000Z")
    assert app.email(email_id)["sentAt"] == "2027-01-15T09:00:00.000Z"
    assert app.email(email_id)["status"] == "delivered"


def test_a_scheduled_email_can_be_moved(app: App) -> None:
    email_id = app.sent(scheduled_at="2027-01-16")
    moved = app.call("PATCH", f"/emails/{email_id}", {"scheduled_at": "2027-01-15T08:01:00Z"})
    app.wait(70)

    assert (moved.status, moved.json) == (200, {"success": True})
    assert app.email(email_id)["status"] == "delivered"


def reasons(app: App, email_id: str) -> list[str]:
    events = app.get(f"/emails/{email_id}/events").json["events"]
    return [event["metadata"]["reason"] for event in events if event["eventType"] == "failed"]


def test_a_scheduled_email_leaves_without_those_who_were_suppressed_meanwhile(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "data"))
    file = {"filename": "a.txt", "content": "QQ=="}
    fields: dict[str, object] = {"to": ["Ada@example.com", "b@example.com"], "cc": ["c@example.com"]}
    email_id = app.sent(**fields, scheduled_at="2027-01-15T09:00:00Z", attachments=[file])
    for address in ("ada@example.com", "c@example.com"):
        app.post("/suppressions", {"email": address, "reason": "manual"})
    app.emulator.close()
    again = App(journal=SqliteJournal(tmp_path / "data"))
    again.now = app.now
    again.wait(3_700)
    again.emulator.close()
    after = App(journal=SqliteJournal(tmp_path / "data"))
    after.now = again.now

    email, kept = after.email(email_id), after.emulator.store.email(email_id)
    assert (email["toAddresses"], email["ccAddresses"], email["status"]) == (["b@example.com"], None, "delivered")
    assert after.events(email_id) == ["queued", "sent", "delivered"]
    assert kept is not None
    assert kept.message.suppressed == ("Ada@example.com", "c@example.com")
    assert [attachment.content for attachment in kept.message.attachments] == [b"A"]
    after.emulator.close()


def test_an_email_is_not_found_by_recipients_that_were_dropped(app: App) -> None:
    email_id = app.sent(to=["ada@example.com", "b@example.com"], scheduled_at="2027-01-15T09:00:00Z")
    app.post("/suppressions", {"email": "ada@example.com", "reason": "manual"})

    def found(address: str) -> list[str]:
        return [email["publicId"] for email in app.get(f"/_emulator/emails?to={address}").json["data"]]

    before = found("ada@example.com")
    app.wait(3_700)

    assert (before, found("ada@example.com"), found("b@example.com")) == ([email_id], [], [email_id])
    assert app.call("DELETE", f"/_emulator/emails/{email_id}").status == 200
    assert found("b@example.com") == []


def test_a_scheduled_email_to_nobody_but_suppressed_addresses_fails_and_says_why(app: App) -> None:
    email_id = app.sent(scheduled_at="2027-01-15T09:00:00Z")
    app.post("/webhooks", {"url": "http://localhost/hook", "events": ["*"]})
    app.post("/suppressions", {"email": "ada@example.com", "reason": "manual"})
    bodies = app.wait(3_700)

    assert (app.email(email_id)["status"], app.email(email_id)["sentAt"]) == ("failed", None)
    assert app.events(email_id) == ["queued", "failed"]
    assert reasons(app, email_id) == ["All recipients are suppressed"]
    assert [json.loads(body)["type"] for body in bodies] == ["email.failed"]
    assert app.post(f"/emails/{email_id}/cancel").error == (409, "conflict")
    assert app.call("PATCH", f"/emails/{email_id}", {"scheduled_at": "2028-01-01"}).error == (409, "conflict")
    with pytest.raises(NotPossibleError, match="did not leave"):
        app.emulator.simulate(email_id, "opened", app.now)
    app.call("DELETE", "/suppressions/ada@example.com")
    app.wait(100_000)
    assert app.events(email_id) == ["queued", "failed"]


@pytest.mark.parametrize("lost", ["deleted", "unverified", "not in the settings any more"])
def test_a_scheduled_email_from_a_domain_that_may_not_send_any_more_fails(lost: str, tmp_path: Path) -> None:
    listed = Settings(domains=("example.com", "example.org")) if lost.startswith("not") else None
    app = App(listed, journal=SqliteJournal(tmp_path / "data"))
    domain = 1
    if listed is None:
        domain = app.post("/domains", {"name": "example.com"}).json["domain"]["id"]
        app.post(f"/domains/{domain}/verify")
        app.wait(2)
    email_id = app.sent(scheduled_at="2027-01-15T09:00:00Z", to=["a@example.com", "b@example.com"])
    if lost == "deleted":
        app.call("DELETE", f"/domains/{domain}")
    elif lost == "unverified":
        app.call("PUT", f"/_emulator/domains/{domain}/dns", {"unpublished": ["dkim"]})
        app.post(f"/domains/{domain}/verify")
        app.wait(2)
    app.emulator.close()
    again = App(Settings(domains=("example.org",)) if listed else None, journal=SqliteJournal(tmp_path / "data"))
    again.now = app.now
    again.wait(3_700)

    assert again.email(email_id)["status"] == "failed"
    assert reasons(again, email_id) == ["Domain not verified"] * 2
    again.emulator.close()


def test_a_cancelled_email_is_failed_and_stays_so(app: App) -> None:
    email_id = app.sent(scheduled_at="2027-01-16")
    cancelled = app.post(f"/emails/{email_id}/cancel")
    app.wait(200_000)

    assert cancelled.json == {"success": True}
    assert app.email(email_id)["status"] == "failed"
    assert app.events(email_id) == ["queued"]
    assert app.post(f"/emails/{email_id}/cancel").error == (409, "conflict")


def test_too_late_is_a_conflict(app: App) -> None:
    at_once, due = app.sent(), app.sent(scheduled_at="2027-01-15T08:01:00Z")
    app.now = START + 60

    assert app.post(f"/emails/{at_once}/cancel").error == (409, "conflict")
    assert app.post(f"/emails/{due}/cancel").error == (409, "conflict")
    assert app.call("PATCH", f"/emails/{due}", {"scheduled_at": "2028-01-01"}).error == (409, "conflict")
    assert app.call("PATCH", "/emails/em_unknown", {"scheduled_at": "2028-01-01"}).error == (404, "not_found")
    assert app.call("PATCH", f"/emails/{due}", {}).error == (400, "invalid_request")


def test_a_bounce_and_a_complaint_suppress_the_address(app: App) -> None:
    app.sent(to=["bounce@example.com", "complain@example.com", "ada@example.com"])
    app.wait(1)
    listed = app.get("/suppressions").json["data"]
    second = app.sent(to=["BOUNCE@example.com", "ada@example.com"])
    none_left = app.send(to=["bounce@example.com"])

    assert {entry["email"]: entry["reason"] for entry in listed} == {
        "bounce@example.com": "hard_bounce",
        "complain@example.com": "complaint",
    }
    assert app.email(second)["toAddresses"] == ["ada@example.com"]
    assert none_left.error == (422, "unprocessable_entity")


def test_no_delay_delivers_at_once() -> None:
    app = App(Settings(delivery_delay=0))
    email_id = app.sent()

    assert app.email(email_id)["status"] == "delivered"
