"""Mailgun's webhooks, with samples as its documentation has them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from poststack.errors import WebhookSignatureError
from poststack.events import WebhookEvent
from poststack.providers.events import MailgunEvents
from poststack.receiving import WebhookReceiver
from tests.providers.events.calls import MAILGUN_KEY, Call, Heard, as_json, mailgun_call

SENT_AS = "20130503182626.18666.16540@example.org"
COMMON: dict[str, Any] = {
    "id": "CPgfbmQMTCKtHW6uIWtuVe",
    "timestamp": 1_521_472_262.908181,
    "log-level": "info",
    "recipient": "ann@example.net",
    "recipient-domain": "example.net",
    "tags": ["my_tag_1", "my_tag_2"],
    "user-variables": {"order": "17"},
    "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
    "message": {
        "headers": {
            "to": "Ann <ann@example.net>", "message-id": SENT_AS, "from": "Shop <shop@example.org>", "subject": "Hi",
        },
        "attachments": [],
        "size": 111,
    },
    "campaigns": [],
}  # fmt: skip
DELIVERED = {
    **COMMON,
    "event": "delivered",
    "delivery-status": {
        "tls": True, "mx-host": "smtp-in.example.com", "code": 250, "description": "", "session-seconds": 0.43,
        "attempt-no": 1, "message": "OK", "certificate-verified": True,
    },
}  # fmt: skip
FAILED = {
    **COMMON,
    "event": "failed",
    "severity": "permanent",
    "reason": "suppress-bounce",
    "delivery-status": {
        "attempt-no": 1, "message": "", "code": 605, "description": "Not delivering to previously bounced address",
        "session-seconds": 0,
    },
}  # fmt: skip
BOUNCED = {
    **FAILED,
    "reason": "bounce",
    "delivery-status": {
        "code": 550, "message": "5.1.1 The email account that you tried to reach does not exist.", "description": None,
        "enhanced-code": "5.1.1", "mx-host": "smtp-in.example.com",
    },
}  # fmt: skip
DEFERRED = {
    **FAILED,
    "severity": "temporary",
    "reason": "generic",
    "delivery-status": {
        "attempt-no": 1, "message": "4.2.2 The email account is over quota", "code": 452, "retry-seconds": 600,
        "description": "",
    },
}  # fmt: skip
OPENED = {
    **COMMON,
    "event": "opened",
    "geolocation": {"country": "US", "region": "CA", "city": "San Francisco"},
    "ip": "50.56.129.169",
    "client-info": {
        "client-os": "Linux", "device-type": "desktop", "client-name": "Chrome", "client-type": "browser",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    },
}  # fmt: skip
CLICKED = {**OPENED, "event": "clicked", "url": "https://example.com/a"}
REJECTED: dict[str, Any] = {
    **{name: value for name, value in COMMON.items() if name != "recipient"},
    "event": "rejected",
    "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""},
}


@pytest.fixture
def source() -> MailgunEvents:
    return MailgunEvents(signing_key=MAILGUN_KEY)


def read(source: MailgunEvents, sample: object, token: str = "t" * 50) -> WebhookEvent:
    call = mailgun_call(sample, token=token)
    [event] = source.read(call.body, call.headers)
    return event


@pytest.mark.parametrize(
    ("sample", "type", "says"),
    [
        ({**COMMON, "event": "accepted"}, "email.queued", {}),
        (DELIVERED, "email.delivered", {"smtp_code": 250, "description": "OK"}),
        (BOUNCED, "email.bounced", {"bounce_class": "hard", "smtp_code": 550, "enhanced_code": "5.1.1"}),
        ({**BOUNCED, "reason": "old"}, "email.soft_bounced", {"bounce_class": "soft"}),
        ({**BOUNCED, "reason": "of tomorrow"}, "email.bounced", {"bounce_class": "hard"}),
        (FAILED, "email.failed", {"reason": "rejected", "description": "Not delivering to previously bounced address"}),
        ({**FAILED, "reason": "suppress-complaint"}, "email.failed", {"reason": "rejected"}),
        ({**FAILED, "reason": "suppress-unsubscribe"}, "email.failed", {"reason": "rejected"}),
        (DEFERRED, "email.deferred", {"smtp_code": 452, "enhanced_code": "4.2.2", "retry_after": 600}),
        (REJECTED, "email.failed", {"reason": "rejected", "description": REJECTED["reject"]["reason"]}),
        (OPENED, "email.opened", {"ip": "50.56.129.169"}),
        (CLICKED, "email.clicked", {"url": "https://example.com/a"}),
        ({**COMMON, "event": "complained"}, "email.complained", {}),
        ({**COMMON, "event": "unsubscribed"}, "email.unsubscribed", {}),
        ({**COMMON, "event": "list_member_uploaded"}, "email.unknown", {"event": "list_member_uploaded"}),
        ({**DELIVERED, "delivery-status": None, "tags": None, "user-variables": []}, "email.delivered", {"tags": []}),
    ],
)
def test_each_event_has_its_type(
    source: MailgunEvents, sample: dict[str, Any], type: str, says: dict[str, Any]
) -> None:
    event = read(source, sample)

    assert event.type == type
    assert event.id == "mailgun:" + "t" * 50
    assert event.timestamp == datetime(2018, 3, 19, 15, 11, 2, 908181, tzinfo=timezone.utc)
    assert event.email_id == event.data["email_id"] == event.data["message_id"] == SENT_AS
    assert event.data["recipient"] == "ann@example.net"
    assert {name: event.data[name] for name in says} == says
    assert (event.data["provider"], event.data["raw"]) == ("mailgun", sample)
    assert "smtp_code" not in read(source, FAILED, "u" * 50).data


def test_what_was_sent_along_comes_back(source: MailgunEvents) -> None:
    data = read(source, CLICKED).data

    assert (data["tags"], data["metadata"]) == (["my_tag_1", "my_tag_2"], {"order": "17"})
    assert data["subject"] == "Hi"
    assert data["client"] == {"name": "Chrome", "type": "desktop", "os": "Linux"}
    assert data["location"] == {"country": "US", "region": "CA", "city": "San Francisco"}
    assert data["user_agent"] == "Mozilla/5.0 (X11; Linux x86_64)"


def test_an_email_for_several_that_was_rejected_names_none_of_them(source: MailgunEvents) -> None:
    headers = {**COMMON["message"]["headers"], "to": "Ann <ann@example.net>, bob@example.net"}

    assert "recipient" not in read(source, {**REJECTED, "message": {"headers": headers}}).data


def test_the_message_id_may_have_its_brackets(source: MailgunEvents) -> None:
    event = read(source, {**OPENED, "message": {"headers": {"message-id": f" <{SENT_AS}> "}}})

    assert event.email_id == SENT_AS


@pytest.mark.parametrize(
    "spoilt",
    [
        {"timestamp": "1999999999"},
        {"token": "u" * 50},
        {"token": ""},
        {"signature": "0" * 64},
        {"signature": "é"},
        {"signature": None},
        {"signature": ["0"]},
    ],
)
def test_what_is_not_signed_is_refused(source: MailgunEvents, spoilt: dict[str, Any]) -> None:
    call = json.loads(mailgun_call(OPENED).body)
    call["signature"].update(spoilt)

    assert WebhookReceiver(source=source).receive(as_json(call), headers={}).status == 401


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"signature": []}', as_json(OPENED)])
def test_what_has_no_signature_is_refused(source: MailgunEvents, body: bytes) -> None:
    with pytest.raises(WebhookSignatureError):
        source.read(body, {})


def test_an_empty_token_under_a_right_signature_is_refused(source: MailgunEvents) -> None:
    call = mailgun_call(OPENED, token="")

    with pytest.raises(WebhookSignatureError):
        source.read(call.body, call.headers)


def test_several_keys_count_while_one_is_replaced() -> None:
    source = MailgunEvents(signing_key=["the new key", MAILGUN_KEY])
    for number, key in enumerate(["the new key", MAILGUN_KEY]):
        call = mailgun_call(OPENED, key=key, token=f"token{number}")

        assert source.read(call.body, call.headers)[0].type == "email.opened"


def test_a_token_is_good_for_one_event(source: MailgunEvents) -> None:
    receiver = WebhookReceiver(source=source)
    receiver.on("*")(heard := Heard())
    seen = mailgun_call(OPENED)
    forged = mailgun_call({**COMMON, "event": "complained"})  # The signature says nothing about the event.

    answers = [receiver.receive(call.body, headers=call.headers).status for call in (seen, forged, seen)]

    assert answers == [200, 401, 200]
    assert heard.types == ["email.opened"]


@pytest.mark.parametrize("stamp", ["1700000000", "soon", ""])
def test_an_old_call_is_answered_so_that_it_is_not_repeated(source: MailgunEvents, stamp: str) -> None:
    call = mailgun_call(OPENED, timestamp=stamp)

    assert WebhookReceiver(source=source).receive(call.body, headers={}) == (406, "The call is too old.")
    assert MailgunEvents(signing_key=MAILGUN_KEY, max_age=None).read(call.body, {})[0].type == "email.opened"


@pytest.mark.parametrize("event", [None, [], {}, "text"])
def test_a_signed_call_without_an_event_is_not_repeated(source: MailgunEvents, event: object) -> None:
    call = mailgun_call(event)

    assert WebhookReceiver(source=source).receive(call.body, headers={}).status == 406


def test_what_is_no_json_is_not_repeated(source: MailgunEvents) -> None:
    assert WebhookReceiver(source=source).receive(b"timestamp=1&token=2", headers={}).status == 406


@pytest.mark.parametrize("key", [None, "", [], [" "]])
def test_without_a_key_there_is_no_source(key: Any) -> None:
    with pytest.raises(ValueError, match="signing_key"):
        MailgunEvents(signing_key=key)


def test_a_time_may_be_a_number(source: MailgunEvents) -> None:
    call: Call = mailgun_call(OPENED)
    found = json.loads(call.body)
    found["signature"]["timestamp"] = int(found["signature"]["timestamp"])

    assert source.read(as_json(found), {})[0].type == "email.opened"
