"""The adapter of SMTP against a mail server that is as strict as one should be."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    InvalidMessageError,
    MailBridge,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from tests.providers.fakes.smtp import FakeSmtp

SENDER = "Shop <shop@example.org>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def fake() -> Generator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSmtp) -> Generator[MailBridge]:
    with MailBridge("smtp", **fake.settings(), from_email=SENDER, max_retries=0) as bridge:
        yield bridge


def test_an_email_arrives_whole(mailer: MailBridge, fake: FakeSmtp) -> None:
    response = mailer.send(
        ['"Lovelace, Ada" <ada@example.net>', "Zoë <zoe@example.net>"],
        "Grüße",
        "<p>Hi <img src='cid:logo'></p>",
        text="Hi\n.\n.. dots\nat the start",
        cc="Bob <bob@example.net>",
        bcc=["secret@example.net"],
        reply_to=["help@example.org", '"Ops, Team" <ops@example.org>'],
        headers={"X-Order": "7", "List-Unsubscribe": "<https://example.org/u>"},
        tags=["welcome", "größe"],
        metadata={"order": "42", "note": "ä =?utf-8?q?x?= ,"},
        attachments=[
            ("Übersicht; final.pdf", b"%PDF-1.4", "application/pdf"),
            {"filename": "logo.png", "content": _base64(PNG), "content_type": "image/png", "content_id": "logo"},
        ],
    )
    (one,) = fake.delivered
    assert one.message_id == response.message_id
    assert one.sender == ("Shop", "shop@example.org")
    assert one.to == [("Lovelace, Ada", "ada@example.net"), ("Zoë", "zoe@example.net")]
    assert (one.cc, one.bcc) == ([("Bob", "bob@example.net")], [("", "secret@example.net")])
    assert one.reply_to == [("", "help@example.org"), ("Ops, Team", "ops@example.org")]
    assert (one.subject, one.html) == ("Grüße", "<p>Hi <img src='cid:logo'></p>")
    assert one.text == "Hi\n.\n.. dots\nat the start"
    assert one.headers == {"X-Order": "7", "List-Unsubscribe": "<https://example.org/u>"}
    assert one.tags == ["welcome", "größe"]
    assert one.metadata == {"order": "42", "note": "ä =?utf-8?q?x?= ,"}
    assert sorted(one.attachments) == [
        ("logo.png", PNG, "image/png", "logo"),
        ("Übersicht; final.pdf", b"%PDF-1.4", "application/pdf", None),
    ]


def test_the_response_keeps_what_the_server_said(mailer: MailBridge) -> None:
    response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert response.request_id == "Q1"
    assert response.metadata == {"status_code": 250, "reply": "2.0.0 Ok: queued as Q1"}


def test_domains_travel_in_ascii_and_need_no_smtputf8(fake: FakeSmtp) -> None:
    fake.knows_utf8 = False
    with MailBridge("smtp", **fake.settings(), from_email="Büro <info@bücher.example>") as mailer:
        response = mailer.send("Jörg <j@straße.example>", "Hi", "<p>Grüße</p>")
    (one,) = fake.delivered
    assert one.sender == ("Büro", "info@xn--bcher-kva.example")
    assert one.to == [("Jörg", "j@xn--strae-oqa.example")]
    assert str(response.message_id).endswith("@xn--bcher-kva.example")
    assert not any("SMTPUTF8" in options for options in fake.sessions[0].mail_options)


def test_smtputf8_is_asked_for_when_a_local_part_needs_it(mailer: MailBridge, fake: FakeSmtp) -> None:
    assert mailer.send(["jörg@example.net", "ada@example.net"], "Hi", "<p>Hi</p>").success
    (one,) = fake.delivered
    assert one.to == [("", "jörg@example.net"), ("", "ada@example.net")]
    assert "SMTPUTF8" in fake.sessions[0].mail_options[0]


def test_without_smtputf8_only_a_hidden_recipient_that_needs_it_is_refused(mailer: MailBridge, fake: FakeSmtp) -> None:
    fake.knows_utf8 = False
    response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>", bcc=["jörg@example.net"])
    assert list(response.refused) == ["jörg@example.net"]
    assert fake.delivered[0].bcc == []
    # In a header the address would be everybody's, so nobody can get that e-mail.
    with pytest.raises(EmailSendError, match="no SMTPUTF8") as caught:
        mailer.send(["jörg@example.net", "ada@example.net"], "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == ("invalid_recipient", None)
    assert len(fake.delivered) == 1


def test_own_message_id_and_date_replace_ours(mailer: MailBridge, fake: FakeSmtp) -> None:
    date = "Tue, 01 Dec 2026 09:30:00 +0100"
    headers = {"Message-Id": "<order-7@example.org>", "Date": date}
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>", headers=headers).message_id == "order-7@example.org"
    assert date.encode() in fake.contents[0]


@pytest.mark.parametrize("headers", [{"Message-ID": "7"}, {"Date": "tomorrow"}, {"X-Long": "x" * 999}])
def test_headers_that_no_email_can_have_are_named(mailer: MailBridge, fake: FakeSmtp, headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedFieldError, match="`headers`: SMTP takes"):
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", headers=headers)
    assert fake.sessions == []


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("template_id", {"template_id": "welcome"}),
        ("scheduled_at", {"scheduled_at": datetime.now(timezone.utc) + timedelta(hours=1)}),
        ("idempotency_key", {"idempotency_key": "k"}),
        ("track_opens", {"track_opens": False}),
        ("track_clicks", {"track_clicks": True}),
        ("metadata", {"metadata": {"token": "x" * 1000}}),
        ("headers", {"metadata": {"a": "b"}, "headers": {"X-Metadata": "mine"}}),
        ("options", {"options": {"smtp": {"dsn": "never"}}}),
    ],
)
def test_what_an_email_cannot_say_is_named(
    mailer: MailBridge, fake: FakeSmtp, field: str, given: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", **given)
    assert (caught.value.field, caught.value.provider) == (field, "smtp")
    assert fake.sessions == []


def test_dropped_is_only_what_was_asked_to_be(fake: FakeSmtp) -> None:
    with (
        MailBridge("smtp", **fake.settings(), from_email=SENDER, unsupported="drop") as mailer,
        pytest.warns(UnsupportedFieldWarning, match="`track_opens`: SMTP"),
    ):
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", track_opens=True, metadata={"a": "b"})
    assert fake.delivered[0].metadata == {"a": "b"}


@pytest.mark.parametrize(
    "given",
    [
        {"subject": "Hi\r\nBcc: x@example.net"},
        {"subject": "Hi\n"},
        {"headers": {"X-A\r\nBcc": "x@example.net"}},
        {"headers": {"X-A": "b\r\nBcc: x@example.net"}},
        {"to": "Ada\r\nBcc: x@example.net <ada@example.net>"},
        {"tags": ["a\nb"]},
        {"attachments": [("a\r\nX: y.txt", b"", "text/plain")]},
    ],
)
def test_defect_12_line_breaks_reach_no_header(mailer: MailBridge, fake: FakeSmtp, given: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>", **given}
    with pytest.raises(InvalidMessageError):
        mailer.send(**fields)
    assert fake.sessions == []


def test_lone_line_breaks_in_texts_end_no_email(mailer: MailBridge, fake: FakeSmtp) -> None:
    html = "<p>a</p>\n.\n<p>b</p>\r.\r<p>c</p>\r\n.\r\nRSET"
    mailer.send("ada@example.net", "Hi", html, text="x\n.\rMAIL FROM:<a@b>")
    (one,) = fake.delivered
    assert one.html == "<p>a</p>\n.\n<p>b</p>\n.\n<p>c</p>\n.\nRSET"
    assert one.text == "x\n.\nMAIL FROM:<a@b>"
    assert fake.sessions[0].commands.count("MAIL") == 1


@pytest.mark.parametrize(
    ("verb", "reply", "kind", "code"),
    [
        ("CONNECT", "554 5.7.1 Client host blocked", "auth", "5.7.1"),
        ("CONNECT", "421 4.3.2 Service shutting down", "unavailable", "4.3.2"),
        ("EHLO", "550 Who are you", "auth", None),
        ("MAIL", "530 5.7.0 Authentication required", "auth", "5.7.0"),
        ("MAIL", "550 5.1.8 Domain not found", "sender_not_verified", "5.1.8"),
        ("MAIL", "553 5.7.1 Sender address rejected: not owned by user", "sender_not_verified", "5.7.1"),
        ("MAIL", "552 5.3.4 Message too big", "payload_too_large", "5.3.4"),
        ("MAIL", "452 4.3.1 Insufficient system storage", "unavailable", "4.3.1"),
        ("MAIL", "501 5.5.4 Syntax", "invalid_request", "5.5.4"),
        ("MAIL", "555 No such parameter", "invalid_request", None),
        ("RCPT", "550 5.1.1 No such user", "invalid_recipient", "5.1.1"),
        ("RCPT", "553 Mailbox name not allowed", "invalid_recipient", None),
        ("RCPT", "501 5.1.3 Bad recipient address syntax", "invalid_recipient", "5.1.3"),
        ("RCPT", "552 5.2.2 Mailbox full", "invalid_recipient", "5.2.2"),
        ("RCPT", "554 5.7.1 Relay access denied", "auth", "5.7.1"),
        ("RCPT", "550 5.4.5 Daily sending quota exceeded", "quota", "5.4.5"),
        ("RCPT", "450 4.2.1 Mailbox busy", "unavailable", "4.2.1"),
        ("RCPT", "452 4.5.3 Too many recipients", "rate_limited", "4.5.3"),
        ("DATA", "451 4.3.0 Try again later", "unavailable", "4.3.0"),
        ("DATA", "554 5.5.1 No valid recipients", "invalid_request", "5.5.1"),
        ("END", "554 5.7.1 Looks like spam", "invalid_request", "5.7.1"),
        ("END", "550 5.1.1 No such user", "invalid_recipient", "5.1.1"),
        ("END", "552 Too much mail data", "payload_too_large", None),
        ("END", "421 4.4.2 Timeout", "unavailable", "4.4.2"),
        ("END", "421 4.7.28 Unusual rate of mail", "rate_limited", "4.7.28"),
        ("END", "454 Throttling failure: Maximum sending rate exceeded.", "rate_limited", None),
        ("END", "454 Throttling failure: Daily message quota exceeded.", "quota", None),
        ("END", "554 Message rejected: Email address is not verified.", "sender_not_verified", None),
        ("END", "354 What", "ambiguous", None),
    ],
)
def test_what_a_reply_means(
    mailer: MailBridge, fake: FakeSmtp, verb: str, reply: str, kind: str, code: str | None
) -> None:
    fake.once(verb, reply)
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code, caught.value.code) == (kind, int(reply[:3]), code)
    assert reply[10:] in str(caught.value)
    assert fake.delivered == []


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        ("450 4.7.1 Client host rejected", 300.0),
        ("451 4.7.1 Greylisted, please try again in 120 seconds", 120.0),
        ("450 4.2.0 Greylisted", 300.0),
        ("451 4.7.0 Temporary, try again in 5 minutes", 300.0),
        ("450 4.2.1 Busy", None),
    ],
)
def test_a_server_that_puts_off_is_tried_after_the_time_it_asks_for(
    mailer: MailBridge, fake: FakeSmtp, reply: str, seconds: float | None
) -> None:
    fake.once("RCPT", reply)
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.retry_after) == ("unavailable", seconds)


def test_a_reply_that_puts_off_is_tried_again(fake: FakeSmtp) -> None:
    fake.once("END", "451 4.3.0 Try again later")
    with MailBridge("smtp", **fake.settings(), from_email=SENDER) as mailer:
        assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    # On the same connection, in order again.
    assert fake.sessions[0].commands == ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA"]


def test_defect_9_a_refused_recipient_is_reported_while_the_others_get_the_email(
    mailer: MailBridge, fake: FakeSmtp
) -> None:
    fake.refusals["gone@example.net"] = "550 5.1.1 No such user"
    response = mailer.send(["ada@example.net", "gone@example.net"], "Hi", "<p>Hi</p>", cc=["bob@example.net"])
    assert response.success
    assert response.refused == {"gone@example.net": "SMTP answered 550: 5.1.1 No such user"}
    assert len(fake.delivered) == 1


def test_an_email_that_all_recipients_refuse_is_not_sent(mailer: MailBridge, fake: FakeSmtp) -> None:
    fake.refusals = {"a@example.net": "550 5.1.1 No such user", "b@example.net": "450 4.2.1 Busy"}
    (response,) = mailer.respond([EmailMessageDto(["a@example.net", "b@example.net"], "Hi", "<p>Hi</p>")])
    # The one that is put off may still get it.
    assert (response.success, response.kind) == (False, "unavailable")
    assert sorted(response.refused) == ["a@example.net", "b@example.net"]
    assert "DATA" not in fake.sessions[0].commands


def test_more_recipients_than_the_server_takes_get_it_in_several_transactions(
    mailer: MailBridge, fake: FakeSmtp
) -> None:
    fake.most_recipients = 3
    fake.refusals["u1@example.net"] = "550 5.1.1 No such user"
    response = mailer.send([f"u{n}@example.net" for n in range(10)], "Hi", "<p>Hi</p>")
    assert list(response.refused) == ["u1@example.net"]
    reached = [[address for _, address in one.bcc] for one in fake.delivered]
    assert len(fake.delivered) == 3
    assert len({one.message_id for one in fake.delivered}) == 1
    assert reached == [[], [], []]  # Everybody is in To, in each copy.
    assert fake.sessions[0].commands.count("MAIL") == 3


def test_a_transaction_that_fails_after_another_leaves_the_rest_refused(mailer: MailBridge, fake: FakeSmtp) -> None:
    fake.most_recipients = 2
    fake.refusals["u3@example.net"] = "421 4.3.2 Shutting down"
    response = mailer.send([f"u{n}@example.net" for n in range(5)], "Hi", "<p>Hi</p>")
    assert response.success
    assert sorted(response.refused) == ["u2@example.net", "u3@example.net", "u4@example.net"]


def test_the_size_is_compared_with_the_servers_limit_before_anything_is_said(
    mailer: MailBridge, fake: FakeSmtp
) -> None:
    fake.size = 100_000
    with pytest.raises(EmailSendError, match="the server takes 100000") as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", attachments=[("a.bin", bytes(90_000), "application/x")])
    assert (caught.value.kind, caught.value.status_code) == ("payload_too_large", None)
    assert fake.sessions[0].commands == ["EHLO"]


def test_the_sender_is_the_username_where_none_is_given() -> None:
    with FakeSmtp(requires_login=True) as fake:
        settings: dict[str, Any] = {**fake.settings(), "allow_insecure_auth": True}
        with MailBridge("smtp", **settings) as mailer:
            mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
        with MailBridge("smtp", **settings, from_email=SENDER) as mailer:
            mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert [one.sender for one in fake.delivered] == [("", "shop@example.org"), ("Shop", "shop@example.org")]


def test_outcomes_of_a_bulk_are_in_order(fake: FakeSmtp) -> None:
    fake.refusals["u7@example.net"] = "550 5.1.1 No such user"
    messages = [EmailMessageDto(f"u{n}@example.net", f"For {n}", "<p>Hi</p>") for n in range(40)]
    with MailBridge("smtp", **fake.settings(), from_email=SENDER) as mailer:
        result = mailer.send_bulk(messages)
        assert not mailer.supports_bulk_sending()
        assert not mailer.supports_templates()
    assert list(result.failures) == [7]
    ids = {one.subject: one.message_id for one in fake.delivered}
    assert all(r.message_id == ids.get(f"For {n}") for n, r in enumerate(result.responses))


def test_asynchronously_the_same_arrives(fake: FakeSmtp) -> None:
    async def main() -> None:
        async with AsyncMailBridge("smtp", **fake.settings(), from_email=SENDER) as mailer:
            response = await mailer.send("Zoë <zoe@example.net>", "Hi", "<p>Hi</p>", text=".\n", tags=["a"])
            assert response.message_id == fake.delivered[0].message_id

    asyncio.run(main())
    (one,) = fake.delivered
    assert (one.to, one.tags, one.text) == ([("Zoë", "zoe@example.net")], ["a"], ".")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "needs the setting 'host'"),
        ({"host": ""}, "`host`, and it is empty"),
        ({"host": "x" * 64 + ".example"}, "`host` is the name of a server"),
        ({"host": "mx.example", "port": "25"}, "`port` is a number"),
        ({"host": "mx.example", "port": 70000}, "`port` is a number"),
        ({"host": "mx.example", "username": "me"}, "either `password` or `oauth_token`"),
        ({"host": "mx.example", "username": "me", "password": ""}, "either `password` or `oauth_token`"),
        ({"host": "mx.example", "username": "me", "password": "p", "oauth_token": str}, "either `password` or"),
        ({"host": "mx.example", "password": "hunter2"}, "no `username`"),
        ({"host": "mx.example", "username": "me", "oauth_token": "abc"}, "is a function that returns a token"),
        ({"host": "mx.example", "username": "me", "password": "p", "use_tls": False}, "without encryption"),
        ({"host": "mx.example", "username": "a\0", "password": "p"}, "contains a NUL"),
        ({"host": "mx.example", "max_connections": 0}, "at least 1"),
        ({"host": "mx.example", "local_hostname": "a b"}, "`local_hostname` contains characters"),
        ({"host": "mx.example", "use_tsl": True}, "Did you mean 'use_tls'"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        MailBridge("smtp", **settings)
    assert "hunter2" not in str(caught.value)


def test_settings_of_a_bridge_show_no_password() -> None:
    with MailBridge("smtp", host="mx.example", username="me@mx.example", password="hunter2") as mailer:
        shown = f"{mailer!r} {mailer.provider!r} {vars(mailer.provider)!r}"
    assert "hunter2" not in shown
    assert "me@mx.example" not in f"{mailer!r} {mailer.provider!r}"


def test_sending_warns_of_nothing(mailer: MailBridge) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
