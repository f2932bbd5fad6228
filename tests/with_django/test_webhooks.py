"""The view that PostStack calls, through Django's whole request handling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.mail import send_mail
from django.db import DatabaseError, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from poststack.events import parse_event, sign
from poststack.testing import emulator
from poststack_django.backends import EmailBackend
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.settling import settle
from poststack_django.signals import tracking
from poststack_django.status import Happened, Status, status_from
from poststack_django.webhooks import WebhookView
from tests.with_django.api import SECRET, RecordingApi, configured, event_body, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db

ADDRESS = "/webhooks/poststack/"


def deliver(body: bytes, headers: dict[str, str] | None = None, client: Client | None = None) -> Any:
    """Call the view as PostStack does."""
    client = client or Client(enforce_csrf_checks=True)
    given = signed(body) if headers is None else headers
    return client.post(ADDRESS, body, content_type="application/json", headers=given)


@pytest.fixture
def email(api: RecordingApi) -> SentEmail:
    return SentEmail.objects.create(idempotency_key="k", email_id="em_1", from_email="a@example.com", status="queued")


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear(**given: Any) -> None:
        heard.append(given)

    tracking.connect(hear)
    yield heard
    tracking.disconnect(hear)


# Who may call


def test_the_address_has_a_stable_name() -> None:
    assert reverse("poststack:webhook") == ADDRESS


def test_a_signed_event_updates_its_email(email: SentEmail) -> None:
    assert deliver(event_body("email.delivered")).status_code == 200

    email.refresh_from_db()
    assert email.status == Status.DELIVERED
    assert email.status_at.isoformat() == "2026-01-02T03:04:05.678000+00:00"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-PostStack-Signature": "sha256=00"},
        {"X-PostStack-Signature": "nonsense"},
        signed(event_body("email.delivered"), "another secret"),
        signed(b"{}"),
    ],
)
def test_without_a_valid_signature_nothing_happens(
    email: SentEmail, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert deliver(event_body("email.delivered"), headers).status_code == 401

    email.refresh_from_db()
    assert email.status == Status.QUEUED
    assert EmailEvent.objects.count() == 0
    assert "no signature matches" in caplog.text


@pytest.mark.parametrize("secrets", [[], [""], None, ""])
def test_without_a_secret_everything_is_refused(
    settings: Any, secrets: object, caplog: pytest.LogCaptureFixture
) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": secrets}

    assert deliver(event_body("email.delivered")).status_code == 403
    assert "WEBHOOK_SECRETS" in caplog.text


def test_both_secrets_count_during_a_rotation(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": ["new secret", "old secret"]}
    for number, secret in enumerate(("new secret", "old secret")):
        body = event_body("email.sent", number=number)

        assert deliver(body, signed(body, secret)).status_code == 200


def test_the_views_own_secrets_count_over_the_settings(api: RecordingApi, rf: RequestFactory) -> None:
    body = event_body("email.sent")
    for secrets, status in ((["own"], 200), ("own", 200), (["other"], 401), ([], 403)):
        view = WebhookView.as_view(secrets=secrets)
        request = rf.post(ADDRESS, body, content_type="application/json", headers=signed(body, "own"))

        assert view(request).status_code == status


def test_login_middleware_lets_it_through(email: SentEmail, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    assert deliver(event_body("email.delivered")).status_code == 200


def test_head_is_answered_and_get_is_not(client: Client) -> None:
    assert client.head(ADDRESS).status_code == 200
    assert client.get(ADDRESS).status_code == 405


# What may be said


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"type": 7}', b"\xff", b"[" * 100_000])
def test_signed_nonsense_is_refused(api: RecordingApi, body: bytes) -> None:
    assert deliver(body).status_code == 400
    assert EmailEvent.objects.count() == 0


def test_a_body_over_the_limit_is_refused_unread(api: RecordingApi) -> None:
    assert deliver(b" " * 1_000_001).status_code == 413


def test_djangos_own_limit_counts_too(api: RecordingApi, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert deliver(event_body("email.sent")).status_code == 413


def test_a_body_without_a_length_is_measured(api: RecordingApi, rf: RequestFactory) -> None:
    request = rf.post(ADDRESS, b" " * 20, content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    vars(request)["_body"] = b" " * 20  # As Django leaves it behind after reading.

    assert WebhookView.as_view(max_bytes=10)(request).status_code == 413


def test_a_length_that_is_no_number_is_refused(api: RecordingApi, rf: RequestFactory) -> None:
    request = rf.post(ADDRESS, b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = "many"

    assert WebhookView.as_view()(request).status_code == 400


@pytest.mark.parametrize("kind", ["email.invented_tomorrow", "contact.created", "inbound_email.received"])
def test_unknown_types_are_stored_and_change_nothing(email: SentEmail, kind: str) -> None:
    assert deliver(event_body(kind)).status_code == 200

    email.refresh_from_db()
    assert email.status == Status.QUEUED
    assert email.events.get().type == kind


def test_an_event_about_no_email_is_stored(api: RecordingApi) -> None:
    assert deliver(b'{"type": "contact.created", "data": {"id": "con_1"}}').status_code == 200

    event = EmailEvent.objects.get()
    assert (event.email_id, event.sent_email, event.data) == ("", None, {"id": "con_1"})
    assert event.event_id.startswith("sha256:")


def test_what_no_database_can_store_is_made_storable(email: SentEmail) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    body = event_body("email.bounced", reason="nul \x00 and half \ud800", n=float("nan"), deep=deep, ok=[1, {"a": 2.5}])

    assert deliver(body).status_code == 200
    data = EmailEvent.objects.get().data
    assert data["reason"] == "nul \ufffd and half \ufffd"
    assert (data["n"], data["ok"]) == (None, [1, {"a": 2.5}])


@pytest.mark.parametrize("event_id", ["x" * 5000, "nul \x00"])
def test_an_event_id_that_does_not_fit_is_still_unique(email: SentEmail, event_id: str) -> None:
    body = json.dumps({"id": event_id, "type": "email.sent", "data": {"email_id": "em_1"}}).encode()
    for _ in range(2):
        assert deliver(body).status_code == 200

    assert EmailEvent.objects.get().event_id.startswith("sha256:")


# Repeated, early, late, reordered


@pytest.mark.django_db(transaction=True)
def test_a_repeated_event_is_stored_and_told_once(email: SentEmail, told: list[dict[str, Any]]) -> None:
    for _ in range(3):
        assert deliver(event_body("email.delivered")).status_code == 200

    assert EmailEvent.objects.count() == 1
    (heard,) = told
    assert (heard["email"], heard["event"].type, heard["sender"]) == (email, "email.delivered", WebhookView)


def test_a_late_delivered_hides_no_bounce(email: SentEmail) -> None:
    deliver(event_body("email.bounced", number=1))
    deliver(event_body("email.delivered", number=2))

    email.refresh_from_db()
    assert email.status == Status.BOUNCED


@pytest.mark.django_db(transaction=True)
def test_an_early_event_waits_for_its_email(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    deliver(event_body("email.delivered"))
    assert EmailEvent.objects.get().sent_email is None
    assert told[0]["email"] is None

    EmailBackend().send_messages([_message()])

    row = SentEmail.objects.get()
    assert (row.status, row.events.count()) == (Status.DELIVERED, 1)


def test_a_repeated_event_makes_up_for_a_delivery_that_died_halfway(email: SentEmail) -> None:
    EmailEvent.objects.create(event_id="evt_1", email_id="em_1", type="email.delivered")
    deliver(event_body("email.delivered"))

    email.refresh_from_db()
    assert (email.status, email.events.count()) == (Status.DELIVERED, 1)


KINDS = ["sent", "deferred", "delivered", "opened", "bounced", "complained", "failed", "queued", "unheard_of"]


@pytest.mark.repetitive
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_order_and_repetition_of_a_history_ends_the_same(api: RecordingApi, data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5), label="history")
    bodies = [
        json.dumps(
            {
                "id": f"evt_{number}",
                "type": f"email.{kind}",
                "timestamp": f"2026-01-02T03:0{number}:00Z",
                "data": {"email_id": "em_1"},
            }
        ).encode()
        for number, kind in enumerate(kinds)
    ]
    repeated = data.draw(st.lists(st.sampled_from(bodies), max_size=3), label="repeated")
    steps: list[bytes | None] = data.draw(st.permutations([*bodies, *repeated, None]), label="order")
    expected = status_from(Happened(event.type, event.timestamp) for event in map(parse_event, bodies))

    with transaction.atomic():
        api.payloads.clear()
        for step in steps:
            if step is None:  # The moment in which the API answers and the row gets its id.
                EmailBackend().send_messages([_message()])
            else:
                assert deliver(step).status_code == 200
        row = SentEmail.objects.get()
        assert row.status == (expected.status if expected else Status.QUEUED)
        assert expected is None or row.status_at == expected.at
        assert row.events.count() == len(bodies)
        transaction.set_rollback(True)


def test_settling_an_unknown_email_is_harmless() -> None:
    assert settle("em_unknown") is None


def test_settling_again_changes_nothing(email: SentEmail) -> None:
    EmailEvent.objects.create(event_id="evt_1", email_id="em_1", type="email.delivered")
    first, second = settle("em_1"), settle("em_1")

    assert first is not None
    assert second is not None
    assert (first.status, first.status_at) == (second.status, second.status_at)


# Around it


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_raises_changes_nothing(email: SentEmail, caplog: pytest.LogCaptureFixture) -> None:
    def bad(**_: Any) -> None:
        raise RuntimeError("receiver")

    tracking.connect(bad)
    try:
        assert deliver(event_body("email.delivered")).status_code == 200
    finally:
        tracking.disconnect(bad)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.django_db(transaction=True)
def test_receivers_are_told_after_the_event_is_stored_for_good(email: SentEmail) -> None:
    seen: list[bool] = []

    def hear(**_: Any) -> None:
        seen.append(transaction.get_connection().in_atomic_block)

    tracking.connect(hear)
    try:
        deliver(event_body("email.delivered"))
    finally:
        tracking.disconnect(hear)
    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_a_request_in_a_transaction_is_told_when_it_commits(email: SentEmail, told: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        deliver(event_body("email.delivered"))
        assert told == []

    assert len(told) == 1


def test_a_database_that_is_down_makes_the_api_try_again(
    email: SentEmail, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    monkeypatch.setattr(EmailEvent, "save", down)

    assert deliver(event_body("email.delivered")).status_code == 503
    # Errors may be sent by e-mail, and the events of that e-mail would fail as well.
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_nothing_is_stored_when_recording_is_off(settings: Any, told: list[dict[str, Any]]) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": [SECRET], "RECORD": False}

    assert deliver(event_body("email.delivered")).status_code == 200
    assert EmailEvent.objects.count() == 0
    assert len(told) == 1


def test_from_send_mail_to_delivered_on_the_emulator(settings: Any) -> None:
    with emulator() as emu:
        settings.POSTSTACK = {"CLIENT": emu.client, "WEBHOOK_SECRETS": [SECRET]}

        def receive(body: bytes, headers: dict[str, str]) -> int:
            answer: HttpResponse = deliver(body, headers)
            return answer.status_code

        emu.on_webhook(receive, secret=SECRET)
        with configured("EMAIL_BACKEND"):
            send_mail("Hi", "Text", "a@example.com", ["b@example.com"])
            send_mail("Hi", "Text", "a@example.com", ["bounce@example.com"])
        emu.clock.advance(10)

        assert dict(SentEmail.objects.values_list("email_id", "status")) == {
            emu.sent[0].id: "delivered",
            emu.sent[1].id: "bounced",
        }


def test_signatures_are_made_over_the_raw_body(email: SentEmail) -> None:
    body = event_body("email.delivered")
    spaced = json.dumps(json.loads(body), indent=2).encode()

    assert deliver(spaced, {"X-PostStack-Signature": sign(body, SECRET)}).status_code == 401


def _message() -> Any:
    from django.core.mail import EmailMessage

    return EmailMessage("Hi", "Text", "a@example.com", ["b@example.com"])
