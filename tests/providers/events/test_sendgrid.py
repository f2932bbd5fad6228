"""SendGrid's Event Webhook, with samples as its documentation has them."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from poststack.errors import WebhookSignatureError
from poststack.events import WebhookEvent
from poststack.providers.events import SendGridEvents
from poststack.receiving import WebhookReceiver
from tests.providers.events.calls import public_text, sendgrid_call

SENT_AS = "yVHnEmVYRaqJ6pTGfNk3Vg"
COMMON = {
    "email": "ann@example.net",
    "timestamp": 1_513_299_569,
    "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
    "sg_message_id": f"{SENT_AS}.filterdrecv-5645d9c87f-78xgx-1-5FB43C49-21.0",
    "category": ["receipt", "shop"],
    "order": "17",
}
SAMPLES: dict[str, dict[str, Any]] = {
    "processed": {"event": "processed", "sg_event_id": "e1"},
    "deferred": {
        "event": "deferred", "sg_event_id": "e2", "response": "451 4.7.1 try again later", "attempt": "5",
    },
    "delivered": {
        "event": "delivered", "sg_event_id": "e3", "response": "250 2.0.0 OK", "ip": "149.72.1.2", "tls": 1,
    },
    "open": {
        "event": "open", "sg_event_id": "e4", "useragent": "Mozilla/4.0 (compatible)", "ip": "255.255.255.255",
        "sg_machine_open": True, "sg_content_type": "html",
    },
    "click": {
        "event": "click", "sg_event_id": "e5", "useragent": "Mozilla/4.0", "ip": "255.255.255.255",
        "url": "https://example.org/a?b=c", "url_offset": {"index": 0, "type": "html"},
    },
    "bounce": {
        "event": "bounce", "type": "bounce", "sg_event_id": "e6", "reason": "550 5.1.1 unknown recipient",
        "status": "5.1.1", "bounce_classification": "Invalid Address",
    },
    "blocked": {
        "event": "bounce", "type": "blocked", "sg_event_id": "e7", "reason": "500 blocked by policy",
        "status": "5.0.0",
    },
    "dropped": {"event": "dropped", "sg_event_id": "e8", "reason": "Bounced Address", "status": "5.0.0"},
    "spamreport": {"event": "spamreport", "sg_event_id": "e9"},
    "unsubscribe": {"event": "unsubscribe", "sg_event_id": "e10"},
    "group_unsubscribe": {"event": "group_unsubscribe", "sg_event_id": "e11", "asm_group_id": 10},
    "group_resubscribe": {"event": "group_resubscribe", "sg_event_id": "e12", "asm_group_id": 10},
    "of tomorrow": {"event": "translated", "sg_event_id": "e13"},
}  # fmt: skip


@pytest.fixture(scope="module")
def source() -> SendGridEvents:
    return SendGridEvents(public_key=public_text())


def read(source: SendGridEvents, *samples: dict[str, Any]) -> list[WebhookEvent]:
    call = sendgrid_call([{**COMMON, **sample} for sample in samples])
    return source.read(call.body, call.headers)


@pytest.mark.parametrize(
    ("sample", "type"),
    [
        ("processed", "email.queued"),
        ("deferred", "email.deferred"),
        ("delivered", "email.delivered"),
        ("open", "email.opened"),
        ("click", "email.clicked"),
        ("bounce", "email.bounced"),
        ("blocked", "email.soft_bounced"),
        ("dropped", "email.failed"),
        ("spamreport", "email.complained"),
        ("unsubscribe", "email.unsubscribed"),
        ("group_unsubscribe", "email.unsubscribed"),
        ("group_resubscribe", "email.subscribed"),
        ("of tomorrow", "email.unknown"),
    ],
)
def test_each_event_has_its_type(source: SendGridEvents, sample: str, type: str) -> None:
    [event] = read(source, SAMPLES[sample])

    assert event.type == type
    assert event.id == "sendgrid:" + SAMPLES[sample]["sg_event_id"]
    assert event.timestamp == datetime(2017, 12, 15, 0, 59, 29, tzinfo=timezone.utc)
    assert event.email_id == event.data["email_id"] == event.data["message_id"] == SENT_AS
    assert event.data["recipient"] == "ann@example.net"
    assert event.data["provider"] == "sendgrid"
    assert event.data["tags"] == ["receipt", "shop"]
    assert event.data["metadata"] == {"order": "17"}
    assert event.data["raw"]["sg_message_id"] == COMMON["sg_message_id"]


def test_one_call_brings_many_events_in_order(source: SendGridEvents) -> None:
    events = read(source, *SAMPLES.values())

    assert [event.data["event"] for event in events] == [sample["event"] for sample in SAMPLES.values()]


def test_what_a_server_said_is_read_from_its_text(source: SendGridEvents) -> None:
    bounced, blocked, deferred, delivered, dropped = read(
        source, *(SAMPLES[name] for name in ("bounce", "blocked", "deferred", "delivered", "dropped"))
    )

    assert [bounced.data[name] for name in ("bounce_class", "smtp_code", "enhanced_code")] == ["hard", 550, "5.1.1"]
    assert bounced.data["reason"] == bounced.data["description"] == "550 5.1.1 unknown recipient"
    assert [blocked.data[name] for name in ("bounce_class", "smtp_code", "enhanced_code")] == ["blocked", 500, "5.0.0"]
    assert (deferred.data["smtp_code"], deferred.data["enhanced_code"]) == (451, "4.7.1")
    assert (delivered.data["smtp_code"], delivered.data["ip"]) == (250, "149.72.1.2")
    assert (dropped.data["reason"], dropped.data["description"]) == ("rejected", "Bounced Address")
    assert "bounce_class" not in dropped.data


def test_opens_and_clicks_say_with_what(source: SendGridEvents) -> None:
    opened, clicked = read(source, SAMPLES["open"], SAMPLES["click"])

    assert opened.data["machine"] is True
    assert opened.data["user_agent"] == "Mozilla/4.0 (compatible)"
    assert (clicked.data["url"], clicked.data["ip"]) == ("https://example.org/a?b=c", "255.255.255.255")


@pytest.mark.parametrize(
    ("told", "sent_as"),
    [
        (f"{SENT_AS}.filterdrecv-5645d9c87f-78xgx-1-5FB43C49-21.0", SENT_AS),
        (f"{SENT_AS}.recvd-6b6d5cfd5-kx2tn-1-64E3A2B1-7.1", SENT_AS),
        (SENT_AS, SENT_AS),
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("14c5d75ce93.dfd.64b469", "14c5d75ce93.dfd.64b469"),
        ("", None),
        (7, None),
    ],
)
def test_the_id_is_the_one_that_sending_returned(source: SendGridEvents, told: object, sent_as: str | None) -> None:
    [event] = read(source, {"event": "processed", "sg_message_id": told})

    assert event.email_id == sent_as


def test_one_category_may_be_a_text(source: SendGridEvents) -> None:
    [event] = read(source, {"event": "processed", "category": "receipt"})

    assert event.data["tags"] == ["receipt"]


def test_an_event_without_an_id_is_known_by_what_it_says(source: SendGridEvents) -> None:
    first, other, again = read(source, {"event": "open"}, {"event": "open", "ip": "1.2.3.4"}, {"event": "open"})

    assert first.id == again.id != other.id


def refused(source: SendGridEvents, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(WebhookSignatureError):
        source.read(body, headers)
    assert WebhookReceiver(source=source).receive(body, headers=headers).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Twilio-Email-Event-Webhook-Timestamp": "1999999999"},
        {"X-Twilio-Email-Event-Webhook-Timestamp": "١٩"},
        {"X-Twilio-Email-Event-Webhook-Signature": "not base64"},
        {"X-Twilio-Email-Event-Webhook-Signature": "MAA="},
        {"X-Twilio-Email-Event-Webhook-Signature": ""},
    ],
)
def test_what_is_not_signed_is_refused(source: SendGridEvents, changes: dict[str, str]) -> None:
    call = sendgrid_call([SAMPLES["open"]])

    refused(source, call.body, {**call.headers, **changes})


def test_a_body_that_was_changed_and_a_key_of_somebody_else_are_refused(source: SendGridEvents) -> None:
    call = sendgrid_call([SAMPLES["open"]])
    stranger = sendgrid_call([SAMPLES["open"]], key=ec.generate_private_key(ec.SECP256R1()))

    refused(source, call.body + b" ", call.headers)
    refused(source, call.body, {})
    refused(source, stranger.body, stranger.headers)


def test_names_of_headers_may_have_any_capitals(source: SendGridEvents) -> None:
    call = sendgrid_call([SAMPLES["open"]])

    assert len(source.read(call.body, {name.upper(): value for name, value in call.headers.items()})) == 1


def test_several_keys_count_while_one_is_replaced() -> None:
    new = ec.generate_private_key(ec.SECP256R1())
    source = SendGridEvents(public_key=[public_text(new), public_text()])
    for key in (new, None):
        call = sendgrid_call([SAMPLES["open"]]) if key is None else sendgrid_call([SAMPLES["open"]], key=key)

        assert len(source.read(call.body, call.headers)) == 1


def test_a_key_may_have_its_lines_of_pem(source: SendGridEvents) -> None:
    pem = f"-----BEGIN PUBLIC KEY-----\n{public_text()[:64]}\n{public_text()[64:]}\n-----END PUBLIC KEY-----\n"
    call = sendgrid_call([SAMPLES["open"]])

    assert len(SendGridEvents(public_key=pem).read(call.body, call.headers)) == 1


def test_an_old_call_is_refused_unless_every_age_is_taken(source: SendGridEvents) -> None:
    call = sendgrid_call([SAMPLES["open"]], timestamp=str(int(time.time()) - 4 * 86_400))

    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers) == (400, "The call is too old.")
    assert len(SendGridEvents(public_key=public_text(), max_age=None).read(call.body, call.headers)) == 1


def test_events_may_be_older_than_their_call(source: SendGridEvents) -> None:
    [event] = read(source, {**SAMPLES["open"], "timestamp": 1})

    assert event.timestamp == datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)


OTHER_CURVE = public_text(ec.generate_private_key(ec.SECP384R1()))


@pytest.mark.parametrize("key", [None, "", [], "nonsense", "MAo=", OTHER_CURVE])
def test_without_a_key_there_is_no_source(key: Any) -> None:
    with pytest.raises(ValueError, match="public_key") as caught:
        SendGridEvents(public_key=key)
    assert not key or str(key) not in str(caught.value)


@pytest.mark.parametrize("signed", ["text", 7, None, [1, 2], [[]]])
def test_a_signed_body_that_is_no_list_of_events_is_refused(source: SendGridEvents, signed: object) -> None:
    call = sendgrid_call(signed)

    with pytest.raises(ValueError, match="no list of events"):
        source.read(call.body, call.headers)


def test_one_event_may_come_without_a_list(source: SendGridEvents) -> None:
    call = sendgrid_call(SAMPLES["open"])

    assert [event.type for event in source.read(call.body, call.headers)] == ["email.opened"]


def test_an_empty_list_is_no_event_and_no_error(source: SendGridEvents) -> None:
    call = sendgrid_call([])

    assert WebhookReceiver(source=source).receive(call.body, headers=call.headers).status == 200


def test_a_signed_body_is_checked_before_it_is_parsed(source: SendGridEvents) -> None:
    with pytest.raises(WebhookSignatureError):
        source.read(b"{" * 100_000, {})
