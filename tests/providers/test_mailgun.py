"""The adapter of Mailgun against a Mailgun that is as strict as the real one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from typing import Any

import pytest

from poststack.attachments import from_bytes
from poststack.mailbridge import (
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    MailBridge,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.providers.mailgun import Mailgun
from poststack.providers.message import make_message
from poststack.transports.base import HttpResponse
from tests.providers.fakes.base import Fault, HttpAnswer, answers
from tests.providers.fakes.forms import parts_of
from tests.providers.fakes.mailgun import API_KEY, FakeMailgun

SENDER = "Shop <shop@example.org>"
PLAIN: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>"}
QUEUED = '{"id":"<20260101.abc@mg.example.org>","message":"Queued. Thank you."}'


@pytest.fixture
def fake() -> Generator[FakeMailgun]:
    with FakeMailgun() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeMailgun) -> Generator[MailBridge]:
    with MailBridge("mailgun", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def form_of(fake: FakeMailgun, index: int = -1) -> dict[str, list[str]]:
    request = fake.requests[index]
    form: dict[str, list[str]] = {}
    for part in parts_of(request.headers["content-type"], request.body):
        form.setdefault(part.name, []).append(part.filename or part.text)
    return form


def test_everything_that_an_email_says_arrives(mailer: MailBridge, fake: FakeMailgun) -> None:
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    response = mailer.send(
        ['"Lovelace, Ada" <ada@example.net>', "Zoë <zoe@bücher.example>"],
        "Grüße ✉",
        "<p>Hi <img src='cid:logo1'></p>",
        cc="Bob <bob@example.net>",
        bcc="carl@example.net",
        reply_to=['"Help, Desk" <help@example.org>', "two@example.org"],
        text="Hi",
        headers={"X-Order": "17", "List-Id": "Grüße <a.example>"},
        tags=["receipt", "eu"],
        metadata={"order": "17", "naïve key": "ja"},
        attachments=[
            from_bytes(b"%PDF", "Rechnung Nr. 5 – März.pdf", content_type="application/pdf"),
            from_bytes(b"\x89PNG", "logo.png", content_type="image/png", content_id="logo1"),
        ],
        scheduled_at=at,
        track_opens=False,
        track_clicks=True,
        options={"mailgun": {"o:require-tls": True, "o:dkim": "no"}},
    )  # fmt: skip
    (one,) = fake.delivered
    assert one.sender == ("Shop", "shop@example.org")
    assert one.to == [("Lovelace, Ada", "ada@example.net"), ("Zoë", "zoe@xn--bcher-kva.example")]
    assert (one.cc, one.bcc) == ([("Bob", "bob@example.net")], [("", "carl@example.net")])
    assert one.reply_to == [("Help, Desk", "help@example.org"), ("", "two@example.org")]
    assert (one.subject, one.text, one.html) == ("Grüße ✉", "Hi", "<p>Hi <img src='cid:logo1'></p>")
    assert one.headers == {"X-Order": "17", "List-Id": "Grüße <a.example>"}
    assert (one.tags, one.metadata) == (["receipt", "eu"], {"order": "17", "naïve key": "ja"})
    assert one.attachments == [
        ("Rechnung Nr. 5 – März.pdf", b"%PDF", "application/pdf", None),
        ("logo1", b"\x89PNG", "image/png", "logo1"),
    ]
    assert (one.scheduled_at, one.track_opens, one.track_clicks) == (int(at.timestamp()), False, True)
    assert one.options == {"o:require-tls": ["yes"], "o:dkim": ["no"]}
    # Events carry the id without its brackets.
    assert response.message_id == one.message_id
    assert response.metadata["message"] == "Queued. Thank you."


def test_a_display_name_with_quotes_and_letters_outside_ascii_arrives(mailer: MailBridge, fake: FakeMailgun) -> None:
    mailer.send([('Jörg "Max" Müller, jr.', "joerg@example.net")], "Hi", "<p>Hi</p>")  # type: ignore[list-item]  # pairs are taken, too
    assert fake.delivered[0].to == [('Jörg "Max" Müller, jr.', "joerg@example.net")]


def test_a_template_gets_its_variables_and_switches_no_batch_on(mailer: MailBridge, fake: FakeMailgun) -> None:
    data = {"name": "Ada", "items": [1, {"a": None}], "paid": True}
    mailer.send(["ada@example.net", "bob@example.net"], template_id="receipt", template_data=data)
    (one,) = fake.delivered
    assert (one.template_id, one.variables, one.subject) == ("receipt", data, None)
    assert len(one.to) == 2
    assert "recipient-variables" not in form_of(fake)


def test_nothing_is_sent_as_the_word_none(mailer: MailBridge, fake: FakeMailgun) -> None:
    mailer.send("ada@example.net", template_id="receipt")
    assert set(form_of(fake)) == {"from", "to", "template"}


@pytest.mark.unmeasured
def test_the_same_mail_to_many_is_one_request_and_nobody_sees_the_others(mailer: MailBridge, fake: FakeMailgun) -> None:
    files = [("a.csv", b"1,2", "text/csv")]
    messages = [
        EmailMessageDto(f"U{n} <u{n}@example.net>", "News", "<p>News 100%</p>", attachments=files) for n in range(1200)
    ]
    result = mailer.send_bulk(messages)
    assert (result.total, result.successful) == (1200, 1200)
    # A thousand messages are taken from the list at a time, which is also what a batch may have.
    assert sorted(len(form_of(fake, index)["to"]) for index in range(len(fake.requests))) == [200, 1000]
    assert [one.to for one in fake.delivered] == [[(f"U{n}", f"u{n}@example.net")] for n in range(1200)]
    ids = {one.to[0][1]: one.message_id for one in fake.delivered}
    assert [ids[f"u{n}@example.net"] for n in range(1200)] == [response.message_id for response in result.responses]
    assert json.loads(form_of(fake, 0)["recipient-variables"][0])["u0@example.net"] == {}


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "Other"},
        {"body": "<p>Other</p>"},
        {"text": "Other"},
        {"from_email": "other@example.org"},
        {"cc": "carl@example.net"},
        {"bcc": "carl@example.net"},
        {"reply_to": "carl@example.net"},
        {"headers": {"X-A": "1"}},
        {"tags": ["a"]},
        {"metadata": {"a": "b"}},
        {"attachments": [("a.csv", b"1", "text/csv")]},
        {"track_opens": True},
        {"track_clicks": False},
        {"scheduled_at": datetime(2026, 1, 1, tzinfo=timezone.utc)},
        {"options": {"mailgun": {"o:dkim": True}}},
        {"to": ["bob@example.net", "carl@example.net"]},
        {"body": "<p>50 %recipients</p>"},
    ],
)
def test_what_differs_in_anything_else_travels_alone(
    mailer: MailBridge, fake: FakeMailgun, other: dict[str, Any]
) -> None:
    first = EmailMessageDto("ada@example.net", "Hi", "<p>Hi</p>")
    fields: dict[str, Any] = {**PLAIN, "to": "bob@example.net", **other}
    second = EmailMessageDto(**fields)
    assert mailer.send_bulk([first, second]).successful == 2
    assert len(fake.requests) == 2
    assert not any("recipient-variables" in form_of(fake, index) for index in range(2))


def test_a_mail_that_comes_twice_for_one_address_is_sent_twice(mailer: MailBridge, fake: FakeMailgun) -> None:
    one = EmailMessageDto("ada@example.net", "Hi", "<p>Hi</p>")
    same = EmailMessageDto("ada@EXAMPLE.net", "Hi", "<p>Hi</p>")
    assert mailer.send_bulk([one, same, one, EmailMessageDto("bob@example.net", "Hi", "<p>Hi</p>")]).successful == 4
    assert sorted(one.to[0][1].lower() for one in fake.delivered) == ["ada@example.net"] * 3 + ["bob@example.net"]


def test_variables_that_differ_travel_apart_so_that_a_template_can_test_them(
    mailer: MailBridge, fake: FakeMailgun
) -> None:
    messages = [
        EmailMessageDto(f"u{n}@example.net", template_id="t", template_data={"plan": "pro" if n else "free"})
        for n in range(3)
    ]
    assert mailer.send_bulk(messages).successful == 3
    assert len(fake.requests) == 2
    assert sorted((one.to[0][1], one.variables["plan"]) for one in fake.delivered) == [
        ("u0@example.net", "free"), ("u1@example.net", "pro"), ("u2@example.net", "pro"),
    ]  # fmt: skip


def test_variables_travel_together_where_that_is_allowed_and_nobody_gets_those_of_another(fake: FakeMailgun) -> None:
    data: list[dict[str, Any]] = [
        {"name": "Ada", "count": 1},
        {"name": "Zoë O'Neil", "count": 22},
        {"name": "Carl"},
        {"name": "Dora", "count": True},
        {"name": 'E "x"', "count": 3},
        {"name": "100%", "count": 3},
        {"name": "", "count": 3},
        {"name": ["F"], "count": 3},
    ]
    messages = [EmailMessageDto(f"u{n}@example.net", template_id="t", template_data=own) for n, own in enumerate(data)]
    with MailBridge("mailgun", **fake.settings(), batch_templates=True, from_email=SENDER) as mailer:
        assert mailer.send_bulk(messages).successful == 8
    assert len(fake.requests) == 7
    seen = {one.to[0][1]: one.variables for one in fake.delivered}
    assert seen == {f"u{n}@example.net": {**own} for n, own in enumerate(data)} | {
        "u0@example.net": {"name": "Ada", "count": "1"},
        "u1@example.net": {"name": "Zoë O'Neil", "count": "22"},
    }


def test_batch_size_bounds_a_batch(fake: FakeMailgun) -> None:
    with MailBridge("mailgun", **fake.settings(), batch_size=2, from_email=SENDER) as mailer:
        mailer.send_bulk([EmailMessageDto(f"u{n}@example.net", "Hi", "<p>Hi</p>") for n in range(5)])
    assert len(fake.requests) == 3
    assert len(fake.delivered) == 5


def test_one_wrong_address_costs_no_other_mail_of_the_batch(mailer: MailBridge, fake: FakeMailgun) -> None:
    names = ["refused" if n == 20 else f"u{n}" for n in range(40)]
    result = mailer.send_bulk([EmailMessageDto(f"{name}@example.net", "Hi", "<p>Hi</p>") for name in names])
    assert list(result.failures) == [20]
    assert result.failures[20].kind == "invalid_recipient"
    assert sorted(one.to[0][1] for one in fake.delivered) == sorted(f"{n}@example.net" for n in names if n != "refused")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"message":"to parameter is not a valid address. please check documentation"}', "invalid_recipient"),
        (400, "{\"message\":\"'from' parameter is not a valid address. please check\"}", "invalid_request"),
        (400, '{"message":"Domain mg.example.org is not allowed to send: The domain is unverified"}',
         "sender_not_verified"),
        (400, '{"message":"Domain mg.example.org is not allowed to send: recipient limit exceeded"}', "quota"),
        (400, '{"message":"template not found"}', "invalid_request"),
        (401, "Forbidden", "auth"),
        (403, '{"message":"Forbidden"}', "auth"),
        (402, '{"message":"Request failed"}', "quota"),
        (404, '{"message":"Domain not found: mg.example.org"}', "sender_not_verified"),
        (413, "<html>too large</html>", "payload_too_large"),
        (500, "", "ambiguous"),
        (502, "<html>bad gateway</html>", "ambiguous"),
        (504, '{"message":["not","text"]}', "ambiguous"),
        (200, "Mailgun Magnificent API", "sender_not_verified"),
        (200, "", "ambiguous"),
        (200, "<html>Welcome to the hotel</html>", "ambiguous"),
        (200, '{"id":"<a@b>","message":"Received"}', "ambiguous"),
        (200, '{"message":"Queued. Thank you."}', "ambiguous"),
        (200, '{"id":7,"message":"Queued. Thank you."}', "ambiguous"),
        (200, "[" * 100_000, "ambiguous"),
        (202, QUEUED, "ambiguous"),
        (302, "", "ambiguous"),
    ],
)  # fmt: skip
def test_what_an_answer_means(mailer: MailBridge, fake: FakeMailgun, status: int, body: str, kind: str) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == (kind, status)
    assert len(fake.requests) == 1
    assert API_KEY not in str(caught.value)


def test_the_recorded_answer_of_a_success(mailer: MailBridge, fake: FakeMailgun) -> None:
    fake.faults += [answers(200, QUEUED), answers(200, QUEUED)]
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").message_id == "20260101.abc@mg.example.org"
    result = mailer.send_bulk([EmailMessageDto(f"u{n}@example.net", "Hi", "<p>Hi</p>") for n in range(2)])
    assert [one.message_id for one in result.responses] == ["20260101.abc@mg.example.org"] * 2


def test_the_texts_of_a_wrong_key_a_wrong_region_and_a_wrong_address_help(
    mailer: MailBridge, fake: FakeMailgun
) -> None:
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({**fake.settings(), "api_key": "wrong"}, "401: Forbidden"),
        ({"api_key": API_KEY, "endpoint": f"{fake.url}/v3/mg.example.com"}, "set `region`"),
        ({"api_key": API_KEY, "endpoint": f"{fake.url}/v3/mg.example.org/x"}, "Check `endpoint` or `domain`"),
    ]
    for settings, said in wrongs:
        with MailBridge("mailgun", **settings, from_email=SENDER) as wrong, pytest.raises(EmailSendError, match=said):
            wrong.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert fake.delivered == []


@pytest.mark.parametrize("status", [420, 429])
def test_the_date_in_the_text_of_a_rate_limit_is_waited_for(mailer: MailBridge, fake: FakeMailgun, status: int) -> None:
    text = f"bytes limit exceeded, try again after {formatdate(time.time() + 1, usegmt=True)}"
    fake.faults.append(answers(status, json.dumps({"message": text})))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    assert len(fake.requests) == 2


def test_a_rate_limit_of_an_hour_is_told_at_once() -> None:
    provider = Mailgun(api_key=API_KEY, domain="mg.example.org")
    (call,) = provider.plan([make_message(sender=SENDER, to=["ada@example.net"], subject="Hi", text="Hi")])
    now = 1_767_225_600.0
    text = f"request limit exceeded, try again after {formatdate(now + 3600, usegmt=True)}"
    (outcome,) = provider.outcomes(call, HttpResponse(429, {}, json.dumps({"message": text}).encode()), now)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.retry_after) == ("rate_limited", 3600.0)
    (outcome,) = provider.outcomes(call, HttpResponse(429, {}, b'{"message":"try again after a while"}'), now)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.retry_after) == ("rate_limited", None)


def test_maintenance_is_tried_again(mailer: MailBridge, fake: FakeMailgun) -> None:
    fake.faults.append(answers(503, "<html>maintenance</html>", Retry_After="0"))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success


@pytest.mark.parametrize(
    "fault", [Fault(taken=True, reset=True), Fault(HttpAnswer(502), taken=True)], ids=["reset", "gateway"]
)
def test_an_answer_that_got_lost_is_told_and_never_sent_twice(
    mailer: MailBridge, fake: FakeMailgun, fault: Fault
) -> None:
    fake.faults.append(fault)
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent
    assert len(fake.delivered) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subject": "Dear %recipient.name%"}, "subject"),
        ({"body": "<a href='%unsubscribe_url%'>"}, "body"),
        ({"text": "%recipient%"}, "text"),
        ({"body": "%tag_unsubscribe_url%", "html": False}, "body"),
        ({"headers": {"List-Unsubscribe": "<%MAILING_LIST_unsubscribe_email%>"}}, "headers"),
        ({"metadata": {"a": "%recipient_name%"}}, "metadata"),
        ({"from_email": "%recipient.shop% <shop@example.org>"}, "from_email"),
        ({"to": "%recipient.x% <ada@example.net>"}, "to"),
        ({"reply_to": "%recipient.x% <ada@example.net>"}, "reply_to"),
        ({"subject": None, "body": None, "template_id": "t", "template_data": {"a": ["%recipient.b%"]}},
         "template_data"),
    ],
)  # fmt: skip
def test_text_that_mailgun_would_change_is_refused(
    mailer: MailBridge, fake: FakeMailgun, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnsupportedFieldError, match="Mailgun fills in") as caught:
        mailer.send(**{**PLAIN, **fields})
    assert caught.value.field == field
    assert fake.requests == []


def test_a_percent_sign_by_itself_is_text(mailer: MailBridge, fake: FakeMailgun) -> None:
    text = "50%recipient discount, 20% off, %unsubscribe%, %recipients%"
    mailer.send("ada@example.net", text, text)
    assert (fake.delivered[0].subject, fake.delivered[0].html) == (text, text)


def test_an_email_may_say_that_mailgun_is_to_fill_it_in(mailer: MailBridge, fake: FakeMailgun) -> None:
    mailer.send(
        ["ada@example.net", "bob@example.net"], "Hi %recipient.name%", "<a href='%unsubscribe_url%'>x</a>",
        options={
            "mailgun": {
                "substitutions": True,
                "recipient-variables": {"ada@example.net": {"name": "Ada"}, "bob@example.net": {"name": "Bob"}},
            }
        },
    )  # fmt: skip
    assert [(one.to, one.subject) for one in fake.delivered] == [
        ([("", "ada@example.net")], "Hi Ada"), ([("", "bob@example.net")], "Hi Bob"),
    ]  # fmt: skip
    assert fake.delivered[0].html == "<a href='https://mg.example.org/u/1'>x</a>"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": ["a", "b", "c", "d"]}, "tags"),
        ({"tags": ["é"]}, "tags"),
        ({"tags": ["x" * 129]}, "tags"),
        ({"metadata": {"a": "x" * 16_000}}, "metadata"),
        ({"headers": {"X-A": "ä" * 8_000}}, "headers"),
        ({"options": {"mailgun": {"t:version": "x" * 16_000}}}, "options"),
        ({"template_id": "t", "template_data": {"a": "x" * 16_000}, "body": None}, "template_data"),
        ({"template_id": "t"}, "body"),
        ({"template_id": "t", "template_data": {"a": 1}, "metadata": {"a": "1"}, "body": None}, "metadata"),
        ({"to": [f"u{n}@example.net" for n in range(1001)]}, "to"),
        ({"to": "jörg@example.net"}, "to"),
        ({"from_email": "jörg@example.org"}, "to"),
        ({"scheduled_at": datetime.now(timezone.utc) + timedelta(days=300)}, "scheduled_at"),
        ({"idempotency_key": "order-17"}, "idempotency_key"),
        ({"attachments": [("a\"b.pdf", b"x", "application/pdf")]}, "attachments"),
        ({"attachments": [("a\\b.pdf", b"x", "application/pdf")]}, "attachments"),
        ({"attachments": [from_bytes(b"x", "a.png", content_id='a"b')]}, "attachments"),
        ({"attachments": [("a.bin", bytes(18_000_001), "application/x-a")]}, "attachments"),
        ({"metadata": {"a\"b": "x"}}, "metadata"),
        ({"headers": {"X-\"": "x"}}, "headers"),
        ({"options": {"mailgun": {"o:tag": "a"}}}, "options"),
        ({"options": {"mailgun": {"h:X-A": "a"}}}, "options"),
        ({"options": {"mailgun": {"V:a": "a"}}}, "options"),
        ({"options": {"mailgun": {"o:tracking-clicks": "htmlonly"}}, "track_clicks": True}, "options"),
        ({"options": {"mailgun": {"o:dkim": None}}}, "options"),
        ({"options": {"mailgun": {"o:x": [["a"]]}}}, "options"),
        ({"options": {"mailgun": {"substitutions": "yes"}}}, "options"),
    ],
)  # fmt: skip
def test_what_mailgun_cannot_say_is_named_before_anything_is_sent(
    mailer: MailBridge, fake: FakeMailgun, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnsupportedFieldError, match="Mailgun") as caught:
        mailer.send(**{**PLAIN, **fields})
    assert caught.value.field == field
    assert fake.requests == []


def test_clicks_can_be_counted_in_html_only(mailer: MailBridge, fake: FakeMailgun) -> None:
    options = {"mailgun": {"o:tracking-clicks": "htmlonly", "o:x": ["a", 2]}}
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", options=options)
    assert form_of(fake)["o:tracking-clicks"] == ["htmlonly"]
    assert form_of(fake)["o:x"] == ["a", "2"]


def test_what_can_be_left_out_is_left_out_with_a_warning_when_asked(fake: FakeMailgun) -> None:
    with (
        MailBridge("mailgun", **fake.settings(), unsupported="drop", from_email=SENDER) as mailer,
        pytest.warns(UnsupportedFieldWarning) as warned,
    ):
        mailer.send(
            "ada@example.net", template_id="t", body="<p>x</p>", template_data={"a": 1}, tags=list("abcd"),
            metadata={"a": "1", "b": "2"}, idempotency_key="k", options={"mailgun": {"o:tag": "x", "o:dkim": True}},
            attachments=[('a"b.pdf', b"x", "application/pdf")],
        )  # fmt: skip
    (one,) = fake.delivered
    assert len(warned) == 6
    assert (one.html, one.tags, one.metadata, one.options) == (None, ["a", "b", "c"], {"b": "2"}, {"o:dkim": ["yes"]})
    assert one.attachments[0][0] == "a_b.pdf"


def test_what_nothing_sensible_is_left_of_is_never_sent(fake: FakeMailgun) -> None:
    with (
        MailBridge("mailgun", **fake.settings(), unsupported="drop", from_email=SENDER) as mailer,
        pytest.raises(UnsupportedFieldError, match="fills in"),
    ):
        mailer.send("ada@example.net", "%recipient%", "<p>x</p>")
    assert fake.requests == []


def test_more_tags_and_days_are_for_plans_that_have_them(fake: FakeMailgun) -> None:
    fake.schedule_days = 7
    at = datetime.now(timezone.utc) + timedelta(days=6)
    settings: dict[str, Any] = {**fake.settings(), "schedule_days": 7, "tag_limit": 1}
    with MailBridge("mailgun", **settings, from_email=SENDER) as mailer:
        assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>", scheduled_at=at).success
        with pytest.raises(UnsupportedFieldError, match="at most 1 tag"):
            mailer.send("ada@example.net", "Hi", "<p>Hi</p>", tags=["a", "b"])
    assert fake.delivered[0].scheduled_at == int(at.timestamp())


def test_test_mode_is_said_to_mailgun(fake: FakeMailgun) -> None:
    with MailBridge("mailgun", **fake.settings(), test_mode=True, from_email=SENDER) as mailer:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", options={"mailgun": {"o:testmode": False}})
    assert [one.options for one in fake.delivered] == [{"o:testmode": ["yes"]}, {"o:testmode": ["no"]}]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"domain": "mg.example.org"}, "https://api.mailgun.net/v3/mg.example.org/messages"),
        ({"domain": "mg.bücher.example", "region": "eu"},
         "https://api.eu.mailgun.net/v3/mg.xn--bcher-kva.example/messages"),
        ({"domain": "mg%2F.example.org"}, "https://api.mailgun.net/v3/mg%252F.example.org/messages"),
        ({"endpoint": "https://api.mailgun.net/v3/mg.example.org/"},
         "https://api.mailgun.net/v3/mg.example.org/messages"),
    ],
)  # fmt: skip
def test_where_an_email_is_sent_to(settings: dict[str, str], url: str) -> None:
    provider = Mailgun(api_key=API_KEY, **settings)  # type: ignore[arg-type]  # all of these settings are texts
    (call,) = provider.plan([make_message(sender=SENDER, to=["ada@example.net"], subject="Hi", text="Hi")])
    assert call.request.url == url
    assert API_KEY not in repr(provider) + repr(call) + repr(call.request.headers)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "", "domain": "mg.example.org"},
        {"api_key": "ä", "domain": "mg.example.org"},
        {"domain": "mg.example.org"},
        {"api_key": "k"},
        {"api_key": "k", "domain": "mg.example.org", "endpoint": "https://api.mailgun.net/v3/mg.example.org"},
        {"api_key": "k", "region": "eu", "endpoint": "https://api.mailgun.net/v3/mg.example.org"},
        {"api_key": "k", "domain": "mg.example.org/x"},
        {"api_key": "k", "domain": "https://mg.example.org"},
        {"api_key": "k", "domain": " "},
        {"api_key": "k", "domain": "ä" * 70},
        {"api_key": "k", "domain": "mg.example.org", "region": "asia"},
        {"api_key": "k", "endpoint": "https://api.mailgun.net/v3"},
        {"api_key": "k", "endpoint": "https://api.mailgun.net/v3/mg.example.org/messages"},
        {"api_key": "k", "endpoint": "api.mailgun.net/v3/mg.example.org"},
        {"api_key": "k", "endpoint": "https://api.mailgun.net/v3/mg.example.org?x=1"},
        {"api_key": "k", "domain": "mg.example.org", "tag_limit": -1},
        {"api_key": "k", "domain": "mg.example.org", "batch_size": 1001},
        {"api_key": "k", "domain": "mg.example.org", "regoin": "eu"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        MailBridge("mailgun", **settings)


def test_it_is_asynchronous_by_itself(fake: FakeMailgun) -> None:
    async def send() -> None:
        async with AsyncMailBridge("mailgun", **fake.settings(), from_email=SENDER) as mailer:
            assert (await mailer.send("ada@example.net", "Hi", "<p>Hi</p>")).success
            messages = [EmailMessageDto(f"u{n}@example.net", f"Hi {n}", "<p>Hi</p>") for n in range(50)]
            assert (await mailer.send_bulk(messages)).successful == 50

    asyncio.run(send())
    assert len(fake.delivered) == 51
    assert fake.most_in_flight <= 10
    assert fake.connections <= 10
