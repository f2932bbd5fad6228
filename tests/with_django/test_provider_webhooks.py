"""Events of other providers: checked by their source, stored and told like PostStack's own."""

from __future__ import annotations

import json
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError
from django.test import RequestFactory
from django.urls import include, path

from poststack.providers.events import MailgunEvents, PostmarkEvents, SendGridEvents, SesEvents
from poststack_django import event_records
from poststack_django.checks import check_webhooks
from poststack_django.models import EmailEvent, EmailRecipient, SentEmail, Suppression
from poststack_django.settling import settle
from poststack_django.signals import tracking
from poststack_django.status import Status
from poststack_django.timeline import timeline_of
from poststack_django.webhooks import WebhookView
from tests.providers.events import test_mailgun, test_postmark, test_sendgrid, test_ses
from tests.providers.events.calls import (
    MAILGUN_KEY,
    TOPIC,
    Call,
    SnsSender,
    as_json,
    basic,
    mailgun_call,
    public_text,
    sendgrid_call,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack import WebhookEvent
    from poststack.providers.events import EventSource
    from tests.with_django.api import RecordingApi

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("api")]

SNS = SnsSender()
POSTMARK = PostmarkEvents(username="postmark", password="of the hook")
SENDGRID = SendGridEvents(public_key=public_text())
CREDENTIALS = basic("postmark", "of the hook")


def deliver(view: Any, call: Call) -> Any:
    request = RequestFactory(enforce_csrf_checks=True).post(
        "/hook/", call.body, content_type=call.headers.get("Content-Type", "application/json"), headers=call.headers
    )
    return view(request)


def postmark(sample: dict[str, Any]) -> Call:
    return Call(as_json(sample), CREDENTIALS)


def sent(email_id: str, *addresses: str) -> SentEmail:
    """Return the row of an e-mail that another provider has taken."""
    row = SentEmail.objects.create(
        idempotency_key=f"key of {email_id}", email_id=email_id, from_email="shop@example.org", status="queued"
    )
    for address in addresses:
        EmailRecipient.objects.create(sent_email=row, address=address, kind="to", status="queued")
    return row


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear(**given: Any) -> None:
        heard.append(given)

    tracking.connect(hear)
    yield heard
    tracking.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_an_event_updates_the_email_with_the_providers_id(told: list[dict[str, Any]]) -> None:
    row = sent(test_postmark.SENT_AS, "ann@example.net", "bob@example.net")
    view = WebhookView.as_view(source=POSTMARK)

    answers = [deliver(view, postmark(test_postmark.BOUNCE)).status_code for _ in range(2)]

    row.refresh_from_db()
    assert answers == [200, 200]
    assert row.status == Status.BOUNCED
    assert dict(row.recipients.values_list("address", "status")) == {
        "ann@example.net": "bounced", "bob@example.net": "queued",
    }  # fmt: skip
    [event] = EmailEvent.objects.all()
    assert (event.event_id, event.type, event.sent_email_id) == ("postmark:Bounce:692560173", "email.bounced", row.pk)
    assert [(one["event"].type, one["email"]) for one in told] == [("email.bounced", row)]


@pytest.mark.parametrize(
    ("source", "call", "email_id"),
    [
        (SesEvents(topic_arns=TOPIC, fetch=SNS.fetch), SNS.notify(test_ses.CLICK), test_ses.SENT_AS),
        (MailgunEvents(signing_key=MAILGUN_KEY), mailgun_call(test_mailgun.CLICKED), test_mailgun.SENT_AS),
        (SENDGRID, sendgrid_call([{**test_sendgrid.COMMON, **test_sendgrid.SAMPLES["click"]}]), test_sendgrid.SENT_AS),
    ],
)
def test_every_providers_events_find_their_email(source: EventSource, call: Call, email_id: str) -> None:
    row = sent(email_id, "ann@example.net")

    assert deliver(WebhookView.as_view(source=source), call).status_code == 200
    row.refresh_from_db()
    assert row.status == Status.DELIVERED


def test_many_events_of_one_call_are_each_stored() -> None:
    samples = [{**test_sendgrid.COMMON, **sample} for sample in test_sendgrid.SAMPLES.values()]
    row = sent(test_sendgrid.SENT_AS, "ann@example.net")
    call = sendgrid_call(samples)

    for _ in range(2):
        assert deliver(WebhookView.as_view(source=SENDGRID), call).status_code == 200

    row.refresh_from_db()
    assert row.status == Status.COMPLAINED
    assert EmailEvent.objects.count() == len(samples)
    assert set(EmailEvent.objects.values_list("sent_email", flat=True)) == {row.pk}


