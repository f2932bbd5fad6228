"""One e-mail per key (`poststack-api` §5)."""

from __future__ import annotations

from poststack.emulator.settings import Settings
from tests.emulator.app import App


def test_the_same_payload_under_the_same_key_is_replayed(app: App) -> None:
    first = app.send(idempotency_key="order-1")
    again = app.send(idempotency_key="order-1", idempotency_window_hours=48)

    assert again.status == 202
    assert again.json == {**first.json, "replayed": True}
    assert app.emulator.store.total == 1


def test_another_payload_under_the_same_key_is_refused(app: App) -> None:
    app.sent(idempotency_key="order-1")

    assert app.send(idempotency_key="order-1", subject="Changed").error == (422, "unprocessable_entity")


def test_the_order_of_the_keys_of_an_object_does_not_matter(app: App) -> None:
    email = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
    first = app.post("/emails", email, Idempotency_Key="k")
    second = app.post("/emails", dict(reversed(email.items())), Idempotency_Key="k")

    assert second.json["id"] == first.json["id"]


def test_the_key_of_the_body_comes_before_that_of_the_header(app: App) -> None:
    email = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "x", "idempotency_key": "k"}
    first = app.post("/emails", email, Idempotency_Key="one")
    second = app.post("/emails", email, Idempotency_Key="two")

    assert second.json["replayed"]
    assert second.json["id"] == first.json["id"]


def test_a_refusal_does_not_use_the_key_up(app: App) -> None:
    assert app.send(idempotency_key="k", to=["nobody"]).status == 422

    assert "replayed" not in app.send(idempotency_key="k").json


def test_live_and_test_keys_have_their_own_scope() -> None:
    app = App(Settings(api_keys=("sk_test_a", "sk_live_a")))
    app.key = "sk_test_a"
    first = app.send(idempotency_key="k")
    app.key = "sk_live_a"
    second = app.send(idempotency_key="k")

    assert second.json == {"id": second.json["id"]}
    assert second.json["id"] != first.json["id"]
    assert app.email(second.json["id"])["testMode"] is False


def test_a_header_covers_a_batch_element_by_element(app: App) -> None:
    email = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
    batch = {"emails": [email, {**email, "to": ["nobody"]}, {**email, "idempotency_key": "own"}]}
    first = app.post("/emails/batch", batch, Idempotency_Key="batch-1").json["data"]
    again = app.post("/emails/batch", batch, Idempotency_Key="batch-1").json["data"]
    alone = app.post("/emails", {**email, "idempotency_key": "own"}).json

    assert [element.get("replayed") for element in again] == [True, None, True]
    assert [element.get("id") for element in again] == [element.get("id") for element in first]
    assert alone["id"] == first[2]["id"]
    assert app.emulator.store.total == 2


def test_a_key_lives_as_long_as_its_email() -> None:
    app = App(Settings(max_emails=1))
    first = app.sent(idempotency_key="k")
    app.sent()
    second = app.send(idempotency_key="k")

    assert "replayed" not in second.json
    assert app.get(f"/emails/{first}").status == 404
