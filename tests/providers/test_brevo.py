"""The adapter of Brevo against a Brevo that is as strict as the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from poststack.attachments import from_bytes
from poststack.mailbridge import (
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    MailBridge,
    MemoryKeyStore,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.providers.brevo import Brevo
from tests.providers.fakes.base import Fault, HttpAnswer, answers
from tests.providers.fakes.brevo import API_KEY, FakeBrevo

SENDER = "Shop <shop@example.org>"
PLAIN: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>"}


@pytest.fixture
def fake() -> Generator[FakeBrevo]:
    with FakeBrevo() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeBrevo) -> Generator[MailBridge]:
    with MailBridge("brevo", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def body_of(fake: FakeBrevo, index: int = -1) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(fake.requests[index].body)
    return body


def mails(count: int, **fields: Any) -> list[EmailMessageDto]:
    return [EmailMessageDto(f"u{n}@example.net", f"For {n}", f"<p>News {n}</p>", **fields) for n in range(count)]


def test_everything_that_an_email_says_arrives(mailer: MailBridge, fake: FakeBrevo) -> None:
    at = datetime.now(timezone.utc) + timedelta(hours=71)
    response = mailer.send(
        ['"Lovelace, Ada" <ada@example.net>', "Zoë <zoe@bücher.example>"],
        "Grüße ✉",
        "<p>Hi</p>",
        cc="Bob <bob@example.net>",
        bcc="carl@example.net",
        reply_to="Help <help@example.org>",
        text="Hi",
        headers={"X-Order": "17", "X-Note": "Grüße, " + "ö" * 90},
        tags=["receipt", "eu"],
        metadata={"order": "17", "naïve": "ja ✉"},
        attachments=[("a.pdf", b"%PDF", "application/pdf"), ("b.TXT".lower(), b"x", "text/plain; charset=utf-8")],
        scheduled_at=at,
        options={"brevo": {"preheader": "In short"}},
    )
    (one,) = fake.delivered
    assert one.sender == ("Shop", "shop@example.org")
    assert one.to == [("Lovelace, Ada", "ada@example.net"), ("Zoë", "zoe@xn--bcher-kva.example")]
    assert (one.cc, one.bcc) == ([("Bob", "bob@example.net")], [("", "carl@example.net")])
    assert one.reply_to == [("Help", "help@example.org")]
    assert (one.subject, one.text, one.html) == ("Grüße ✉", "Hi", "<p>Hi</p>")
    assert one.headers == {"X-Order": "17", "X-Note": "Grüße, " + "ö" * 90}
    assert (one.tags, one.metadata) == (["receipt", "eu"], {"order": "17", "naïve": "ja ✉"})
    assert one.attachments == [("a.pdf", b"%PDF", "application/pdf", None), ("b.txt", b"x", "text/plain", None)]
    assert (one.scheduled_at, one.options) == (int(at.timestamp()), {"preheader": "In short"})
    assert response.message_id == one.message_id
    assert response.metadata == {"status_code": 202, "batch_id": "5c6cfa04-eed9-42c2-8b5c-6d470d978e9d"}


def test_a_display_name_with_a_comma_and_letters_outside_ascii_is_not_lost(mailer: MailBridge, fake: FakeBrevo) -> None:
    mailer.send('"Müller, Jörg" <joerg@example.net>', "Hi", "<p>Hi</p>", from_email='"Bücher & Co." <a@example.org>')
    assert fake.delivered[0].to == [("Müller, Jörg", "joerg@example.net")]
    assert fake.delivered[0].sender == ("Bücher & Co.", "a@example.org")


@pytest.mark.parametrize("template", [17, "17"])
def test_a_template_is_named_by_a_number_and_needs_no_subject(
    mailer: MailBridge, fake: FakeBrevo, template: int | str
) -> None:
    data = {"name": "Ada", "items": [1, {"a": None}], "paid": True}
    mailer.send("ada@example.net", template_id=template, template_data=data)
    assert body_of(fake)["templateId"] == 17
    assert "subject" not in body_of(fake)
    assert fake.delivered[0].variables == data


def test_a_bulk_is_one_request_with_one_id_subject_and_content_for_each(mailer: MailBridge, fake: FakeBrevo) -> None:
    messages = mails(300)
    messages[7].headers, messages[7].metadata, messages[7].reply_to = {"X-A": "ä"}, {"n": "7"}, "seven@example.org"
    messages[8].cc, messages[8].bcc = ["cc@example.net"], ["bcc@example.net"]
    result = mailer.send_bulk(messages)
    assert (result.total, result.successful) == (300, 300)
    assert len(fake.requests) == 1
    assert [(one.to, one.subject, one.html) for one in fake.delivered] == [
        ([("", f"u{n}@example.net")], f"For {n}", f"<p>News {n}</p>") for n in range(300)
    ]
    assert [one.message_id for one in fake.delivered] == [response.message_id for response in result.responses]
    assert (fake.delivered[7].headers, fake.delivered[7].metadata) == ({"X-A": "ä"}, {"n": "7"})
    assert fake.delivered[7].reply_to == [("", "seven@example.org")]
    assert [one.reply_to or one.headers or one.metadata for n, one in enumerate(fake.delivered) if n != 7] == [{}] * 299
    assert (fake.delivered[8].cc, fake.delivered[8].bcc) == ([("", "cc@example.net")], [("", "bcc@example.net")])
    assert "replyTo" not in body_of(fake)
    assert body_of(fake)["messageVersions"][0].keys() == {"to"}


@pytest.mark.parametrize(
    "other",
    [
        {"from_email": "other@example.org"},
        {"tags": ["a"]},
        {"attachments": [("a.csv", b"1", "text/csv")]},
        {"scheduled_at": datetime(2026, 1, 1, tzinfo=timezone.utc)},
        {"text": "Hi"},
        {"template_id": 17, "body": None},
        {"options": {"brevo": {"preheader": "x"}}},
        {"idempotency_key": "order-17"},
    ],
)
def test_what_versions_cannot_differ_in_travels_alone(
    mailer: MailBridge, fake: FakeBrevo, other: dict[str, Any]
) -> None:
    first = EmailMessageDto("ada@example.net", "Hi", "<p>Hi</p>")
    fields: dict[str, Any] = {**PLAIN, "to": "bob@example.net", **other}
    second = EmailMessageDto(**fields)
    assert mailer.send_bulk([first, second]).successful == 2
    assert len(fake.requests) == 2
    assert all("messageVersions" not in body_of(fake, index) for index in range(2))
    plain, special = sorted(fake.delivered, key=lambda one: one.to[0][1])
    assert (plain.text, plain.tags, plain.attachments, plain.scheduled_at) == (None, [], [], None)
    assert special.template_id == ("17" if "template_id" in other else None)


def test_nobody_gets_the_variables_or_the_subject_of_another(mailer: MailBridge, fake: FakeBrevo) -> None:
    messages = [
        EmailMessageDto("a@example.net", template_id=17, template_data={"name": "Ada"}),
        EmailMessageDto("b@example.net", template_id=17),
        EmailMessageDto("c@example.net", "Own", template_id=17, template_data={"name": "Carl"}),
    ]
    assert mailer.send_bulk(messages).successful == 3
    seen = {one.to[0][1]: (one.subject, one.variables) for one in fake.delivered}
    assert seen == {
        "a@example.net": (None, {"name": "Ada"}),
        "b@example.net": (None, {}),
        "c@example.net": ("Own", {"name": "Carl"}),
    }
    assert len(fake.requests) == 2


def test_requests_stay_within_the_limits_of_recipients_and_parameters(mailer: MailBridge, fake: FakeBrevo) -> None:
    people = [[f"u{n}-{p}@example.net" for p in range(90)] for n in range(30)]
    assert mailer.send_bulk([EmailMessageDto(to, "Hi", "<p>Hi</p>") for to in people]).successful == 30
    assert len(fake.requests) == 2
    fake.requests.clear()
    big = [EmailMessageDto(f"u{n}@example.net", template_id=1, template_data={"a": "ä" * 40_000}) for n in range(30)]
    assert mailer.send_bulk(big).successful == 30
    assert len(fake.requests) == 3


def test_bulks_over_a_thousand_are_split(mailer: MailBridge, fake: FakeBrevo) -> None:
    assert mailer.send_bulk(mails(2100)).successful == 2100
    assert [len(body_of(fake, index)["messageVersions"]) for index in range(3)] == [1000, 1000, 100]


def test_one_wrong_address_costs_no_other_mail_of_the_request(mailer: MailBridge, fake: FakeBrevo) -> None:
    messages = mails(40)
    messages[20].to = ["refused@example.net"]
    result = mailer.send_bulk(messages)
    assert list(result.failures) == [20]
    assert result.failures[20].kind == "invalid_recipient"
    # Refused as a whole, so each part is a request of its own, with a key of its own.
    assert len(fake.delivered) == 39
    keys = [body_of(fake, index)["headers"]["idempotencyKey"] for index in range(len(fake.requests))]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, '{"code":"invalid_parameter","message":"email is not valid in to"}', "invalid_recipient",
         "invalid_parameter"),
        (400, '{"code":"invalid_parameter","message":"valid sender email required"}', "sender_not_verified",
         "invalid_parameter"),
        (400, '{"code":"missing_parameter","message":"subject is missing"}', "invalid_request", "missing_parameter"),
        (400, '{"code":"out_of_range","message":"x"}', "invalid_request", "out_of_range"),
        (400, '{"code":"bad_request","message":"x"}', "invalid_request", "bad_request"),
        (422, '{"code":"unprocessable_entity","message":"x"}', "invalid_request", "unprocessable_entity"),
        (406, '{"code":"not_acceptable","message":"x"}', "invalid_request", "not_acceptable"),
        (405, '{"code":"method_not_allowed","message":"x"}', "invalid_request", "method_not_allowed"),
        (404, '{"code":"document_not_found","message":"x"}', "invalid_request", "document_not_found"),
        (400, '{"code":"duplicate_parameter","message":"batchId is already in use"}', "invalid_request",
         "duplicate_parameter"),
        (401, '{"code":"unauthorized","message":"unrecognised IP address"}', "auth", "unauthorized"),
        (403, '{"code":"permission_denied","message":"not activated"}', "auth", "permission_denied"),
        (400, '{"code":"account_under_validation","message":"x"}', "auth", "account_under_validation"),
        (402, '{"code":"not_enough_credits","message":"x"}', "quota", "not_enough_credits"),
        (400, '{"code":"not_enough_credits","message":"x"}', "quota", "not_enough_credits"),
        (413, "<html>too large</html>", "payload_too_large", None),
        (400, "[[", "invalid_request", None),
        (400, '{"code":["x"],"message":{}}', "invalid_request", None),
    ],
)  # fmt: skip
def test_what_a_refusal_means(
    mailer: MailBridge, fake: FakeBrevo, status: int, body: str, kind: str, code: str | None
) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == (kind, status)
    assert caught.value.failure is not None
    assert caught.value.failure.code == code
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(taken=True, reset=True),
        Fault(HttpAnswer(500), taken=True),
        Fault(HttpAnswer(502, b"<html>bad gateway</html>"), taken=True),
        Fault(HttpAnswer(504), taken=True),
        Fault(HttpAnswer(200, b"<html>Welcome to the hotel</html>"), taken=True),
        Fault(HttpAnswer(200), taken=True),
        Fault(HttpAnswer(201, b'{"messageId":7}'), taken=True),
        Fault(HttpAnswer(201, b"[" * 100_000), taken=True),
    ],
    ids=["reset", "500", "502", "504", "hotel", "empty 200", "no id", "nested"],
)
def test_an_answer_that_got_lost_is_asked_for_again_with_the_same_key(
    mailer: MailBridge, fake: FakeBrevo, fault: Fault
) -> None:
    fake.faults.append(fault)
    response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (response.success, response.replayed, response.message_id) == (True, True, None)
    assert len(fake.delivered) == 1
    first, second = (body_of(fake, index)["headers"]["idempotencyKey"] for index in (0, 1))
    assert first == second == str(UUID(first))


def test_what_stays_unanswered_is_told(mailer: MailBridge, fake: FakeBrevo) -> None:
    fake.faults += [answers(502), answers(400, '{"code":"invalid_parameter","message":"x"}')]
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent


def test_a_bulk_whose_answer_got_lost_is_sent_once(mailer: MailBridge, fake: FakeBrevo) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    result = mailer.send_bulk(mails(20))
    assert [response.replayed for response in result.responses] == [True] * 20
    assert len(fake.delivered) == 20


def test_ids_that_do_not_fit_the_bulk_are_no_success(fake: FakeBrevo) -> None:
    with MailBridge("brevo", **fake.settings(), from_email=SENDER, max_retries=0) as mailer:
        for body in ('{"messageIds":["<a@b>"]}', '{"messageIds":["<a@b>","<>"]}', '{"messageIds":["<a@b>",2,"c"]}'):
            fake.faults.append(answers(201, body))
            result = mailer.send_bulk(mails(2))
            assert [response.kind for response in result.responses] == ["ambiguous", "ambiguous"]


def test_recorded_answers_of_successes(mailer: MailBridge, fake: FakeBrevo) -> None:
    fake.faults += [
        answers(201, '{"messageId":"<x@smtp-relay.mailin.fr>"}'),
        answers(201, '{"messageIds":["<a@smtp-relay.mailin.fr>","<b@smtp-relay.mailin.fr>"]}'),
    ]
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").message_id == "x@smtp-relay.mailin.fr"
    responses = mailer.send_bulk(mails(2)).responses
    assert [one.message_id for one in responses] == ["a@smtp-relay.mailin.fr", "b@smtp-relay.mailin.fr"]


@pytest.mark.parametrize("status", [201, 202])
def test_an_empty_answer_is_a_success_without_an_id(mailer: MailBridge, fake: FakeBrevo, status: int) -> None:
    fake.faults += [answers(status), answers(status)]
    response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (response.success, response.message_id, response.replayed) == (True, None, False)
    assert mailer.send_bulk(mails(3)).successful == 3


def test_the_key_of_an_email_keeps_it_from_being_sent_twice(mailer: MailBridge, fake: FakeBrevo) -> None:
    own = str(uuid4()).upper()
    for key in ("order-17", own):
        first = mailer.send("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key=key)
        again = mailer.send("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key=key)
        assert (first.replayed, again.replayed) == (False, True)
    assert len(fake.delivered) == 2
    # The same in every process and every release.
    assert fake.keys == {"4f59248e-7913-5d66-98bd-055bf23644c1", own.lower()}


def test_emails_with_keys_travel_alone_and_a_key_counts_once(mailer: MailBridge, fake: FakeBrevo) -> None:
    messages = [EmailMessageDto("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key=f"k{n // 2}") for n in range(4)]
    result = mailer.send_bulk([*messages, *mails(3)])
    assert result.successful == 7
    assert sorted(response.replayed for response in result.responses) == [False] * 5 + [True] * 2
    assert (len(fake.requests), len(fake.delivered)) == (5, 5)


def test_a_store_of_keys_remembers_longer_than_brevo(fake: FakeBrevo) -> None:
    with MailBridge("brevo", **fake.settings(), from_email=SENDER, keys=MemoryKeyStore()) as mailer:
        first = mailer.send("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key="order-17")
        fake.keys.clear()
        again = mailer.send("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key="order-17")
    assert (again.replayed, again.message_id) == (True, first.message_id)
    assert len(fake.delivered) == 1


def test_the_seconds_of_a_rate_limit_are_waited_for(mailer: MailBridge, fake: FakeBrevo) -> None:
    fake.faults.append(answers(429, '{"code":"too_many_requests","message":"x"}', x_sib_ratelimit_reset="0"))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    fake.faults.append(answers(429, '{"code":"too_many_requests","message":"x"}', x_sib_ratelimit_reset="3600"))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limited", 3600.0)
    assert len(fake.requests) == 3


def test_maintenance_is_tried_again(mailer: MailBridge, fake: FakeBrevo) -> None:
    fake.faults.append(answers(503, "<html>maintenance</html>", Retry_After="0"))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success


def test_text_without_html_is_refused_or_travels_twice_when_asked(mailer: MailBridge, fake: FakeBrevo) -> None:
    with pytest.raises(UnsupportedFieldError, match="no text without HTML"):
        mailer.send("ada@example.net", "Hi", "1 < 2 & 3\n  4", html=False)
    assert fake.requests == []
    with MailBridge("brevo", **fake.settings(), text_as_html=True, from_email=SENDER) as asked:
        asked.send("ada@example.net", "Hi", "1 < 2 & 3\n  4", html=False)
    assert fake.delivered[0].text == "1 < 2 & 3\n  4"
    assert ">1 &lt; 2 &amp; 3\n  4</pre>" in (fake.delivered[0].html or "")


def test_common_tags_are_added_to_those_of_every_email(fake: FakeBrevo) -> None:
    with MailBridge("brevo", **fake.settings(), tags=["shop", "a"], from_email=SENDER, concurrency=1) as mailer:
        mailer.send_bulk([*mails(2), *mails(1, tags=["a", "b"])])
    assert [one.tags for one in fake.delivered] == [["shop", "a"], ["shop", "a"], ["a", "b", "shop"]]


def test_the_sandbox_sends_nothing_not_even_one_of_a_bulk(fake: FakeBrevo) -> None:
    messages = mails(3)
    messages[1].headers = {"X-A": "1"}
    with MailBridge("brevo", **fake.settings(), sandbox=True, from_email=SENDER) as mailer:
        assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
        assert mailer.send_bulk(messages).successful == 3
    assert fake.delivered == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subject": "Dear {{ params.name }}"}, "subject"),
        ({"body": "<p>{% if\nx %}</p>"}, "body"),
        ({"text": "{{contact.FIRSTNAME}}"}, "text"),
    ],
)
def test_text_that_brevo_would_change_is_refused(
    mailer: MailBridge, fake: FakeBrevo, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnsupportedFieldError, match="Brevo fills in") as caught:
        mailer.send(**{**PLAIN, **fields})
    assert caught.value.field == field
    assert fake.requests == []


def test_an_email_may_say_that_brevo_is_to_fill_it_in(mailer: MailBridge, fake: FakeBrevo) -> None:
    options: dict[str, Any] = {"brevo": {"substitutions": True, "params": {"name": "Ada"}}}
    mailer.send("ada@example.net", "Hi {{ params.name }}", "<p>a { b } %</p>", options=options)
    mailer.send("ada@example.net", "Hi {{ params.name }}", "<p></p>", options={"brevo": {"params": {"name": "Bob"}}})
    assert [one.subject for one in fake.delivered] == ["Hi Ada", "Hi Bob"]
    assert fake.delivered[0].html == "<p>a { b } %</p>"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": [f"u{n}@example.net" for n in range(100)]}, "to"),
        ({"to": "jörg@example.net"}, "to"),
        ({"to": f"{'x' * 71} <ada@example.net>"}, "to"),
        ({"from_email": f"{'x' * 71} <ada@example.net>"}, "from_email"),
        ({"reply_to": f"\"{'ö' * 60},\" <ada@example.net>"}, "reply_to"),
        ({"reply_to": ["a@example.net", "b@example.net"]}, "reply_to"),
        ({"scheduled_at": datetime.now(timezone.utc) + timedelta(days=300)}, "scheduled_at"),
        ({"track_opens": False}, "track_opens"),
        ({"track_clicks": True}, "track_clicks"),
        ({"attachments": [from_bytes(b"x", "a.png", content_type="image/png", content_id="logo1")]}, "attachments"),
        ({"attachments": [("a.exe", b"x", "application/octet-stream")]}, "attachments"),
        ({"attachments": [("pdf", b"x", "application/pdf")]}, "attachments"),
        ({"attachments": [("März.pdf", b"x", "application/pdf")]}, "attachments"),
        ({"attachments": [("a.pdf", b"x", "text/plain")]}, "attachments"),
        ({"attachments": [("a.ics", b"x", "text/calendar; charset=utf-8; method=REQUEST")]}, "attachments"),
        ({"attachments": [("a.pdf", bytes(15_000_001), "application/pdf")]}, "attachments"),
        ({"template_id": "receipt", "body": None}, "template_id"),
        ({"template_id": 17}, "body"),
        ({"template_id": 17, "body": None, "template_data": {"a": "x" * 100_000}}, "template_data"),
        ({"headers": {"idempotencyKey": "x"}}, "headers"),
        ({"headers": {"x-mailin-custom": "x"}, "metadata": {"a": "b"}}, "headers"),
        ({"options": {"brevo": {"headers": {}}}}, "options"),
        ({"options": {"brevo": {"params": {}}}, "template_id": 17, "body": None, "template_data": {"a": 1}}, "options"),
        ({"options": {"brevo": {"substitutions": 1}}}, "options"),
    ],
)  # fmt: skip
def test_what_brevo_cannot_say_is_named_before_anything_is_sent(
    mailer: MailBridge, fake: FakeBrevo, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnsupportedFieldError, match="Brevo") as caught:
        mailer.send(**{**PLAIN, **fields})
    assert caught.value.field == field
    assert fake.requests == []


@pytest.mark.parametrize(
    "kind", ["text/csv", "application/csv", "application/vnd.ms-excel", "application/octet-stream"]
)
def test_a_type_that_means_the_same_as_the_end_of_the_name_is_taken(
    mailer: MailBridge, fake: FakeBrevo, kind: str
) -> None:
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", attachments=[("a.csv", b"1", kind)])
    assert fake.delivered[0].attachments == [("a.csv", b"1", "text/csv", None)]


def test_what_can_be_left_out_is_left_out_with_a_warning_when_asked(fake: FakeBrevo) -> None:
    files = [
        from_bytes(b"x", "Übersicht März.png", content_type="image/png", content_id="logo1"),
        from_bytes(b"x", "✉.ics", content_type="text/calendar; method=REQUEST"),
        from_bytes(b"x", "a.pdf", content_type="text/plain"),
    ]
    with (
        MailBridge("brevo", **fake.settings(), unsupported="drop", from_email=SENDER) as mailer,
        pytest.warns(UnsupportedFieldWarning) as warned,
    ):
        mailer.send(
            f"{'x' * 71} <ada@example.net>", "Hi", "<p>Hi</p>", track_opens=False, reply_to=["a@b.de", "c@d.de"],
            attachments=files, headers={"X-Mailin-Custom": "x", "X-A": "1"}, metadata={"a": "b"},
        )  # fmt: skip
    (one,) = fake.delivered
    assert len(warned) == 8
    assert (one.to, one.reply_to) == ([("", "ada@example.net")], [("", "a@b.de")])
    assert [(name, kind) for name, _, kind, _ in one.attachments] == [
        ("Ubersicht Marz.png", "image/png"), ("file.ics", "text/calendar"), ("a.pdf", "application/pdf"),
    ]  # fmt: skip
    assert (one.headers, one.metadata) == ({"X-A": "1"}, {"a": "b"})


def test_bodies_beside_a_template_are_left_out_when_asked(fake: FakeBrevo) -> None:
    options: dict[str, Any] = {"brevo": {"to": [], "preheader": "p"}}
    with (
        MailBridge("brevo", **fake.settings(), unsupported="drop", from_email=SENDER) as mailer,
        pytest.warns(UnsupportedFieldWarning) as warned,
    ):
        mailer.send("ada@example.net", template_id=17, body="<p>x</p>", options=options)
    assert len(warned) == 2
    assert (fake.delivered[0].html, fake.delivered[0].options) == (None, {"preheader": "p"})


def test_what_nothing_sensible_is_left_of_is_never_sent(fake: FakeBrevo) -> None:
    with (
        MailBridge("brevo", **fake.settings(), unsupported="drop", from_email=SENDER) as mailer,
        pytest.raises(UnsupportedFieldError),
    ):
        mailer.send("ada@example.net", "{{ x }}", "<p>x</p>")
    assert fake.requests == []


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": ""},
        {"api_key": "a b"},
        {},
        {"api_key": "k", "tags": "shop"},
        {"api_key": "k", "tags": [""]},
        {"api_key": "k", "tags": [1]},
        {"api_key": "k", "tags": ["a\nb"]},
        {"api_key": "k", "tag": ["a"]},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        MailBridge("brevo", **settings)


def test_what_is_printed_holds_no_key() -> None:
    provider = Brevo(api_key=API_KEY)
    assert API_KEY not in repr(provider) + repr(vars(provider))


def test_it_is_asynchronous_by_itself(fake: FakeBrevo) -> None:
    async def send() -> None:
        async with AsyncMailBridge("brevo", **fake.settings(), from_email=SENDER) as mailer:
            assert (await mailer.send("ada@example.net", "Hi", "<p>Hi</p>")).success
            messages = [
                EmailMessageDto("ada@example.net", "Hi", "<p>Hi</p>", idempotency_key=f"k{n}") for n in range(50)
            ]
            assert (await mailer.send_bulk(messages)).successful == 50

    asyncio.run(send())
    assert len(fake.delivered) == 51
    assert fake.most_in_flight <= 10
    assert fake.connections <= 10
