"""What an e-mail says to SendGrid, against a SendGrid that is as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack import attachments
from poststack.mailbridge import (
    ConfigurationError,
    MailBridge,
    MemoryKeyStore,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.transports.base import HttpRequest, HttpResponse
from tests.providers.fakes.sendgrid import API_KEY, LEGACY, FakeSendGrid

SENDER = "Shop <shop@example.org>"
ADA = "ada@example.net"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSendGrid) -> Generator[MailBridge]:
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def _body(fake: FakeSendGrid) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fake.requests[-1].body)
    return found


def _now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("address", "arrives"),
    [
        ('"Lovelace, Ada" <ada@example.net>', ("Lovelace, Ada", ADA)),
        ('"Ada; the first" <ada@example.net>', ("Ada; the first", ADA)),
        (r'"Ada \"the first\"" <ada@example.net>', ('Ada "the first"', ADA)),
        ("Zoë Müller <ada@example.net>", ("Zoë Müller", ADA)),
        ("Ada <ada@bücher.example>", ("Ada", "ada@xn--bcher-kva.example")),
    ],
)
def test_display_names_travel_apart_from_addresses(
    mailer: MailBridge, fake: FakeSendGrid, address: str, arrives: tuple[str, str]
) -> None:
    response = mailer.send([address], "Hi", "<p>Hi</p>", address, cc="Bob <bob@example.net>", reply_to=address)
    (one,) = fake.delivered
    assert (one.to, one.cc) == ([arrives], [("Bob", "bob@example.net")])
    assert (one.sender, one.reply_to) == (arrives, [arrives])
    assert response.message_id == one.message_id


def test_text_comes_before_html_and_nothing_empty_is_sent(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(ADA, "Hi", "<p>Hi</p>", text="Hi")
    assert _body(fake)["content"] == [
        {"type": "text/plain", "value": "Hi"},
        {"type": "text/html", "value": "<p>Hi</p>"},
    ]
    mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert set(_body(fake)) == {"personalizations", "from", "subject", "content"}
    assert set(_body(fake)["personalizations"][0]) == {"to", "subject"}


def test_one_and_several_reply_addresses_are_written_differently(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(ADA, "Hi", "<p>Hi</p>", reply_to=["a@example.org", "B <b@example.org>"])
    assert fake.delivered[0].reply_to == [("", "a@example.org"), ("B", "b@example.org")]
    assert "reply_to" not in _body(fake)


def test_headers_outside_ascii_are_written_in_encoded_words(mailer: MailBridge, fake: FakeSendGrid) -> None:
    long = "Größe " * 40
    mailer.send(ADA, "Hi", "<p>Hi</p>", headers={"X-Plain": "17", "X-Price": "17 €", "X-Long": long.strip()})
    assert fake.delivered[0].headers == {"X-Plain": "17", "X-Price": "17 €", "X-Long": long.strip()}
    written = _body(fake)["personalizations"][0]["headers"]
    assert written["X-Plain"] == "17"
    assert max(len(word) for word in written["X-Long"].split()) <= 75


@pytest.mark.parametrize("name", ["Subject", "to", "Reply-To", "CC", "Content-Type", "DKIM-Signature", "received"])
def test_headers_that_sendgrid_writes_are_refused_before_anything_is_sent(
    mailer: MailBridge, fake: FakeSendGrid, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        mailer.send(ADA, "Hi", "<p>Hi</p>", headers={name: "x"})
    assert fake.requests == []


def test_files_have_a_bare_type_and_inline_ones_an_id(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(
        ADA,
        "Hi",
        "<img src='cid:logo1'>",
        attachments=[
            ("Übersicht.csv", "a;ü", "text/csv; charset=utf-8"),
            attachments.from_bytes(b"\x89PNG", "logo.png", content_id="logo1"),
        ],
    )
    (one,) = fake.delivered
    assert one.attachments == [
        ("Übersicht.csv", "a;ü".encode(), "text/csv", None),
        ("logo.png", b"\x89PNG", "image/png", "logo1"),
    ]
    assert [file["disposition"] for file in _body(fake)["attachments"]] == ["attachment", "inline"]
    assert _body(fake)["attachments"][0]["type"] == "text/csv"


@pytest.mark.parametrize("hours", [0.01, 71.99])
def test_a_schedule_is_whole_seconds_since_1970(mailer: MailBridge, fake: FakeSendGrid, hours: float) -> None:
    at = _now() + timedelta(hours=hours)
    mailer.send(ADA, "Hi", "<p>Hi</p>", scheduled_at=at.astimezone(timezone(timedelta(hours=9))))
    assert fake.delivered[0].scheduled_at == int(at.timestamp())


def test_tracking_is_said_only_when_it_is_asked_for(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(ADA, "Hi", "<p>Hi</p>", track_opens=False)
    assert _body(fake)["tracking_settings"] == {"open_tracking": {"enable": False}}
    mailer.send(ADA, "Hi", "<p>Hi</p>", track_clicks=True)
    assert _body(fake)["tracking_settings"] == {"click_tracking": {"enable": True, "enable_text": True}}


def test_dynamic_templates_take_any_json_and_legacy_ones_texts(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(ADA, template_id="d-17", template_data={"order": {"lines": [1, None]}})
    mailer.send(ADA, "Hi", "<p><%body%></p>", template_id=LEGACY, template_data={"-name-": "Ada"})
    personal: list[dict[str, Any]] = [json.loads(request.body)["personalizations"][0] for request in fake.requests]
    assert personal[0]["dynamic_template_data"] == {"order": {"lines": [1, None]}}
    assert personal[1]["substitutions"] == {"-name-": "Ada"}
    assert fake.delivered[1].html == "<p><%body%></p>"


def test_what_only_sendgrid_has_goes_beside_what_all_have(mailer: MailBridge, fake: FakeSendGrid) -> None:
    options = {"asm": {"group_id": 7}, "tracking_settings": {"subscription_tracking": {"enable": False}}}
    mailer.send(ADA, "Hi", "<p>Hi</p>", track_opens=True, options={"sendgrid": options})
    assert fake.delivered[0].options == {"asm": {"group_id": 7}}
    assert _body(fake)["tracking_settings"] == {
        "subscription_tracking": {"enable": False},
        "open_tracking": {"enable": True},
    }


def test_sandbox_sends_nothing_whatever_else_is_set(fake: FakeSendGrid) -> None:
    with MailBridge("sendgrid", **fake.settings(), sandbox=True, from_email=SENDER) as mailer:
        response = mailer.send(ADA, "Hi", "<p>Hi</p>")
        options = {"mail_settings": {"bypass_list_management": {"enable": True}}}
        mailer.send(ADA, "Hi", "<p>Hi</p>", options={"sendgrid": options})
    assert (response.success, response.message_id) == (True, None)
    assert fake.delivered == []
    assert _body(fake)["mail_settings"] == {**options["mail_settings"], "sandbox_mode": {"enable": True}}


def test_one_email_can_be_checked_in_the_sandbox(mailer: MailBridge, fake: FakeSendGrid) -> None:
    options = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert mailer.send(ADA, "Hi", "<p>Hi</p>", options={"sendgrid": options}).success
    assert fake.delivered == []


def test_a_kept_idempotency_key_comes_back_with_the_events(fake: FakeSendGrid) -> None:
    large = {"a": "x" * 9_990}
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, keys=MemoryKeyStore()) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-17", metadata={"a": "1"})
        assert mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-17").replayed
        assert mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-18", metadata=large).success
    assert [one.metadata for one in fake.delivered] == [{"a": "1", "poststack_key": "order-17"}, large]


def test_the_most_of_everything_goes_through(mailer: MailBridge, fake: FakeSendGrid) -> None:
    mailer.send(
        [f"u{n}@example.net" for n in range(1000)],
        "Hi",
        "<p>Hi</p>",
        tags=[str(n) + "x" * 254 for n in range(10)],
        metadata={"é": "é" * 4_995},
        attachments=[("a.bin", b"x" * 19_000_000, "application/octet-stream")],
    )
    (one,) = fake.delivered
    assert (len(one.to), len(one.tags), len(one.metadata["é"])) == (1000, 10, 4_995)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"tags": ["é"]}, "tags"),
        ({"tags": ["x" * 256]}, "tags"),
        ({"tags": [str(n) for n in range(11)]}, "tags"),
        ({"metadata": {"a": "é" * 4_997}}, "metadata"),
        ({"headers": {"X-SG-EID": "1"}}, "headers"),
        ({"scheduled_at": _now() + timedelta(hours=73)}, "scheduled_at"),
        ({"idempotency_key": "k"}, "idempotency_key"),
        ({"cc": [f"u{n}@example.net" for n in range(1000)]}, "to"),
        ({"reply_to": [f"u{n}@example.net" for n in range(1001)]}, "reply_to"),
        ({"bcc": "zoë@example.net"}, "to"),
        ({"attachments": [("empty.txt", b"", "text/plain")]}, "attachments"),
        ({"attachments": [("a.bin", b"x" * 20_000_001, "application/octet-stream")]}, "attachments"),
        ({"body": "é" * 10_000_001}, "body"),
        ({"body": '"' * 16_000_000}, "body"),
        ({"template_id": "d-17"}, "body"),
        ({"template_id": "d-17", "body": None, "template_data": {"a": "x" * 30_000_000}}, "template_data"),
        ({"template_id": LEGACY, "template_data": {"-n-": 17}}, "template_data"),
        ({"template_id": LEGACY, "template_data": {"-n-": "é" * 5_000}}, "template_data"),
        ({"options": {"sendgrid": {"send_at": 1}}}, "options"),
        ({"options": {"sendgrid": {"custom_args": {"a": "b"}}}}, "options"),
        ({"options": {"sendgrid": {"tracking_settings": {"open_tracking": {}}}}, "track_opens": True}, "options"),
    ],
)
def test_what_sendgrid_cannot_say_is_named_and_nothing_sent(
    mailer: MailBridge, fake: FakeSendGrid, said: dict[str, Any], field: str
) -> None:
    fields: dict[str, Any] = {"to": ADA, "subject": "Hi", "body": "<p>Hi</p>", **said}
    with pytest.raises(UnsupportedFieldError, match="SendGrid") as caught:
        mailer.send(**fields)
    assert (caught.value.field, caught.value.provider) == (field, "sendgrid")
    assert fake.requests == []


def test_told_to_drop_it_warns_and_sends_the_rest(fake: FakeSendGrid) -> None:
    mailer = MailBridge("sendgrid", **fake.settings(), from_email=SENDER, unsupported="drop")
    with mailer, pytest.warns(UnsupportedFieldWarning) as warned:
        mailer.send(
            ADA,
            "Hi",
            "<p>Hi</p>",
            template_id="d-17",
            tags=["é", "receipt"],
            headers={"X-SG-ID": "1", "X-A": "1"},
            metadata={"a": "x" * 10_000},
            attachments=[("empty.txt", b"", "text/plain"), ("a.txt", b"A", "text/plain")],
            scheduled_at=_now() + timedelta(hours=73),
            track_opens=True,
            options={"sendgrid": {"subject": "x", "tracking_settings": {"open_tracking": {"enable": False}}}},
        )
    fields = {str(one.message).split("`")[1] for one in warned}
    assert fields == {"body", "tags", "headers", "metadata", "attachments", "scheduled_at", "options"}
    (one,) = fake.delivered
    assert (one.subject, one.html, one.tags, one.headers, one.metadata) == ("Hi", None, ["receipt"], {"X-A": "1"}, {})
    assert ([file[0] for file in one.attachments], one.scheduled_at, one.track_opens) == (["a.txt"], None, True)


class _Noting:
    """A transport that takes everything and notes where it should have gone."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.urls.append(request.url)
        return HttpResponse(202, {"x-message-id": "1"})

    def close(self) -> None:
        """Nothing to release."""


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://api.sendgrid.com/v3/mail/send"),
        ({"region": "us"}, "https://api.sendgrid.com/v3/mail/send"),
        ({"region": "eu"}, "https://api.eu.sendgrid.com/v3/mail/send"),
        ({"endpoint": "https://relay.example/send/"}, "https://relay.example/send"),
    ],
)
def test_the_region_chooses_the_host(settings: dict[str, Any], url: str) -> None:
    transport = _Noting()
    with MailBridge("sendgrid", api_key=API_KEY, from_email=SENDER, transport=transport, **settings) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert transport.urls == [url]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"api_key": " "},
        {"api_key": "SG.a b"},
        {"api_key": "k", "region": "mars"},
        {"api_key": "k", "sandbox": "false"},
        {"api_key": "k", "endpoint": "https://api.sendgrid.com"},
        {"api_key": "k", "endpoint": "ftp://api.sendgrid.com/v3"},
        {"api_key": "k", "endpoint": "https://api.sendgrid.com/v3/mail/send", "region": "eu"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"api_key|region|sandbox|endpoint"):
        MailBridge("sendgrid", **settings)
