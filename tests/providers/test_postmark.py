"""The adapter of Postmark, one e-mail at a time, against a Postmark that is as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from pathlib import Path
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
from tests.providers.fakes.postmark import SUBMITTED_AT, TEST_TOKEN, FakePostmark

SENDER = "Shop <shop@example.org>"
ADA = "ada@example.net"


@pytest.fixture
def fake() -> Generator[FakePostmark]:
    with FakePostmark() as server:
        yield server


@pytest.fixture
def mailer(fake: FakePostmark) -> Generator[MailBridge]:
    with MailBridge("postmark", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def _body(fake: FakePostmark) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fake.requests[-1].body)
    return found


def test_everything_that_an_email_can_say_arrives(mailer: MailBridge, fake: FakePostmark) -> None:
    response = mailer.send(
        [ADA, "Bob <bob@example.net>"],
        "Größe & Maß",
        "<p>Hi <img src='cid:logo1'></p>",
        cc="cc@example.net",
        bcc=["bcc@example.net"],
        reply_to=["Help <help@example.org>", "more@example.org"],
        headers={"X-Order": "17 €"},
        tags=["receipt"],
        text="Hi",
        metadata={"order": "17"},
        attachments=[
            ("Übersicht.pdf", b"%PDF", "application/pdf"),
            ("einladung.ics", "BEGIN", "text/calendar; method=REQUEST"),
            attachments.from_bytes(b"\x89PNG", "logo.png", content_type="image/png", content_id="logo1"),
        ],
        track_opens=True,
        track_clicks=False,
    )
    (one,) = fake.delivered
    assert fake.requests[0].path == "/email"
    assert one.sender == ("Shop", "shop@example.org")
    assert (one.to, one.cc, one.bcc) == (
        [("", ADA), ("Bob", "bob@example.net")], [("", "cc@example.net")], [("", "bcc@example.net")]
    )  # fmt: skip
    assert one.reply_to == [("Help", "help@example.org"), ("", "more@example.org")]
    assert (one.subject, one.text, one.html) == ("Größe & Maß", "Hi", "<p>Hi <img src='cid:logo1'></p>")
    assert (one.headers, one.tags, one.metadata) == ({"X-Order": "17 €"}, ["receipt"], {"order": "17"})
    assert one.attachments == [
        ("Übersicht.pdf", b"%PDF", "application/pdf", None),
        ("einladung.ics", b"BEGIN", "text/calendar", None),
        ("logo.png", b"\x89PNG", "image/png", "logo1"),
    ]
    assert _body(fake)["Attachments"][1]["ContentType"] == "text/calendar; method=REQUEST"
    assert (one.track_opens, one.track_clicks) == (True, False)
    assert (response.message_id, response.refused) == (one.message_id, {})
    to = f"{ADA}, Bob <bob@example.net>"
    assert response.metadata == {"status_code": 200, "submitted_at": SUBMITTED_AT, "to": to}
    assert ADA not in repr(response)


@pytest.mark.parametrize(
    ("address", "arrives"),
    [
        ('"Lovelace, Ada" <ada@example.net>', ("Lovelace, Ada", ADA)),
        (r'"Ada \"the first\"" <ada@example.net>', ('Ada "the first"', ADA)),
        ("Zoë Müller <ada@example.net>", ("Zoë Müller", ADA)),
        ('"Müller, Zoë (Büro)" <ada@example.net>', ("Müller, Zoë (Büro)", ADA)),
        ("ada@bücher.example", ("", "ada@xn--bcher-kva.example")),
    ],
)
def test_a_display_name_stays_in_one_piece(
    mailer: MailBridge, fake: FakePostmark, address: str, arrives: tuple[str, str]
) -> None:
    mailer.send([address, "bob@example.net"], "Hi", "<p>Hi</p>", from_email=address, reply_to=address)
    (one,) = fake.delivered
    assert one.to == [arrives, ("", "bob@example.net")]
    assert one.sender == arrives
    assert one.reply_to == [arrives]


@pytest.mark.parametrize("template_id", [17, "17", "welcome"])
def test_a_template_goes_where_postmark_takes_templates(
    mailer: MailBridge, fake: FakePostmark, template_id: str | int
) -> None:
    mailer.send(ADA, template_id=template_id, attachments=[("a.txt", "A", "text/plain")], headers={"X-A": "1"})
    mailer.send(ADA, template_id=template_id, template_data={"order": {"lines": [1, 2]}})
    assert {request.path for request in fake.requests} == {"/email/withTemplate"}
    assert [one.template_id for one in fake.delivered] == [str(template_id)] * 2
    # Postmark wants a model also where there is nothing to fill in.
    assert [one.variables for one in fake.delivered] == [{}, {"order": {"lines": [1, 2]}}]
    assert [len(one.attachments) for one in fake.delivered] == [1, 0]
    assert "Subject" not in _body(fake)


def test_a_custom_message_id_is_kept(mailer: MailBridge, fake: FakePostmark) -> None:
    mailer.send(ADA, "Hi", "<p>Hi</p>", headers={"Message-ID": "<1@example.org>", "X-A": "1"})
    assert fake.delivered[0].headers == {"Message-ID": "<1@example.org>", "X-A": "1"}


@pytest.mark.parametrize(
    ("settings", "track_clicks", "links"),
    [
        ({}, None, None),
        ({}, True, "HtmlAndText"),
        ({"track_links": "HtmlOnly"}, None, "HtmlOnly"),
        ({"track_links": "HtmlOnly"}, True, "HtmlOnly"),
        ({"track_links": "None"}, True, "HtmlAndText"),
        ({"track_links": "TextOnly"}, False, "None"),
        ({"track_links": True}, None, "HtmlAndText"),
    ],
)
def test_what_an_email_says_of_clicks_beats_the_setting(
    fake: FakePostmark, settings: dict[str, Any], track_clicks: bool | None, links: str | None
) -> None:
    config: dict[str, Any] = {**fake.settings(), **settings}
    with MailBridge("postmark", **config, from_email=SENDER) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>", track_clicks=track_clicks)
    assert _body(fake).get("TrackLinks") == links


def test_what_an_email_says_of_opens_beats_the_setting(fake: FakePostmark) -> None:
    with MailBridge("postmark", **fake.settings(), track_opens=True, from_email=SENDER) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
        mailer.send(ADA, "Hi", "<p>Hi</p>", track_opens=False)
    assert [one.track_opens for one in fake.delivered] == [True, False]


def test_the_stream_is_a_setting_and_an_option_of_one_email(fake: FakePostmark) -> None:
    with MailBridge("postmark", **fake.settings(), message_stream="broadcast", from_email=SENDER) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
        mailer.send(ADA, "Hi", "<p>Hi</p>", options={"postmark": {"MessageStream": "outbound", "InlineCss": True}})
    streams: list[dict[str, Any]] = [one.options for one in fake.delivered]
    assert streams == [{"MessageStream": "broadcast"}, {"MessageStream": "outbound", "InlineCss": True}]


def test_the_test_token_sends_nothing(fake: FakePostmark) -> None:
    settings: dict[str, Any] = {**fake.settings(), "server_token": TEST_TOKEN}
    with MailBridge("postmark", **settings, from_email=SENDER) as mailer:
        assert mailer.send(ADA, "Hi", "<p>Hi</p>").message_id
    assert fake.delivered == []


def test_a_kept_idempotency_key_comes_back_with_the_events(fake: FakePostmark) -> None:
    with MailBridge("postmark", **fake.settings(), from_email=SENDER, keys=MemoryKeyStore()) as mailer:
        mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-17", metadata={"a": "1"})
        assert mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-17").replayed
        # Postmark takes no longer value, and the key is only there to find the e-mail again.
        assert mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="k" * 81).success
        ten = {f"n{n}": "x" for n in range(10)}
        assert mailer.send(ADA, "Hi", "<p>Hi</p>", idempotency_key="order-18", metadata=ten).success
    assert [one.metadata for one in fake.delivered] == [{"a": "1", "poststack_key": "order-17"}, {}, ten]


_BIG = "é" * (3 * 2**20)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"tags": ["a", "b"]}, "tags"),
        ({"tags": ["a" * 1001]}, "tags"),
        ({"metadata": {"x" * 21: "1"}}, "metadata"),
        ({"metadata": {"Key": "1", "kEY": "2"}}, "metadata"),
        ({"scheduled_at": datetime.now(timezone.utc) + timedelta(hours=1)}, "scheduled_at"),
        ({"idempotency_key": "k"}, "idempotency_key"),
        ({"template_id": "welcome"}, "subject"),
        ({"template_id": "welcome", "subject": None}, "body"),
        ({"cc": [f"u{n}@example.net" for n in range(50)]}, "to"),
        ({"to": "zoë@example.net"}, "to"),
        ({"body": _BIG}, "body"),
        ({"text": _BIG}, "body"),
        ({"attachments": [("a.bin", b"x" * 7_900_000, "application/octet-stream")]}, "attachments"),
        ({"template_id": "welcome", "subject": None, "body": None, "template_data": {"a": _BIG * 2}}, "template_data"),
        ({"options": {"postmark": {"Subject": "Other"}}}, "options"),
        ({"options": {"postmark": {"templatemodel": {}}}}, "options"),
        ({"options": {"postmark": {"TrackLinks": "HtmlOnly"}}, "track_clicks": True}, "options"),
    ],
)  # fmt: skip
def test_what_postmark_cannot_say_is_named_and_nothing_sent(
    mailer: MailBridge, fake: FakePostmark, said: dict[str, Any], field: str
) -> None:
    fields: dict[str, Any] = {"to": ADA, "subject": "Hi", "body": "<p>Hi</p>", **said}
    with pytest.raises(UnsupportedFieldError, match="Postmark") as caught:
        mailer.send(**fields)
    assert (caught.value.field, caught.value.provider) == (field, "postmark")
    assert fake.requests == []


def test_told_to_drop_it_warns_and_sends_the_rest(fake: FakePostmark) -> None:
    mailer = MailBridge("postmark", **fake.settings(), from_email=SENDER, unsupported="drop")
    with mailer, pytest.warns(UnsupportedFieldWarning) as warned:
        mailer.send(
            ADA,
            "Hi",
            "<p>Hi</p>",
            template_id="welcome",
            tags=["a", "b"],
            metadata={"Key": "1", "kEY": "2", "x" * 21: "3"},
            options={"postmark": {"From": "x", "InlineCss": False}},
            scheduled_at=datetime.now(timezone.utc) + timedelta(hours=1),
        )
    fields = {str(one.message).split("`")[1] for one in warned}
    assert fields == {"subject", "body", "tags", "metadata", "options", "scheduled_at"}
    (one,) = fake.delivered
    assert (one.template_id, one.subject, one.html) == ("welcome", None, None)
    assert (one.tags, one.metadata, one.options) == (["a"], {"Key": "1"}, {"InlineCss": False})


def test_options_may_say_what_only_postmark_tracks(mailer: MailBridge, fake: FakePostmark) -> None:
    mailer.send(ADA, "Hi", "<p>Hi</p>", options={"postmark": {"TrackLinks": "TextOnly"}})
    assert _body(fake)["TrackLinks"] == "TextOnly"


def test_the_largest_email_goes_through(mailer: MailBridge, fake: FakePostmark, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 7_800_000)
    assert mailer.send(ADA, "Hi", "<p>Hi</p>", attachments=[file]).success
    assert len(fake.delivered[0].attachments[0][1]) == 7_800_000


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"server_token": ""}, {"server_token": "t", "endpoint": "api.postmarkapp.com/email"},
        {"server_token": "t", "endpoint": "https://api.postmarkapp.com"}, {"server_token": "t", "track_links": "All"},
        {"server_token": "t", "track_opens": "yes"}, {"server_token": "t", "message_stream": ""},
        {"server_token": "t", "mesage_stream": "x"},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"token|endpoint|track_links|track_opens|message_stream"):
        MailBridge("postmark", **settings)
