"""Signed webhooks for tests, and the emulator behind the whole project."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from poststack.events import construct_event
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.outbox import drain
from poststack_django.testing import emulated_poststack, override_mailer, signed_webhook
from poststack_django.webhooks import WebhookView
from tests.with_django.messages import message

SECRETS = ["whsec_the_first_of_two", "whsec_the_second_of_two"]

pytestmark = pytest.mark.django_db


@csrf_exempt
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("bug")


mounted = [path("", WebhookView.as_view(secrets=["whsec_of_the_view"]), name="webhook")]
urlpatterns = [
    path("own/", WebhookView.as_view(secrets="whsec_of_the_view_itself")),
    path("broken/", broken),
    path("mounted/", include((mounted, "poststack"))),
]


@pytest.fixture(autouse=True)
def _secrets(settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": SECRETS}


def test_the_view_takes_what_was_signed(client: Client) -> None:
    with override_mailer():
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
    webhook = signed_webhook("email.bounced", email=SentEmail.objects.get(), recipient="b@example.com")
    answer = webhook.post(client)

    assert (answer.status_code, SentEmail.objects.get().status) == (200, "bounced")
    assert EmailEvent.objects.get().event_id == webhook.event_id


def test_an_event_about_a_message(client: Client) -> None:
    one = message()
    with override_mailer():
        one.send()
    signed_webhook(email=one).post(client)

    assert SentEmail.objects.get().status == "delivered"


def test_every_call_is_an_event_of_its_own_unless_you_say_so(client: Client) -> None:
    for event_id in (None, None, "evt_1", "evt_1"):
        signed_webhook(email_id="em_1", event_id=event_id).post(client)

    assert EmailEvent.objects.count() == 3


def test_everything_can_be_said() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
    webhook = signed_webhook(
        "email.clicked", email_id="em_1", recipient="b@example.com", secret="another secret", event_id="evt_1",
        timestamp=moment, data={"url": "https://example.com"},
    )  # fmt: skip
    event = construct_event(webhook.body, webhook.headers["X-PostStack-Signature"], "another secret")

    assert (event.id, event.type, event.timestamp, event.email_id) == ("evt_1", "email.clicked", moment, "em_1")
    assert event.data == {"email_id": "em_1", "recipient": "b@example.com", "url": "https://example.com"}
    assert "em_1" not in repr(webhook)


def test_a_bad_signature_is_refused(client: Client) -> None:
    assert signed_webhook(bad_signature=True).post(client).status_code == 401


def test_without_a_secret_it_says_what_to_set(settings: Any) -> None:
    settings.POSTSTACK = {}
    with pytest.raises(ImproperlyConfigured, match="WEBHOOK_SECRETS"):
        signed_webhook()


def test_secrets_of_the_view_count(settings: Any, client: Client) -> None:
    settings.ROOT_URLCONF = __name__

    assert signed_webhook(email_id="em_1").post(client).status_code == 200
    assert signed_webhook(secret="whsec_of_the_view_itself").post(client, "/own/").status_code == 200


def test_an_unmounted_webhook_is_named(settings: Any, client: Client) -> None:
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    with pytest.raises(ImproperlyConfigured, match=r"poststack_django\.urls"):
        signed_webhook().post(client)
    with pytest.raises(ImproperlyConfigured, match=r"poststack_django\.urls"), emulated_poststack():
        pass


def test_an_email_without_an_id_is_named() -> None:
    for unsent in (message(), SentEmail(idempotency_key="x")):
        with pytest.raises(ValueError, match="has no id yet"):
            signed_webhook(email=unsent)


# The emulator


@pytest.mark.parametrize("poststack", [{}, {"WEBHOOK_SECRETS": SECRETS, "API_KEY": "sk_live_x"}])
def test_rows_follow_the_emulator(settings: Any, poststack: dict[str, Any]) -> None:
    settings.POSTSTACK = poststack
    with emulated_poststack() as post:
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
        send_mail("Hi", "x", "a@example.com", ["bounce@example.com"])
        assert [email.subject for email in post.sent] == ["Hi", "Hi"]
        assert set(SentEmail.objects.values_list("status", flat=True)) == {"queued"}

        post.clock.advance(60)
        assert list(SentEmail.objects.order_by("id").values_list("status", flat=True)) == ["delivered", "bounced"]
    assert poststack == settings.POSTSTACK


def test_rows_of_the_outbox_follow_it_too() -> None:
    with emulated_poststack("poststack_django.backends.OutboxEmailBackend") as post:
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
        assert (post.sent, SentEmail.objects.get().status) == ([], "waiting")

        assert drain().sent == 1
        post.clock.advance(60)
    assert SentEmail.objects.get().status == "delivered"


def test_its_clock_starts_now(settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": SECRETS, "WEBHOOK_MAX_AGE": 3600}
    before = datetime.now(timezone.utc).timestamp()
    with emulated_poststack() as post:
        assert before <= post.clock.time() <= datetime.now(timezone.utc).timestamp()
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
        post.clock.advance(60)

    assert SentEmail.objects.get().status == "delivered"


def test_failures_and_retries_of_the_client() -> None:
    with emulated_poststack(max_retries=2) as post:
        post.fail(503, times=2)
        assert send_mail("Hi", "x", "a@example.com", ["b@example.com"]) == 1


@pytest.mark.parametrize(("address", "webhook"), [("/own/", True), (None, False)])
def test_a_view_of_ones_own_or_none(settings: Any, address: str | None, webhook: bool) -> None:
    settings.ROOT_URLCONF = __name__
    with emulated_poststack(path=address, webhook=webhook) as post:
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
        post.clock.advance(60)

    assert SentEmail.objects.get().status == ("delivered" if webhook else "queued")


def test_a_view_that_raises_is_called_again_and_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.ROOT_URLCONF = __name__
    with emulated_poststack(path="/broken/") as post:
        send_mail("Hi", "x", "a@example.com", ["b@example.com"])
        post.clock.advance(60)

    assert "Internal Server Error: /broken/" in caplog.text