def test_an_event_that_cannot_be_stored_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    record = event_records.record_event

    def fail_at_opens(event: WebhookEvent, *arguments: Any, **options: Any) -> Any:
        if event.type == "email.opened":
            raise DatabaseError("It is down.")
        return record(event, *arguments, **options)

    monkeypatch.setattr(event_records, "record_event", fail_at_opens)
    samples = [{**test_sendgrid.COMMON, **test_sendgrid.SAMPLES[name]} for name in ("open", "click")]

    assert deliver(WebhookView.as_view(source=SENDGRID), sendgrid_call(samples)).status_code == 503
    assert [event.type for event in EmailEvent.objects.all()] == ["email.clicked"]


def test_a_subscription_is_confirmed_and_nothing_is_stored() -> None:
    SNS.fetched.clear()
    view = WebhookView.as_view(source=SesEvents(topic_arns=TOPIC, fetch=SNS.fetch))

    assert deliver(view, SNS.ask()).status_code == 200
    assert SNS.subscribe_url in SNS.fetched
    assert EmailEvent.objects.count() == 0


def test_what_is_not_to_be_trusted_is_answered_as_the_source_says() -> None:
    unsigned = Call(as_json(test_postmark.BOUNCE), {})
    answer = deliver(WebhookView.as_view(source=POSTMARK), unsigned)
    topic = SesEvents(topic_arns="arn:aws:sns:eu-west-1:1:other", fetch=SNS.fetch)

    assert (answer.status_code, answer["WWW-Authenticate"][:6]) == (401, "Basic ")
    assert deliver(WebhookView.as_view(source=POSTMARK), postmark({})).status_code == 403
    assert deliver(WebhookView.as_view(source=topic), SNS.notify(test_ses.CLICK)).status_code == 403
    assert deliver(WebhookView.as_view(source=POSTMARK, max_bytes=9), unsigned).status_code == 413
    assert EmailEvent.objects.count() == 0


def test_poststacks_age_limit_is_not_that_of_other_providers(settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "WEBHOOK_MAX_AGE": 60}

    # From 2019; a password comes with it, so nobody repeats what he has overheard.
    assert deliver(WebhookView.as_view(source=POSTMARK), postmark(test_postmark.DELIVERY)).status_code == 200
    assert EmailEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "status", "suppressed"),
    [("HardBounce", "bounced", True), ("SoftBounce", "bounced", False), ("VirusNotification", "bounced", False)],
)
def test_a_bounce_is_an_end_and_only_a_hard_one_is_held_against_the_address(
    settings: Any, kind: str, status: str, suppressed: bool
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    row = sent(test_postmark.SENT_AS, "ann@example.net")

    deliver(WebhookView.as_view(source=POSTMARK), postmark({**test_postmark.BOUNCE, "Type": kind}))

    row.refresh_from_db()
    assert (row.status, Suppression.objects.exists()) == (status, suppressed)
    last = timeline_of(row)[-1]
    assert (last.title, last.status) == ("Bounced", "bounced")


def test_a_soft_bounce_of_poststack_is_no_end(api: RecordingApi) -> None:
    row = sent("em_1", "ann@example.net")
    said = {"bounce_type": "soft"}
    EmailEvent.objects.create(event_id="evt_1", email_id="em_1", type="email.soft_bounced", data=said)
    settle("em_1")
    row.refresh_from_db()

    assert row.status == Status.DEFERRED
    assert timeline_of(row)[-1].title == "Bounced for now, will be tried again"


def test_nothing_of_an_address_is_stored_where_none_may_be(settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_RECIPIENTS": "hashed"}

    deliver(WebhookView.as_view(source=POSTMARK), postmark(test_postmark.BOUNCE))

    stored = EmailEvent.objects.get()
    assert stored.recipient.startswith("sha256:")
    assert "ann@" not in json.dumps(stored.data)


def test_without_the_app_receivers_are_told(settings: Any, told: list[dict[str, Any]]) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}

    assert deliver(WebhookView.as_view(source=POSTMARK), postmark(test_postmark.BOUNCE)).status_code == 200
    assert [one["event"].email_id for one in told] == [test_postmark.SENT_AS]


def test_secrets_beside_a_source_and_what_is_no_source_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="not both"):
        WebhookView.as_view(source=POSTMARK, secrets=["secret"])
    with pytest.raises(TypeError, match="no EventSource"):
        WebhookView.as_view(source="postmark")


@pytest.mark.parametrize(("options", "found"), [({}, ["poststack.W001"]), ({"source": POSTMARK}, [])])
def test_the_check_for_secrets_asks_none_of_a_source(settings: Any, options: dict[str, Any], found: list[str]) -> None:
    mounted = [path("", WebhookView.as_view(**options), name="webhook")]
    settings.POSTSTACK = {**settings.POSTSTACK, "WEBHOOK_SECRETS": []}
    root = ModuleType("hooks")
    vars(root)["urlpatterns"] = [path("hook/", include((mounted, "poststack")))]
    settings.ROOT_URLCONF = root

    assert [warning.id for warning in check_webhooks()] == found
