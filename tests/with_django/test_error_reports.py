"""What Django's reports of unhandled errors show of this package: never a key, a signing secret or a body."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.test import RequestFactory

from poststack.events import SIGNATURE_HEADER, sign
from poststack_django import event_records
from poststack_django.backends import EmailBackend
from poststack_django.webhooks import WebhookView
from tests.with_django.api import RecordingApi, event_body
from tests.with_django.reports import report_of

pytestmark = pytest.mark.django_db

# Put together, because the reports also show the source.
HIDDEN = "_".join(["sk", "test", "never", "shown"])


@pytest.mark.parametrize(
    "wrong",
    [{"TIMEOUT": "x"}, {"TIMEOUTS": 1}, {"MAX_RETRIES": -1}, {"WEBHOOK_SECRETS": [HIDDEN, 5]}, {"BASE_URL": "ftp://x"}],
)
def test_wrong_settings_do_not_show_the_key(settings: Any, wrong: dict[str, object]) -> None:
    settings.POSTSTACK = {"API_KEY": HIDDEN, **wrong}

    assert HIDDEN not in report_of(lambda: EmailBackend().open())


def test_wrong_options_do_not_show_the_key(settings: Any) -> None:
    settings.POSTSTACK = {}

    assert HIDDEN not in report_of(lambda: EmailBackend(api_key=HIDDEN, timeout="x").open())  # type: ignore[arg-type]  # wrong on purpose


def test_a_send_that_breaks_does_not_show_the_body(api: RecordingApi) -> None:
    api.will_raise(RuntimeError("broken"))
    message = EmailMessage("Hi", HIDDEN, "a@example.com", ["b@example.com"])

    assert HIDDEN not in report_of(lambda: EmailBackend().send_messages([message]))


def test_a_webhook_that_fails_does_not_show_the_secret(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": [HIDDEN]}

    def fail(*_: object) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(event_records, "record_event", fail)
    body = event_body("email.delivered")
    headers = {SIGNATURE_HEADER: sign(body, HIDDEN)}
    request = RequestFactory().post("/", body, content_type="application/json", headers=headers)

    assert HIDDEN not in report_of(lambda: WebhookView.as_view()(request))


def test_an_error_is_not_its_own_cause(settings: Any) -> None:
    settings.POSTSTACK = {}
    with pytest.raises(ImproperlyConfigured) as caught:
        EmailBackend().open()

    assert caught.value.__cause__ is None
