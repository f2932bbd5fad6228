"""Amazon SES by way of SNS, with samples as their documentation has them, and signatures that are real."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from poststack.errors import WebhookSignatureError
from poststack.events import WebhookEvent
from poststack.providers.events import SesEvents
from poststack.receiving import AsyncWebhookReceiver, WebhookReceiver
from poststack.transports.base import TransportError
from tests.providers.events.calls import TOPIC, Call, Heard, SnsSender, as_json, basic

SENT_AS = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
AT = "2017-08-05T00:40:02.012Z"
MAIL: dict[str, Any] = {
    "timestamp": "2017-08-05T00:40:01.123Z",
    "source": "Shop <shop@example.org>",
    "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/shop@example.org",
    "sendingAccountId": "123456789012",
    "messageId": SENT_AS,
    "destination": ["ann@example.net"],
    "headersTruncated": False,
    "headers": [
        {"name": "From", "value": "Shop <shop@example.org>"},
        {"name": "X-Tag", "value": "receipt"},
        {"name": "X-Metadata", "value": '{"order": "17"}'},
    ],
    "commonHeaders": {"from": ["Shop <shop@example.org>"], "to": ["ann@example.net"], "subject": "Hi"},
    "tags": {
        "ses:configuration-set": ["ConfigSet"],
        "ses:source-ip": ["192.0.2.0"],
        "campaign": ["spring"],
    },
}


def said(kind: str, name: str, details: object, **mail: Any) -> dict[str, Any]:
    return {"eventType": kind, "mail": {**MAIL, **mail}, name: details}


def bounce(kind: str, subtype: str = "General", **recipient: str) -> dict[str, Any]:
    named = {"emailAddress": "ann@example.net", "action": "failed", **recipient}
    details = {
        "bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [named], "timestamp": AT,
        "feedbackId": "01000157c44f053b-61b59c11", "reportingMTA": "dsn; mta.example.com",
    }  # fmt: skip
    return said("Bounce", "bounce", details)


DIAGNOSIS = "smtp; 550 5.1.1 <ann@example.net>... User unknown"
DELAY = {
    "delayType": "TransientCommunicationFailure", "timestamp": AT, "expirationTime": "2017-08-05T12:40:02.012Z",
    "delayedRecipients": [
        {"emailAddress": "ann@example.net", "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 down"},
    ],
}  # fmt: skip
CLICK = said(
    "Click", "click",
    {"ipAddress": "192.0.2.1", "link": "http://docs.example.com/", "timestamp": AT, "userAgent": "Mozilla/5.0"},
)  # fmt: skip


@pytest.fixture(scope="module")
def sns() -> SnsSender:
    return SnsSender()


@pytest.fixture
def source(sns: SnsSender) -> SesEvents:
    sns.fetched.clear()
    return SesEvents(topic_arns=[TOPIC], fetch=sns.fetch)


def read(source: SesEvents, call: Call) -> list[WebhookEvent]:
    return source.read(call.body, call.headers)


@pytest.mark.parametrize(
    ("message", "type", "says"),
    [
        (said("Send", "send", {}), "email.queued", {}),
        (
            said("Delivery", "delivery", {"timestamp": AT, "recipients": ["ann@example.net"],
                 "smtpResponse": "250 2.6.0 Message received"}),
            "email.delivered", {"smtp_code": 250, "enhanced_code": "2.6.0", "reason": "250 2.6.0 Message received"},
        ),
        (
            bounce("Permanent", status="5.1.1", diagnosticCode=DIAGNOSIS),
            "email.bounced",
            {"bounce_class": "hard", "smtp_code": 550, "enhanced_code": "5.1.1", "description": DIAGNOSIS},
        ),
        (bounce("Permanent", "Suppressed"), "email.failed", {"reason": "rejected", "description": "Suppressed"}),
        (bounce("Permanent", "OnAccountSuppressionList"), "email.failed", {"reason": "rejected"}),
        (bounce("Transient", "MailboxFull"), "email.soft_bounced", {"bounce_class": "soft", "final": True}),
        (bounce("Undetermined", "Undetermined"), "email.bounced", {"bounce_class": "unknown"}),
        (
            said("DeliveryDelay", "deliveryDelay", DELAY),
            "email.deferred", {"smtp_code": 421, "enhanced_code": "4.4.1"},
        ),
        (
            said("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": "ann@example.net"}],
                 "timestamp": AT, "complaintFeedbackType": "abuse", "feedbackId": "1"}),
            "email.complained", {"feedback_type": "abuse"},
        ),
        (said("Reject", "reject", {"reason": "Bad content"}), "email.failed",
         {"reason": "rejected", "description": "Bad content"}),
        (said("Open", "open", {"ipAddress": "192.0.2.1", "timestamp": AT, "userAgent": "Mozilla/5.0"}),
         "email.opened", {"ip": "192.0.2.1", "user_agent": "Mozilla/5.0"}),
        (CLICK, "email.clicked", {"url": "http://docs.example.com/"}),
        (
            said("Rendering Failure", "failure", {"errorMessage": "Attribute 'x' is not present", "templateName": "t"}),
            "email.failed", {"reason": "failed", "description": "Attribute 'x' is not present"},
        ),
        (said("Translation", "translation", {"timestamp": AT}), "email.unknown", {"event": "Translation"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["eventType", "notificationType"])
def test_each_event_has_its_type(
    source: SesEvents, sns: SnsSender, message: dict[str, Any], type: str, says: dict[str, Any], key: str
) -> None:
    sent = {key: message["eventType"], **{name: value for name, value in message.items() if name != "eventType"}}
    call = sns.notify(sent)
    [event] = read(source, call)

    assert event.type == type
    assert event.id == "ses:" + call.headers["x-amz-sns-message-id"]
    assert event.email_id == event.data["email_id"] == event.data["message_id"] == SENT_AS
    assert event.data["recipient"] == "ann@example.net"
    assert {name: event.data[name] for name in says} == says
    assert (event.data["provider"], event.data["raw"], event.data["subject"]) == ("ses", sent, "Hi")
    assert event.data["tags"] == ["receipt", "spring"]
    assert event.data["metadata"] == {"order": "17", "campaign": "spring"}


def test_the_time_is_that_of_the_happening(source: SesEvents, sns: SnsSender) -> None:
    [clicked] = read(source, sns.notify(CLICK))
    [sent] = read(source, sns.notify(said("Send", "send", {})))
    [rejected] = read(source, sns.notify(said("Reject", "reject", {"reason": "Bad content"})))

    assert clicked.timestamp == datetime(2017, 8, 5, 0, 40, 2, 12_000, tzinfo=timezone.utc)
    assert sent.timestamp == datetime(2017, 8, 5, 0, 40, 1, 123_000, tzinfo=timezone.utc)
    assert rejected.timestamp is not None  # It names none but the notification's.
    assert abs((rejected.timestamp - datetime.now(timezone.utc)).total_seconds()) < 600


@pytest.mark.parametrize(
    ("new", "old", "type"),
    [
        ({"unsubscribeAll": True}, {"unsubscribeAll": False}, "email.unsubscribed"),
        ({"unsubscribeAll": False}, {"unsubscribeAll": True}, "email.subscribed"),
        ({"topics": {"a": "OptOut", "b": "OptIn"}}, {"topics": {"a": "OptIn", "b": "OptIn"}}, "email.unsubscribed"),
        ({"topics": {"a": "OptOut", "b": "OptIn"}}, {"topics": {"a": "OptOut", "b": "OptOut"}}, "email.subscribed"),
        ({"topics": {"a": "OptOut"}}, {}, "email.unsubscribed"),
    ],
)
def test_a_subscription_says_which_way_it_changed(
    source: SesEvents, sns: SnsSender, new: dict[str, Any], old: dict[str, Any], type: str
) -> None:
    def preferences(given: dict[str, Any]) -> dict[str, Any]:
        topics = [{"topicName": name, "subscriptionStatus": status} for name, status in given.get("topics", {}).items()]
        return {"unsubscribeAll": given.get("unsubscribeAll", False), "topicSubscriptionStatus": topics}

    details = {
        "contactList": "List", "timestamp": AT, "source": "UnsubscribeHeader",
        "newTopicPreferences": preferences(new), "oldTopicPreferences": preferences(old),
    }  # fmt: skip
    [event] = read(source, sns.notify(said("Subscription", "subscription", details)))

    assert event.type == type


@pytest.mark.parametrize(
    ("value", "tag"),
    [("=?utf-8?q?caf=C3=A9?=", "café"), ("=?utf-8?b?!?=", "=?utf-8?b?!?="), ("=?what?q?a?=", "=?what?q?a?=")],
)
def test_a_tag_is_read_as_it_was_sent(source: SesEvents, sns: SnsSender, value: str, tag: str) -> None:
    headers = [{"name": "X-Tag", "value": value}, {"name": "X-Metadata", "value": "{broken"}, {"name": "X-Metadata"}]
    [event] = read(source, sns.notify(said("Send", "send", {}, headers=headers, tags={})))

    assert (event.data["tags"], event.data["metadata"]) == ([tag], {})


def test_each_recipient_has_an_event(source: SesEvents, sns: SnsSender) -> None:
    both = [
        {"emailAddress": "ann@example.net", "diagnosticCode": DIAGNOSIS},
        {"emailAddress": "Bob <bob@example.net>", "diagnosticCode": "smtp; 552 5.2.2 full"},
    ]
    message = said("Bounce", "bounce", {"bounceType": "Permanent", "bouncedRecipients": both, "timestamp": AT})
    call = sns.notify(message)
    events = read(source, call)

    assert [event.data["recipient"] for event in events] == ["ann@example.net", "bob@example.net"]
    assert [event.data["smtp_code"] for event in events] == [550, 552]
    assert len({event.id for event in events}) == 2
    assert [event.id for event in read(source, call)] == [event.id for event in events]


def test_an_open_is_told_of_every_recipient_because_ses_does_not_know_whose(source: SesEvents, sns: SnsSender) -> None:
    addresses = ["Ann <ann@example.net>", "bob@example.net"]
    message = said("Open", "open", {"timestamp": AT}, destination=addresses)

    events = read(source, sns.notify(message))

    assert [event.data["recipient"] for event in events] == ["ann@example.net", "bob@example.net"]


@pytest.mark.parametrize(
    "message",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed."},
        {"notificationType": "Received", "mail": MAIL, "receipt": {}, "content": "From: …"},
        "[1, 2]",
        "",
    ],
)
def test_what_is_about_no_email_is_no_event(source: SesEvents, sns: SnsSender, message: object) -> None:
    assert read(source, sns.notify(message)) == []


# Who may call


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "Amazon SES Email Event Notification"])
def test_both_versions_of_the_signature_are_right(
    source: SesEvents, sns: SnsSender, version: str, subject: str | None
) -> None:
    assert len(read(source, sns.notify(CLICK, version=version, subject=subject))) == 1


def test_the_certificate_is_fetched_once(source: SesEvents, sns: SnsSender) -> None:
    for _ in range(3):
        read(source, sns.notify(CLICK))

    assert sns.fetched == [sns.certificate_url]


def changed(call: Call, **fields: object) -> Call:
    return Call(as_json({**json.loads(call.body), **fields}), call.headers)


@pytest.mark.parametrize(
    "fields",
    [
        {"Message": json.dumps(said("Complaint", "complaint", {}))},
        {"Timestamp": "2026-01-01T00:00:00.000Z"},
        {"Subject": "One more"},
        {"Signature": base64.b64encode(b"0" * 256).decode()},
        {"Signature": "not base64"},
        {"Signature": None},
        {"SignatureVersion": "2"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"Type": "Other"},
        {"MessageId": ""},
        {"TopicArn": None},
    ],
)
def test_what_is_not_signed_is_refused(source: SesEvents, sns: SnsSender, fields: dict[str, Any]) -> None:
    call = changed(sns.notify(CLICK), **fields)

    with pytest.raises(WebhookSignatureError):
        read(source, call)
    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers).status == 403


@pytest.mark.parametrize("header", ["x-amz-sns-message-type", "x-amz-sns-message-id"])
def test_headers_about_another_message_are_refused(source: SesEvents, sns: SnsSender, header: str) -> None:
    call = sns.notify(CLICK)

    with pytest.raises(WebhookSignatureError, match="another message"):
        source.read(call.body, {**call.headers, header: "other"})


def test_raw_delivery_is_refused_because_it_is_not_signed(source: SesEvents) -> None:
    with pytest.raises(WebhookSignatureError, match="raw message delivery"):
        source.read(as_json(CLICK), {"x-amz-sns-rawdelivery": "true", "x-amz-sns-message-type": "Notification"})


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com.example.com/SimpleNotificationService-0.pem",
        "https://example.com/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com@example.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-0.pem",
        "https://sns.s3-eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",  # A bucket that anybody could have.
        "https://sns.s3.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com/?Action=GetTopicAttributes",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://xsns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com\\@example.com/SimpleNotificationService-0.pem",
        "https://[",
        "",
        None,
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(source: SesEvents, sns: SnsSender, url: str | None) -> None:
    with pytest.raises(WebhookSignatureError, match="certificate"):
        read(source, changed(sns.notify(CLICK), SigningCertURL=url))
    assert sns.fetched == []


@pytest.mark.parametrize("host", ["sns.cn-north-1.amazonaws.com.cn", "sns.us-gov-west-1.amazonaws.com"])
def test_every_region_has_its_host(host: str) -> None:
    sender = SnsSender(host=host)

    assert len(read(SesEvents(topic_arns=TOPIC, fetch=sender.fetch), sender.notify(CLICK))) == 1


def test_a_topic_of_somebody_else_is_refused_before_anything_is_fetched(source: SesEvents) -> None:
    stranger = SnsSender("arn:aws:sns:eu-west-1:999999999999:other")
    own = SesEvents(topic_arns=TOPIC, fetch=stranger.fetch)
    for call in (stranger.notify(CLICK), stranger.ask()):
        assert WebhookReceiver(source=own).receive(call.body, headers=call.headers).status == 403

    assert stranger.fetched == []


def test_an_old_call_is_refused_unless_every_age_is_taken(source: SesEvents, sns: SnsSender) -> None:
    call = sns.notify(CLICK, Timestamp="2017-08-05T00:40:02.012Z")

    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers) == (400, "The call is too old.")
    ageless = SesEvents(topic_arns=TOPIC, fetch=sns.fetch, max_age=None)
    assert len(read(ageless, call)) == 1


def test_a_password_is_asked_for_and_then_wanted(sns: SnsSender) -> None:
    receiver = WebhookReceiver(
        source=SesEvents(topic_arns=TOPIC, fetch=sns.fetch, username="sns", password="of the hook")
    )
    call = sns.notify(CLICK)

    asked = receiver.receive(call.body, headers=call.headers)
    taken = receiver.receive(call.body, headers={**call.headers, **basic("sns", "of the hook")})

    # SNS sends what is in the endpoint's address only after such an answer.
    assert (asked.status, asked.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
    assert taken.status == 200


@pytest.mark.parametrize("topics", [None, "", [], ["mail-events"], [TOPIC, "é"]])
def test_without_a_topic_there_is_no_source(topics: Any) -> None:
    with pytest.raises(ValueError, match="topic_arns"):
        SesEvents(topic_arns=topics)


# Subscriptions


def test_a_subscription_of_ones_own_topic_is_confirmed(source: SesEvents, sns: SnsSender) -> None:
    call = sns.ask()

    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers).status == 200
    assert sns.fetched == [sns.certificate_url, sns.subscribe_url]


@pytest.mark.parametrize(
    "url", ["https://example.com/?Action=ConfirmSubscription", "http://sns.eu-west-1.amazonaws.com/", ""]
)
def test_a_subscription_is_confirmed_nowhere_else(source: SesEvents, sns: SnsSender, url: str) -> None:
    with pytest.raises(WebhookSignatureError, match="confirm"):
        read(source, sns.ask(SubscribeURL=url))
    assert sns.fetched == [sns.certificate_url]


def test_a_forged_confirmation_is_not_followed(source: SesEvents, sns: SnsSender) -> None:
    with pytest.raises(WebhookSignatureError):
        read(source, changed(sns.ask(), Token="other"))
    assert sns.subscribe_url not in sns.fetched


def test_the_end_of_a_subscription_is_logged_and_not_undone(
    source: SesEvents, sns: SnsSender, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(source, sns.ask("UnsubscribeConfirmation")) == []

    assert sns.fetched == [sns.certificate_url]
    assert "has ended" in caplog.text


# Fetching


def failing(url: str) -> bytes:
    raise OSError(f"no way to {url}")


@pytest.mark.parametrize("answer", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_certificate_that_is_none_is_asked_for_again(sns: SnsSender, answer: bytes) -> None:
    answers = [answer]
    source = SesEvents(topic_arns=TOPIC, fetch=lambda url: answers.pop() if answers else sns.fetch(url))
    receiver, call = WebhookReceiver(source=source), sns.notify(CLICK)

    statuses = [receiver.receive(call.body, headers=call.headers).status for _ in range(2)]

    assert statuses == [503, 200]


def test_a_certificate_of_another_kind_of_key_is_none(sns: SnsSender) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(TransportError):
        read(SesEvents(topic_arns=TOPIC, fetch=lambda url: pem), sns.notify(CLICK))


def test_without_a_certificate_sns_is_told_to_try_again(sns: SnsSender, caplog: pytest.LogCaptureFixture) -> None:
    call = sns.notify(CLICK)
    source = SesEvents(topic_arns=TOPIC, fetch=failing)

    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers).status == 503
    assert "OSError" in caplog.text


def test_a_fetch_that_has_to_be_awaited_is_refused_where_nothing_waits(sns: SnsSender) -> None:
    with pytest.raises(TypeError, match="AsyncWebhookReceiver"):
        read(SesEvents(topic_arns=TOPIC, fetch=sns.afetch), sns.notify(CLICK))


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["fetch", "afetch"])
async def test_an_asynchronous_receiver_takes_both_kinds_of_fetch(sns: SnsSender, name: str) -> None:
    sns.fetched.clear()
    receiver = AsyncWebhookReceiver(source=SesEvents(topic_arns=TOPIC, fetch=getattr(sns, name)))
    receiver.on("email.clicked")(heard := Heard())

    for call in (sns.ask(), sns.notify(CLICK)):
        assert (await receiver.receive(call.body, headers=call.headers)).status == 200
    assert heard.types == ["email.clicked"]
    assert sns.fetched == [sns.certificate_url, sns.subscribe_url]


@pytest.mark.anyio
async def test_an_asynchronous_receiver_is_told_to_try_again_too(sns: SnsSender) -> None:
    call = sns.notify(CLICK)

    async def down(url: str) -> bytes:
        raise OSError(f"no way to {url}")

    for fetch in (failing, down):
        receiver = AsyncWebhookReceiver(source=SesEvents(topic_arns=TOPIC, fetch=fetch))
        assert (await receiver.receive(call.body, headers=call.headers)).status == 503
    with pytest.raises(TypeError, match="bytes"):
        await SesEvents(topic_arns=TOPIC, fetch=lambda url: "text").aread(call.body, call.headers)  # type: ignore[arg-type,return-value]  # pyright: ignore[reportArgumentType]
