"""The control interface under `/_emulator`."""

from __future__ import annotations

import pytest

from tests.emulator.app import App


def test_health_needs_no_key(app: App) -> None:
    app.sent()
    app.key = ""

    assert app.get("/_emulator/health").json == {
        "status": "ok",
        "emails": 1,
        "unread": 1,
        "requests": 1,
        "revision": app.emulator.store.revision,
        "now": "2027-01-15T08:00:00.000Z",
    }


def test_the_newest_email_that_matches_is_found(app: App) -> None:
    assert app.get("/_emulator/emails/latest").error == (404, "not_found")
    first = app.sent(to=["ada@example.com"], attachments=[{"filename": "a.txt", "content": "aGk="}])
    second = app.sent(to=["bob@example.com"], subject="Order 7")

    def latest(query: str) -> str | None:
        reply = app.get(f"/_emulator/emails/latest?{query}")
        return reply.json["email"]["publicId"] if reply.status == 200 else None

    assert latest("") == second
    assert latest("to=ada") == first
    assert latest("q=order") == second
    assert latest("unread=false") is None
    assert latest(f"after={first}") == second
    assert latest(f"after={second}") is None
    assert latest("after=em_unknown") == second


def test_everything_about_an_email_is_shown(app: App) -> None:
    app.post("/suppressions", {"email": "gone@example.com", "reason": "manual"})
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    email_id = app.sent(to=["ada@example.com", "gone@example.com"],
                        attachments=[{"filename": "a.txt", "content": "aGk="}])  # fmt: skip
    email = app.get(f"/_emulator/emails/{email_id}").json["email"]

    assert email["recipients"] == [{"address": "ada@example.com", "state": "pending"}]
    assert email["suppressed"] == ["gone@example.com"]
    assert email["attachments"] == [{"filename": "a.txt", "contentType": "text/plain", "contentId": None, "size": 2}]
    assert [delivery["eventType"] for delivery in email["deliveries"]] == ["email.queued"]
    assert email["payload"]["subject"] == "Hi"
    assert app.get("/_emulator/emails?unread=true").json["data"] == [email]
    assert app.get("/_emulator/emails/em_unknown").error == (404, "not_found")


def test_the_key_of_an_email_is_shown_as_it_came(app: App) -> None:
    email = {"from": "a@x.test", "to": ["b@x.test"], "subject": "Hi", "text": "x"}
    app.post("/emails", email, Idempotency_Key="one: 1")
    app.post("/emails/batch", {"emails": [{**email, "idempotency_key": "two-0"}]})
    app.sent()

    emails = app.get("/_emulator/emails").json["data"]
    assert [email["idempotencyKey"] for email in emails] == [None, "two-0", "one: 1"]


def test_events_are_simulated(app: App) -> None:
    email_id = app.sent(to=["a@example.com", "b@example.com"])
    path = f"/_emulator/emails/{email_id}/simulate"
    reply = app.post(path, {"event": "clicked", "recipient": "a@example.com", "country": "FR",
                            "metadata": {"url": "https://shop.test/"}})  # fmt: skip
    event = reply.json["email"]["events"][-1]

    assert (event["eventType"], event["geoCountry"], event["uaDeviceType"]) == ("clicked", "FR", "desktop")
    assert event["metadata"] == {"recipient": "a@example.com", "url": "https://shop.test/"}
    assert app.post(path, {"event": "exploded"}).error == (409, "conflict")
    assert app.post(path, {}).error == (400, "invalid_request")
    assert app.post(path, {"event": "opened", "metadata": {"a": "x" * 10_000}}).status == 422
    assert app.post(path, {"event": "opened", "country": "x" * 201}).status == 422


def test_emails_are_deleted_one_by_one_and_all(app: App) -> None:
    first, _, _ = app.sent(), app.sent(), app.sent()

    assert app.call("DELETE", f"/_emulator/emails/{first}").json == {"success": True}
    assert app.call("DELETE", "/_emulator/emails").json == {"deleted": 2}


def test_the_clock_is_moved_by_the_shell(app: App) -> None:
    answer = app.answer("POST", "/_emulator/clock", {"advance": 90.5})
    again = app.answer("GET", "/_emulator/clock")

    assert (answer.advance, again.advance) == (90.5, 0)
    for wrong, status in (({}, 400), ({"advance": -1}, 422), ({"advance": 1e12}, 422)):
        assert app.post("/_emulator/clock", wrong).status == status
    app.now = 253_402_300_000.0
    assert app.post("/_emulator/clock", {"advance": 1_000_000}).status == 422


def test_starting_over_forgets_everything(app: App) -> None:
    app.sent()
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    app.post("/suppressions", {"email": "a@example.com", "reason": "manual"})
    app.post("/templates", {"name": "a", "subject": "b", "html": "c"})
    app.emulator.fail(500)
    app.post("/_emulator/reset")

    assert app.get("/_emulator/health").json["requests"] == 0
    for path, name in (("/emails", "data"), ("/webhooks", "webhooks"), ("/suppressions", "data"),
                       ("/templates", "data")):  # fmt: skip
        assert app.get(path).json[name] == []
    assert app.sent() != "em_" + "0" * 18
    assert app.emulator.next_due() is not None


@pytest.mark.parametrize("path", ["/_emulator", "/_emulator/", "/_emulator/unknown"])
def test_there_is_nothing_else(app: App, path: str) -> None:
    assert app.get(path).error == (404, "not_found")
