"""The webhook in a project that wants a login everywhere and a transaction around every request."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from poststack_django import signals
from poststack_django.models import EmailEvent
from poststack_django.webhooks import WebhookView
from tests.with_django.api import RecordingApi, signed


def ordinary(request: HttpRequest) -> HttpResponse:
    """A view of the project, to see that the project is what it is said to be."""
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


urlpatterns = [
    path("shop/", WebhookView.as_view(secrets=["secret of the shop"])),
    path("forum/", WebhookView.as_view(secrets=["new secret of the forum", "secret of the forum"])),
    path("strict/", WebhookView.as_view(secrets="secret", max_age=3_600, fail_on_receiver_error=True)),
    path("lenient/", WebhookView.as_view(secrets="secret", max_age=float("inf"))),
    path("settings/", WebhookView.as_view()),
    path("ordinary/", ordinary),
]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.with_django.test_webhook_project")]


@pytest.fixture(autouse=True)
def project(api: RecordingApi, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


def event(number: int = 1, age: timedelta | None = timedelta(), kind: str = "email.sent") -> bytes:
    moment = "" if age is None else f', "timestamp": "{(datetime.now(timezone.utc) - age).isoformat()}"'
    return f'{{"id": "evt_{number}", "type": "{kind}"{moment}, "data": {{"email_id": "em_1"}}}}'.encode()


def post(to: str, body: bytes, secret: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(to, body, content_type="application/json", headers=signed(body, secret))


def test_other_views_want_a_login_and_run_in_a_transaction(rf: RequestFactory, admin_client: Client) -> None:
    assert Client().get("/ordinary/").status_code == 302
    assert admin_client.get("/ordinary/").content == b"True"


@pytest.mark.parametrize(
    ("to", "secret", "status"),
    [
        ("/shop/", "secret of the shop", 200),
        ("/shop/", "secret of the forum", 401),
        ("/forum/", "secret of the forum", 200),
        ("/forum/", "new secret of the forum", 200),
        ("/forum/", "secret of the shop", 401),
    ],
)
def test_each_endpoint_has_secrets_of_its_own(to: str, secret: str, status: int) -> None:
    assert post(to, event(), secret).status_code == status
    assert EmailEvent.objects.count() == (status == 200)


def test_receivers_are_told_outside_of_any_transaction_before_the_answer() -> None:
    seen: list[bool] = []

    def hear(**_: Any) -> None:
        seen.append(transaction.get_connection().in_atomic_block)

    signals.tracking.connect(hear)
    try:
        post("/shop/", event(), "secret of the shop")
    finally:
        signals.tracking.disconnect(hear)

    assert seen == [False]


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "trace"])
def test_other_methods_are_not_allowed(method: str) -> None:
    assert getattr(Client(), method)("/shop/").status_code == 405


def test_probes_are_answered() -> None:
    assert Client().head("/shop/").status_code == 200
    assert Client().options("/shop/").status_code == 200


def test_repetitions_and_unknown_types_are_taken() -> None:
    for _ in range(2):
        assert post("/shop/", event(kind="email.invented_tomorrow"), "secret of the shop").status_code == 200

    assert EmailEvent.objects.count() == 1


def test_signed_nonsense_and_too_much_are_refused() -> None:
    assert post("/shop/", b"{}", "secret of the shop").status_code == 400
    assert post("/shop/", b" " * 1_000_001, "secret of the shop").status_code == 413


# Age


@pytest.mark.parametrize(
    ("to", "age", "status"),
    [
        ("/strict/", timedelta(minutes=59), 200),
        ("/strict/", timedelta(minutes=61), 400),
        ("/strict/", timedelta(minutes=-5), 200),
        ("/strict/", None, 400),
        ("/lenient/", timedelta(days=365), 200),
        ("/lenient/", None, 200),
    ],
)
def test_a_view_may_refuse_old_events(to: str, age: timedelta | None, status: int) -> None:
    assert post(to, event(age=age), "secret").status_code == status
    assert EmailEvent.objects.count() == (status == 200)


@pytest.mark.parametrize(("max_age", "status"), [(None, 200), (86_400, 200), (60, 400)])
def test_the_setting_counts_where_the_view_says_nothing(
    settings: Any, max_age: float | None, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": "secret", "WEBHOOK_MAX_AGE": max_age}

    assert post("/settings/", event(age=timedelta(hours=1)), "secret").status_code == status
    assert ("WEBHOOK_MAX_AGE" in caplog.text) is (status == 400)


def test_the_age_counts_where_nothing_is_stored(settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": "secret", "WEBHOOK_MAX_AGE": 60, "RECORD": False}

    assert post("/settings/", event(age=timedelta(hours=1)), "secret").status_code == 400


def test_an_old_event_that_is_stored_already_is_an_ordinary_repetition() -> None:
    old = event(age=timedelta(days=2))

    assert [post(to, old, "secret").status_code for to in ("/strict/", "/lenient/", "/strict/")] == [400, 200, 200]


def test_a_strict_view_inside_a_foreign_transaction_answers_before_receivers_are_told() -> None:
    with transaction.atomic():
        assert post("/strict/", event(), "secret").status_code == 200
        assert EmailEvent.objects.get().state == "new"

    assert EmailEvent.objects.get().state == "handled"
