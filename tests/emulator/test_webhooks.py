"""Webhook endpoints, their secrets, and the fate of deliveries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poststack.emulator import store
from poststack.emulator.api import webhooks
from poststack.emulator.model import Attempt
from poststack.emulator.settings import DEFAULT_RETRY_DELAYS, Settings
from poststack.events import parse_event, verify
from tests.emulator.app import App

URL = "http://localhost:9000/hook"


def created(app: App, *events: str) -> int:
    reply = app.post("/webhooks", {"url": URL, "events": list(events or ("*",)), "description": "shop"})
    assert reply.status == 201, reply.json
    number: int = reply.json["webhook"]["id"]
    return number


def deliveries(app: App, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.get(f"/webhooks/{number}/deliveries").json["deliveries"]
    return found


def test_the_secret_is_shown_when_it_is_made_and_never_again(app: App) -> None:
    made = app.post("/webhooks", {"url": URL, "events": ["email.sent"]}).json
    rotated = app.post("/webhooks/1/rotate-secret").json

    assert made["signingSecret"] != rotated["signingSecret"]
    for reply in (app.get("/webhooks"), app.get("/webhooks/1"), app.get("/_emulator/health")):
        assert "whsec_" not in json.dumps(reply.json)
    assert "whsec_" not in repr(app.emulator.store.webhooks.get(1))


def test_events_are_delivered_to_those_who_want_them(app: App) -> None:
    created(app, "email.delivered", "email.opened")
    email_id = app.sent(tags=["a"])
    [delivered] = app.wait(1)
    app.emulator.simulate(email_id, "opened", app.now)
    app.emulator.simulate(email_id, "bounced", app.now)
    [opened] = app.wait(1)

    assert json.loads(delivered) == {
        "id": parse_event(delivered).id,
        "type": "email.delivered",
        "timestamp": "2027-01-15T08:00:00.500Z",
        "data": {
            "email_id": email_id,
            "to": ["ada@example.com"],
            "subject": "Hi",
            "tags": ["a"],
            "recipient": "ada@example.com",
            "smtp_code": 250,
            "reason": "250 2.0.0 OK",
        },
    }
    assert parse_event(opened).data["client"] == {"name": "Apple Mail", "type": "desktop", "os": "macOS"}
    assert parse_event(opened).data["location"]["country"] == "DK"


def test_simulated_details_do_not_change_which_email_an_event_is_about(app: App) -> None:
    created(app, "email.bounced")
    email_id = app.sent()
    app.emulator.simulate(email_id, "bounced", app.now, metadata={"email_id": "em_other", "reason": "full"})
    [bounced] = app.wait(1)

    assert parse_event(bounced).email_id == email_id
    assert parse_event(bounced).data["reason"] == "full"


def test_a_failed_delivery_is_retried_for_a_day_with_the_same_body(app: App) -> None:
    number = created(app, "email.delivered")
    app.sent()
    bodies = app.wait(90_000, status=500)
    [delivery] = deliveries(app, number)
    record = app.emulator.store.delivery(delivery["id"])

    assert record is not None
    gaps = [later.at - earlier.at for earlier, later in zip(record.attempts, record.attempts[1:])]  # noqa: B905  # one shorter
    assert gaps == pytest.approx(list(DEFAULT_RETRY_DELAYS))
    assert sum(gaps) <= 24 * 3600
    assert len(set(bodies)) == 1
    assert (delivery["attempts"], delivery["statusCode"], delivery["responseBody"]) == (8, 500, "answer")
    assert (delivery["nextRetryAt"], delivery["deliveredAt"], record.state) == (None, None, "failed")
    assert app.get(f"/webhooks/{number}").json["webhook"]["consecutiveFailures"] == 8


def test_a_retry_that_succeeds_ends_the_matter(app: App) -> None:
    number = created(app, "email.delivered")
    app.sent()
    app.wait(1, status=None)
    waiting = deliveries(app, number)[0]
    app.wait(60)
    [delivery] = deliveries(app, number)
    listed = app.get("/webhooks").json["webhooks"][0]

    assert waiting["statusCode"] is None
    assert waiting["nextRetryAt"] is not None
    assert (delivery["attempts"], delivery["nextRetryAt"]) == (2, None)
    assert delivery["deliveredAt"] == listed["lastDeliveryAt"]
    assert (listed["lastDeliveryStatus"], listed["consecutiveFailures"]) == (200, 0)


def test_a_rotated_secret_signs_together_with_the_old_one_until_the_grace_ends(app: App) -> None:
    old = app.post("/webhooks", {"url": URL, "events": ["email.sent"]}).json["signingSecret"]
    rotated = app.post("/webhooks/1/rotate-secret", {"graceHours": 1}).json
    new = rotated["signingSecret"]

    def signed_by() -> list[bool]:
        app.sent()
        app.now += 0.3
        [call] = app.emulator.run_due(app.now)
        app.emulator.record(call.delivery_id, Attempt(app.now, 0.0, 200), app.now)
        return [verify(call.body, call.headers["X-PostStack-Signature"], secret) for secret in (new, old)]

    within = signed_by()
    app.now += 3_600

    assert within == [True, True]
    assert signed_by() == [True, False]
    assert rotated["webhook"]["previousSecretExpiresAt"] == "2027-01-15T09:00:00.000Z"
    assert app.get("/webhooks/1").json["webhook"]["previousSecretExpiresAt"] is None


@pytest.mark.parametrize("hours", [-1, 169])
def test_grace_lasts_at_most_a_week(app: App, hours: int) -> None:
    assert app.post(f"/webhooks/{created(app)}/rotate-secret", {"graceHours": hours}).status == 422


def test_a_test_event_goes_out_whatever_is_subscribed(app: App) -> None:
    number = created(app, "email.clicked")
    reply = app.post(f"/webhooks/{number}/test")
    [body] = app.wait(0)

    assert reply.json == {"success": True}
    assert parse_event(body).type == "email.clicked"


def test_test_deliveries_are_bounded(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_UNBOUND_DELIVERIES", 3)
    number = created(app)
    for _ in range(4):
        app.post(f"/webhooks/{number}/test")

    assert len(app.emulator.store.deliveries_of_webhook(number)) == 3


def test_any_delivery_is_replayed_under_its_id(app: App) -> None:
    number = created(app, "email.delivered")
    app.sent()
    first = app.wait(1)
    [delivery] = deliveries(app, number)
    reply = app.post(f"/webhooks/{number}/deliveries/{delivery['id']}/replay")
    again = app.wait(1)
    app.emulator.replay(delivery["id"], app.now)

    assert reply.json == {"success": True}
    assert first == again == app.wait(1)
    assert app.post(f"/webhooks/{number}/deliveries/99/replay").error == (404, "not_found")
    with pytest.raises(KeyError):
        app.emulator.replay(99, app.now)


def test_failed_deliveries_are_replayed_oldest_first(app: App) -> None:
    number = created(app, "email.delivered", "email.sent")
    for _ in range(3):
        app.sent()
    app.wait(100_000, status=500)
    path = f"/webhooks/{number}/deliveries/batch-replay"

    assert app.post(path, {"withinMinutes": 5}).json == {"replayed": 0, "remaining": 0}
    assert app.post(path, {"eventType": "email.sent", "limit": 2}).json == {"replayed": 2, "remaining": 1}
    assert len(app.wait(0)) == 2
    assert app.post(path).json == {"replayed": 4, "remaining": 0}
    for wrong in ({"withinMinutes": 0}, {"withinMinutes": 43_201}, {"limit": 0}):
        assert app.post(path, wrong).status == 422


def test_a_disabled_webhook_gets_nothing_until_it_is_enabled(app: App) -> None:
    number = created(app, "email.delivered")
    email_id = app.sent()
    app.emulator.simulate(email_id, "delivered", app.now)
    disabled = app.call("PATCH", f"/webhooks/{number}", {"enabled": False}).json["webhook"]

    assert disabled["active"] is False
    assert app.emulator.run_due(app.now) == []
    assert deliveries(app, number)[0]["nextRetryAt"] is None
    assert app.post(f"/webhooks/{number}/test").error == (409, "conflict")
    app.call("PATCH", f"/webhooks/{number}", {"enabled": True})
    assert app.post(f"/webhooks/{number}/deliveries/batch-replay").json == {"replayed": 1, "remaining": 0}


def test_a_webhook_can_be_disabled_by_failures() -> None:
    app = App(Settings(disable_webhook_after=3, retry_delays=(1.0,)))
    number = created(app, "email.delivered", "email.sent")
    app.sent()
    app.wait(10, status=404)
    webhook = app.get(f"/webhooks/{number}").json["webhook"]

    assert (webhook["active"], webhook["consecutiveFailures"]) == (False, 3)
    assert webhook["disabledReason"] == "3 failed deliveries in a row"
    enabled = app.call("PATCH", f"/webhooks/{number}", {"enabled": True}).json["webhook"]
    assert (enabled["active"], enabled["consecutiveFailures"], enabled["disabledAt"]) == (True, 0, None)


def test_a_webhook_is_changed_and_removed_with_its_deliveries(app: App) -> None:
    number = created(app)
    changes = {"url": "https://x.test/", "events": ["email.sent", "email.sent"], "description": None}
    changed = app.call("PATCH", f"/webhooks/{number}", changes).json["webhook"]
    app.sent()
    app.now += 1
    calls = app.emulator.run_due(app.now)
    app.call("DELETE", f"/webhooks/{number}")
    app.emulator.record(calls[0].delivery_id, Attempt(app.now, 0.0, 200), app.now)

    assert (changed["url"], changed["events"], changed["description"]) == ("https://x.test/", ["email.sent"], None)
    assert app.get("/webhooks").json == {"webhooks": []}
    assert app.get(f"/webhooks/{number}").error == (404, "not_found")


def test_calls_that_were_not_made_are_due_again(app: App) -> None:
    created(app, "email.sent")
    app.sent()
    app.now += 0.3
    calls = app.emulator.run_due(app.now)

    assert app.emulator.run_due(app.now) == []
    app.emulator.abandon(calls)
    assert app.emulator.run_due(app.now) == calls


def test_a_delivery_in_flight_is_not_handed_out_twice(app: App) -> None:
    created(app, "email.sent")
    app.sent()
    app.now += 0.3
    [call] = app.emulator.run_due(app.now)
    app.emulator.replay(call.delivery_id, app.now)

    assert app.emulator.run_due(app.now) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"url": "", "events": ["*"]}, 400),
        ({"url": URL}, 400),
        ({"url": URL, "events": []}, 400),
        ({"url": URL, "events": [""]}, 422),
        ({"url": "ftp://localhost/", "events": ["*"]}, 422),
        ({"url": "http://", "events": ["*"]}, 422),
        ({"url": "http://[::1", "events": ["*"]}, 422),
        ({"url": "http://localhost:99999/", "events": ["*"]}, 422),
        ({"url": "http://localhost/a b", "events": ["*"]}, 422),
        ({"url": "http://localhost/\r\n", "events": ["*"]}, 422),
        ({"url": URL, "events": ["*"], "description": "x" * 2_001}, 422),
    ],
)
def test_a_bad_webhook_is_refused(app: App, content: dict[str, object], status: int) -> None:
    assert app.post("/webhooks", content).status == status


def test_there_is_a_limit(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_MAX_WEBHOOKS", 1)
    created(app)

    assert app.post("/webhooks", {"url": URL, "events": ["*"]}).status == 422


def test_the_same_url_registered_in_python_keeps_its_place(app: App) -> None:
    first = app.emulator.add_webhook(URL, ["*"], app.now)
    secret = first.secret
    again = app.emulator.add_webhook(URL, ["email.sent"], app.now)

    assert (again.id, again.secret, again.events) == (first.id, secret, ["email.sent"])
    assert app.emulator.add_webhook(URL, ["*"], app.now, secret="mine").secret == "mine"
    with pytest.raises(ValueError, match="http"):
        app.emulator.add_webhook("nowhere", ["*"], app.now)
