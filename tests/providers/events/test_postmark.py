"""Postmark's webhooks, with samples as its documentation has them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import SecretStr

from poststack.errors import WebhookSignatureError
from poststack.events import WebhookEvent
from poststack.providers.events import PostmarkEvents
from poststack.receiving import WebhookReceiver
from tests.providers.events.calls import as_json, basic

SENT_AS = "883953f4-6105-42a2-a16a-77a8eac79483"
COMMON: dict[str, Any] = {
    "MessageID": SENT_AS,
    "MessageStream": "outbound",
    "ServerID": 23,
    "Tag": "welcome-email",
    "Metadata": {"order": "17"},
}
DELIVERY = {
    **COMMON,
    "RecordType": "Delivery",
    "Recipient": "ann@example.net",
    "DeliveredAt": "2019-11-05T16:33:54.9070259Z",
    "Details": "smtp;250 2.0.0 OK l10si21599969igu.63 - gsmtp",
}
BOUNCE = {
    **COMMON,
    "RecordType": "Bounce",
    "ID": 692_560_173,
    "Type": "HardBounce",
    "TypeCode": 1,
    "Name": "Hard bounce",
    "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
    "Details": "action: failed\r\nsmtp;550 5.1.1 The email account that you tried to reach does not exist.",
    "Email": "ann@example.net",
    "From": "shop@example.org",
    "BouncedAt": "2019-11-05T16:33:54.9070259Z",
    "DumpAvailable": True,
    "Inactive": True,
    "CanActivate": True,
    "Subject": "Test subject",
    "Content": "<Full dump of bounce>",
}
COMPLAINT = {**BOUNCE, "RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 100_001, "ID": 42}
OPEN = {
    **COMMON,
    "RecordType": "Open",
    "FirstOpen": True,
    "Client": {"Name": "Chrome 35.0.1916.153", "Company": "Google", "Family": "Chrome"},
    "OS": {"Name": "OS X 10.7 Lion", "Company": "Apple Computer, Inc.", "Family": "OS X 10"},
    "Platform": "WebMail",
    "UserAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_7_5)",
    "Geo": {
        "CountryISOCode": "RS", "Country": "Serbia", "RegionISOCode": "VO", "Region": "Autonomna Pokrajina Vojvodina",
        "City": "Novi Sad", "Zip": "21000", "Coords": "45.2517,19.8369", "IP": "188.2.95.4",
    },
    "ReceivedAt": "2019-11-05T16:33:54.9070259Z",
    "Recipient": "ann@example.net",
}  # fmt: skip
CLICK = {
    **OPEN,
    "RecordType": "Click",
    "ClickLocation": "HTML",
    "OriginalLink": "https://example.com/a",
}
CHANGE = {
    **COMMON,
    "RecordType": "SubscriptionChange",
    "ChangedAt": "2019-11-05T16:33:54.9070259Z",
    "Recipient": "ann@example.net",
    "Origin": "Recipient",
    "SuppressSending": True,
    "SuppressionReason": "ManualSuppression",
}
CREDENTIALS = basic("postmark", "secret of the hook")


@pytest.fixture
def source() -> PostmarkEvents:
    return PostmarkEvents(username="postmark", password="secret of the hook")


def read(source: PostmarkEvents, sample: dict[str, Any]) -> WebhookEvent:
    [event] = source.read(as_json(sample), CREDENTIALS)
    return event


@pytest.mark.parametrize(
    ("sample", "type"),
    [
        (DELIVERY, "email.delivered"),
        (BOUNCE, "email.bounced"),
        (COMPLAINT, "email.complained"),
        (OPEN, "email.opened"),
        (CLICK, "email.clicked"),
        (CHANGE, "email.unsubscribed"),
        ({**CHANGE, "SuppressSending": False, "SuppressionReason": None}, "email.subscribed"),
        ({**CHANGE, "SuppressionReason": "HardBounce"}, "email.bounced"),
        ({**CHANGE, "SuppressionReason": "SpamComplaint"}, "email.complained"),
        ({**CHANGE, "SuppressionReason": "Boredom"}, "email.unknown"),
        ({**OPEN, "RecordType": "Forward"}, "email.unknown"),
    ],
)
def test_each_record_has_its_type(source: PostmarkEvents, sample: dict[str, Any], type: str) -> None:
    event = read(source, sample)

    assert event.type == type
    # Seven digits of a second, which Python 3.10 does not read.
    assert event.timestamp == datetime(2019, 11, 5, 16, 33, 54, 907025, tzinfo=timezone.utc)
    assert event.email_id == event.data["email_id"] == event.data["message_id"] == SENT_AS
    assert event.data["recipient"] == "ann@example.net"
    assert (event.data["tags"], event.data["metadata"]) == (["welcome-email"], {"order": "17"})
    assert (event.data["provider"], event.data["raw"]) == ("postmark", sample)


@pytest.mark.parametrize(
    ("bounce", "type", "says"),
    [
        ("HardBounce", "email.bounced", {"bounce_class": "hard", "bounce_type": "hard"}),
        ("VirusNotification", "email.bounced", {"bounce_class": "unknown"}),
        ("SoftBounce", "email.soft_bounced", {"bounce_class": "soft", "final": True}),
        ("Transient", "email.deferred", {}),
        ("DnsError", "email.deferred", {}),
        ("Unsubscribe", "email.unsubscribed", {}),
        ("Subscribe", "email.subscribed", {}),
        ("AutoResponder", "email.unknown", {"event": "AutoResponder"}),
        ("AddressChange", "email.unknown", {}),
        ("ChallengeVerification", "email.unknown", {}),
        ("SpamNotification", "email.complained", {}),
        ("SpamComplaint", "email.complained", {}),
        ("BadEmailAddress", "email.failed", {"reason": "rejected"}),
        ("ManuallyDeactivated", "email.failed", {"reason": "rejected"}),
        ("Unconfirmed", "email.failed", {"reason": "rejected"}),
        ("Blocked", "email.failed", {"reason": "rejected"}),
        ("DMARCPolicy", "email.failed", {"reason": "rejected"}),
        ("SMTPApiError", "email.failed", {"reason": "failed"}),
        ("TemplateRenderingFailed", "email.failed", {"reason": "failed"}),
        ("OpenRelayTest", "email.unknown", {}),
        ("Unknown", "email.unknown", {}),
        ("InboundError", "email.unknown", {}),
        ("OfTomorrow", "email.unknown", {}),
    ],
)
def test_each_kind_of_bounce_has_its_type(source: PostmarkEvents, bounce: str, type: str, says: dict[str, Any]) -> None:
    event = read(source, {**BOUNCE, "Type": bounce})

    assert event.type == type
    assert {name: event.data[name] for name in says} == says


def test_a_bounce_says_what_the_server_said(source: PostmarkEvents) -> None:
    data = read(source, BOUNCE).data

    assert (data["smtp_code"], data["enhanced_code"], data["subject"]) == (550, "5.1.1", "Test subject")
    assert data["reason"] == data["description"] == BOUNCE["Details"]
    assert read(source, DELIVERY).data["smtp_code"] == 250


def test_opens_and_clicks_say_where_and_with_what(source: PostmarkEvents) -> None:
    data = read(source, CLICK).data

    assert data["url"] == "https://example.com/a"
    assert (data["ip"], data["user_agent"]) == ("188.2.95.4", OPEN["UserAgent"])
    assert data["client"] == {"name": "Chrome 35.0.1916.153", "type": "WebMail", "os": "OS X 10.7 Lion"}
    assert data["location"] == {
        "country": "Serbia", "region": "Autonomna Pokrajina Vojvodina", "city": "Novi Sad",
    }  # fmt: skip


def test_ids_are_the_same_when_postmark_repeats_and_no_others_are(source: PostmarkEvents) -> None:
    samples = [
        DELIVERY, BOUNCE, COMPLAINT, OPEN, CLICK, CHANGE,
        {**CLICK, "OriginalLink": "https://example.com/b"}, {**OPEN, "Recipient": "bob@example.net"},
        {**OPEN, "ReceivedAt": "2019-11-05T16:33:55.9070259Z"}, {**CHANGE, "SuppressSending": False},
    ]  # fmt: skip
    ids = [read(source, sample).id for sample in samples]

    assert ids == [read(source, dict(reversed(sample.items()))).id for sample in samples]
    assert len(set(ids)) == len(ids)
    assert ids[1] == "postmark:Bounce:692560173"
    assert not any("example" in one for one in ids)


@pytest.mark.parametrize("inbound", [{"FromFull": {"Email": "x@example.com"}}, {"RecordType": "Inbound"}])
def test_inbound_mail_at_the_wrong_address_is_no_event(source: PostmarkEvents, inbound: dict[str, Any]) -> None:
    assert source.read(as_json(inbound), CREDENTIALS) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"{}", b'{"RecordType": 7}', b"[" * 100_000, b"\xff"])
def test_what_is_no_event_is_answered_so_that_it_is_not_repeated(source: PostmarkEvents, body: bytes) -> None:
    assert WebhookReceiver(source=source).receive(body, headers=CREDENTIALS).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("postmark", "another"),
        basic("another", "secret of the hook"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic Ã©"},
        {"Authorization": "Bearer secret of the hook"},
    ],
)
def test_without_the_credentials_a_call_is_asked_for_them(source: PostmarkEvents, headers: dict[str, str]) -> None:
    answer = WebhookReceiver(source=source).receive(as_json(DELIVERY), headers=headers)

    # Not 403: after a password has been mended, what was refused comes again.
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert "secret" not in answer.text
    with pytest.raises(WebhookSignatureError):
        source.read(as_json(DELIVERY), headers)


def test_headers_can_take_the_place_of_a_password() -> None:
    source = PostmarkEvents(headers={"X-Hook-Key": SecretStr("abc"), "X-Shop": "1"})

    assert source.read(as_json(DELIVERY), {"x-hook-key": "abc", "X-SHOP": "1"})[0].type == "email.delivered"
    for wrong in ({}, {"X-Hook-Key": "abc"}, {"X-Hook-Key": "abd", "X-Shop": "1"}, {"X-Hook-Key": "é", "X-Shop": "1"}):
        answer = WebhookReceiver(source=source).receive(as_json(DELIVERY), headers=wrong)
        assert (answer.status, answer.headers) == (401, {})


def test_headers_count_beside_a_password() -> None:
    source = PostmarkEvents(username="postmark", password="secret of the hook", headers={"X-Hook-Key": "abc"})

    assert source.read(as_json(DELIVERY), {**CREDENTIALS, "X-Hook-Key": "abc"})
    with pytest.raises(WebhookSignatureError):
        source.read(as_json(DELIVERY), CREDENTIALS)
    with pytest.raises(WebhookSignatureError):
        source.read(as_json(DELIVERY), {"X-Hook-Key": "abc"})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"headers": {}},
        {"username": "", "password": ""},
        {"username": "postmark"},
        {"password": "secret of the hook"},
        {"username": "postmark", "password": " "},
        {"username": "post:mark", "password": "secret of the hook"},
        {"username": "postmark", "password": 7},
        {"headers": {"X-Hook-Key": ""}},
        {"headers": {"": "abc"}},
        {"headers": {"X-Key": "abc", "x-key": "abd"}},
        {"username": "postmark", "password": "secret of the hook", "headers": {"Authorization": "x"}},
    ],
)
def test_settings_that_would_let_anybody_in_are_refused_at_once(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        PostmarkEvents(**settings)
    assert "secret of" not in str(caught.value)


def test_nothing_shows_a_password(source: PostmarkEvents) -> None:
    assert repr(source) == "PostmarkEvents()"
    assert "secret" not in repr(vars(source))
