# Written by tools/unasync.py from tests/client/_async/test_mailbridge.py. Do not edit.
"""What a MailBridge does between the caller and an adapter: attempts, waits, bulk, and everything that can go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from poststack.errors import OutcomeUnknownError, PostStackError
from poststack.mailbridge import (
    AttachmentError,
    BulkEmailDTO,
    BulkInterruptedError,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    InvalidMessageError,
    MailBridge,
    MailBridgeError,
    ProviderNotFoundError,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.transports.base import HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import AnsweringTransport as Answering
from tests.scripted import ScriptedTransport

pytestmark = pytest.mark.anyio

ACCEPTED = HttpResponse(202, {"x-message-id": "id1"})
REFUSED = TransportError("refused", request_sent=False)
SILENT = TransportTimeoutError("timed out")
SENDER = "Shop <shop@example.org>"


def bridge(transport: Any, **settings: Any) -> MailBridge:
    return MailBridge("sendgrid", api_key="SG.x", from_email=SENDER, transport=transport, **settings)


def message(to: str = "ada@example.net", **fields: Any) -> EmailMessageDto:
    given: dict[str, Any] = {"to": to, "subject": "Hi", "body": "<p>Hi</p>", **fields}
    return EmailMessageDto(**given)


# Settings


def test_a_provider_is_known_by_its_name_in_any_case() -> None:
    mailer = MailBridge("SendGrid", api_key="SG.x")
    assert mailer.provider_name == "sendgrid"
    assert mailer.supports_templates()
    assert mailer.supports_bulk_sending()


def test_an_unknown_provider_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ProviderNotFoundError, match=r"'pigeon'.*poststack, sendgrid, postmark, mailgun"):
        MailBridge("pigeon")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"api_kei": "x"}, "no setting 'api_kei'.*Did you mean 'api_key'"),
        ({}, "needs the setting 'api_key'"),
        ({"api_key": None}, "needs the setting 'api_key'"),
        ({"api_key": ""}, "`api_key`, and it is empty"),
        ({"api_key": "secret\nX: y"}, "characters that it cannot have"),
        ({"api_key": "x", "region": "mars"}, "`region` is 'us' or 'eu'"),
        ({"api_key": "x", "unsupported": "ignore"}, "`unsupported` is"),
        ({"api_key": "x", "concurrency": 0}, "`concurrency` is at least 1"),
        ({"api_key": "x", "timeout": 0}, "timeout must be more than 0"),
        ({"api_key": "x", "deadline": 0}, "`deadline` more than 0"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text) as caught:
        MailBridge("sendgrid", **settings)
    assert "secret" not in str(caught.value)


def test_a_setting_that_is_none_counts_as_not_given() -> None:
    # As in MailBridge's guide, where one set of environment variables serves every provider.
    assert MailBridge("sendgrid", api_key="SG.x", server_token=None).provider_name == "sendgrid"


def test_keys_are_in_no_repr() -> None:
    mailer = MailBridge("sendgrid", api_key="SG.secret")
    assert "secret" not in repr(mailer) + repr(vars(mailer)) + repr(vars(mailer.provider))


# One e-mail


def test_a_send_returns_the_id_and_the_provider() -> None:
    with bridge(ScriptedTransport(ACCEPTED)) as mailer:
        response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (response.success, response.message_id, response.provider) == (True, "id1", "sendgrid")
    assert response.metadata["status_code"] == 202


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"to": []}, "no recipients"),
        ({"to": ["not an address"]}, r"`to\[0\]` is not an e-mail address"),
        ({"to": ["Bob, Jr <bob@example.net>"]}, r"`to\[0\]` holds several addresses"),
        ({"to": ["a@example.net\r\nBcc: b@example.net"]}, r"`to\[0\]` contains a line break"),
        ({"to": 7}, "Addresses are a text or a list"),
        ({"subject": ""}, "no `subject`"),
        ({"subject": "Hi\nBcc: b@example.net"}, "`subject` contains a line break"),
        ({"body": ""}, "no `body`"),
        ({"template_id": ""}, "`template_id` is the id"),
        ({"template_id": 0}, "`template_id` is the id"),
        ({"template_data": {"name": "Ada"}}, "`template_data` needs a `template_id`"),
        ({"template_id": "d-1", "template_data": {"at": datetime(2026, 1, 1, tzinfo=timezone.utc)}}, "as JSON"),
        ({"headers": {"X-A\r\nBcc": "b@example.net"}}, "no header name"),
        ({"headers": {"X-A": "b\r\nBcc: c@example.net"}}, "line break"),
        ({"headers": {"X-A": 7}}, "is text, not int"),
        ({"headers": {"Subject": "Other"}}, "place of its own: `subject`"),
        ({"headers": {"Content-Type": "text/plain"}}, "Leave it out"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "twice"),
        ({"tags": "receipt"}, "`tags` is a list"),
        ({"metadata": {"order": 17}}, r"`metadata\['order'\]` is text, not int"),
        ({"html": False, "text": "Hi"}, "two plain texts"),
        ({"scheduled_at": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001  # what is refused
        ({"attachments": ["invoice.pdf"]}, r"write Path\(…\)"),
        ({"attachments": [("a.txt", b"a")]}, "is a pathlib.Path"),
        ({"attachments": [Path("missing.pdf")]}, r"`attachments\[0\]` cannot be read: No such file"),
        ({"attachments": [("a.txt", b"a", "text")]}, "media type"),
        ({"attachments": [("a\r\n.txt", b"a", "text/plain")]}, "line break"),
        ({"options": {"pigeon": {}}}, "`options` is a dictionary of providers"),
    ],
)
def test_what_is_wrong_with_an_email_is_named_before_anything_is_sent(fields: dict[str, Any], text: str) -> None:
    transport = ScriptedTransport(ACCEPTED)
    given: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>", **fields}
    with pytest.raises(InvalidMessageError, match=text) as caught:
        bridge(transport).send(**given)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MailBridgeError)
    assert "@" not in str(caught.value).replace("name@example.com", "")
    assert transport.requests == []


def test_an_email_without_any_sender_is_refused() -> None:
    with pytest.raises(InvalidMessageError, match="no sender"):
        MailBridge("sendgrid", api_key="x").send("ada@example.net", "Hi", "<p>Hi</p>")


def test_files_are_read_from_paths_and_given_their_type(tmp_path: Path) -> None:
    (tmp_path / "invoice.pdf").write_bytes(b"%PDF")
    transport = Answering(lambda body: ACCEPTED)
    bridge(transport).send("ada@example.net", "Hi", "x", attachments=[tmp_path / "invoice.pdf"])
    (file,) = transport.bodies[0]["attachments"]
    assert (file["filename"], file["type"], file["content"]) == ("invoice.pdf", "application/pdf", "JVBERg==")


def test_a_missing_file_is_an_attachment_error_with_its_cause() -> None:
    with pytest.raises(AttachmentError) as caught:
        bridge(ScriptedTransport(ACCEPTED)).send("ada@example.net", "Hi", "x", attachments=[Path("missing")])
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_an_address_that_comes_twice_gets_one_email() -> None:
    transport = Answering(lambda body: ACCEPTED)
    bridge(transport).send(["ada@example.net", "Ada <ada@EXAMPLE.net>"], "Hi", "x", cc="ada@example.net")
    (personalization,) = transport.bodies[0]["personalizations"]
    assert personalization["to"] == [{"email": "ada@example.net"}]
    assert "cc" not in personalization


def test_a_domain_is_written_in_ascii_by_the_rules_of_today() -> None:
    transport = Answering(lambda body: ACCEPTED)
    bridge(transport).send("Jörg <jörg@straße.example>".replace("jörg@", "joerg@"), "Hi", "x")
    (personalization,) = transport.bodies[0]["personalizations"]
    assert personalization["to"] == [{"email": "joerg@xn--strae-oqa.example", "name": "Jörg"}]


# What the provider cannot say


def test_what_a_provider_cannot_say_names_the_field_and_the_provider() -> None:
    transport = ScriptedTransport(ACCEPTED)
    with pytest.raises(UnsupportedFieldError, match=r"`tags`: SendGrid takes at most 10 tags\. Nothing") as caught:
        bridge(transport).send("ada@example.net", "Hi", "x", tags=[str(n) for n in range(11)])
    assert (caught.value.field, caught.value.provider) == ("tags", "sendgrid")
    assert transport.requests == []


def test_told_to_drop_it_is_left_out_with_a_warning() -> None:
    transport = Answering(lambda body: ACCEPTED)
    mailer = bridge(transport, unsupported="drop")
    with pytest.warns(UnsupportedFieldWarning, match=r"`tags`: .* It was left out") as warned:
        mailer.send("ada@example.net", "Hi", "x", tags=[str(n) for n in range(11)])
    assert len(transport.bodies[0]["categories"]) == 10
    assert warned[0].filename == __file__


def test_options_that_have_an_argument_of_their_own_are_refused() -> None:
    with pytest.raises(UnsupportedFieldError, match="'categories'"):
        bridge(ScriptedTransport(ACCEPTED)).send(
            "ada@example.net", "Hi", "x", options={"sendgrid": {"categories": ["a"]}}
        )


def test_options_go_to_the_provider_they_are_for_and_to_no_other() -> None:
    transport = Answering(lambda body: ACCEPTED)
    bridge(transport).send(
        "ada@example.net", "Hi", "x", options={"sendgrid": {"ip_pool_name": "pool"}, "postmark": {"InlineCss": True}}
    )
    assert transport.bodies[0]["ip_pool_name"] == "pool"
    assert "InlineCss" not in transport.bodies[0]


# Attempts


def test_what_was_certainly_not_taken_is_tried_again() -> None:
    transport = ScriptedTransport(REFUSED, HttpResponse(503, {}), HttpResponse(429, {"retry-after": "7"}), ACCEPTED)
    assert (bridge(transport).send("ada@example.net", "Hi", "x")).success
    assert len(transport.requests) == 4
    assert 7.0 in transport.clock.waits


@pytest.mark.parametrize("step", [SILENT, TransportError("reset"), HttpResponse(500, {}), HttpResponse(502, {})])
def test_what_may_have_been_sent_is_not_tried_again(step: Any) -> None:
    transport = ScriptedTransport(step)
    with pytest.raises(EmailSendError) as caught:
        bridge(transport).send("ada@example.net", "Hi", "x")
    assert (caught.value.kind, caught.value.may_have_been_sent, caught.value.transient) == ("ambiguous", True, False)
    assert len(transport.requests) == 1


def test_it_is_where_duplicates_are_allowed() -> None:
    transport = ScriptedTransport(SILENT, ACCEPTED)
    assert (bridge(transport, allow_duplicates=True).send("ada@example.net", "Hi", "x")).success


def test_doubt_about_an_earlier_attempt_outlives_a_later_refusal() -> None:
    transport = ScriptedTransport(SILENT, HttpResponse(401, {}, b"{}"))
    with pytest.raises(EmailSendError, match="may have been sent") as caught:
        bridge(transport, allow_duplicates=True).send("ada@example.net", "Hi", "x")
    assert caught.value.kind == "ambiguous"


def test_a_provider_that_minds_keys_is_asked_again_with_the_same_bytes() -> None:
    transport = ScriptedTransport(SILENT, HttpResponse(202, {}, b'{"id":"em_1","replayed":true}'))
    mailer = MailBridge("poststack", api_key="sk_x", from_email=SENDER, transport=transport)
    response = mailer.send("ada@example.net", "Hi", "x")
    assert (response.message_id, response.replayed) == ("em_1", True)
    first, second = transport.requests
    assert first.body == second.body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_attempts_end() -> None:
    transport = ScriptedTransport(HttpResponse(503, {}))
    with pytest.raises(EmailSendError) as caught:
        bridge(transport, max_retries=2).send("ada@example.net", "Hi", "x")
    assert (caught.value.kind, caught.value.transient, len(transport.requests)) == ("unavailable", True, 3)


def test_a_hint_over_a_minute_is_told_and_not_waited_for() -> None:
    transport = ScriptedTransport(HttpResponse(429, {"retry-after": "3600"}))
    with pytest.raises(EmailSendError) as caught:
        bridge(transport).send("ada@example.net", "Hi", "x")
    assert (caught.value.kind, caught.value.retry_after, transport.clock.waits) == ("rate_limited", 3600.0, [])


def test_a_deadline_bounds_the_waits() -> None:
    transport = ScriptedTransport(HttpResponse(503, {"retry-after": "20"}))
    with pytest.raises(EmailSendError):
        bridge(transport, deadline=30).send("ada@example.net", "Hi", "x")
    assert len(transport.requests) == 2
    assert transport.requests[0].deadline == transport.requests[1].deadline


def test_the_timeout_of_one_call_replaces_that_of_the_client() -> None:
    transport = ScriptedTransport(ACCEPTED)
    mailer = bridge(transport, timeout=20)
    mailer.send("ada@example.net", "Hi", "x")
    mailer.send("ada@example.net", "Hi", "x", timeout=3)
    assert [request.timeout for request in transport.requests] == [20, 3]


def test_a_provider_that_is_too_fast_is_left_alone_by_the_next_call_as_well() -> None:
    transport = ScriptedTransport(HttpResponse(429, {"retry-after": "30"}), ACCEPTED)
    mailer = bridge(transport, max_retries=0)
    with pytest.raises(EmailSendError):
        mailer.send("ada@example.net", "Hi", "x")
    mailer.send("ada@example.net", "Hi", "x")
    assert transport.clock.waits == [30.0]


def test_an_error_survives_what_queues_do_to_it() -> None:
    import pickle

    with pytest.raises(EmailSendError) as caught:
        bridge(ScriptedTransport(SILENT)).send("ada@example.net", "Hi", "x")
    error = pickle.loads(pickle.dumps(caught.value))  # our own
    assert (str(error), error.kind, error.provider) == (str(caught.value), "ambiguous", "sendgrid")


# Bulk


def test_a_bulk_answers_for_each_email_in_its_place() -> None:
    def answer(body: dict[str, Any]) -> HttpResponse:
        refused = any(one["to"][0]["email"].startswith("bad") for one in body["personalizations"])
        return HttpResponse(400, {}, b"{}") if refused else ACCEPTED

    messages: list[Any] = [message(f"u{n}@example.net", body=f"<p>{n % 3}</p>") for n in range(30)]
    messages[4] = message("bad@example.net")
    messages[9] = message("no address")
    messages[17] = "no message"
    messages[21] = message(tags=[str(n) for n in range(11)])
    result = bridge(Answering(answer)).send_bulk(messages)
    assert (result.total, result.successful, result.failed) == (30, 26, 4)
    assert {index: response.kind for index, response in result.failures.items()} == dict.fromkeys(
        (4, 9, 17, 21), "invalid_request"
    )
    with pytest.raises(UnsupportedFieldError):
        result.responses[21].raise_for_failure()


def test_the_messages_of_a_bulk_stay_as_they_are() -> None:
    tags = ["own"]
    messages = [message(f"u{n}@example.net", tags=tags) for n in range(2)]
    transport = Answering(lambda body: ACCEPTED)
    for _ in range(2):
        bulk = BulkEmailDTO(messages, default_from="news@example.org", tags=["common"])
        assert (bridge(transport).send_bulk(bulk)).successful == 2
    assert [(one.tags, one.from_email) for one in messages] == [(["own"], None)] * 2
    assert all(body["categories"] == ["own", "common"] for body in transport.bodies)
    assert all(body["from"] == {"email": "news@example.org"} for body in transport.bodies)


def test_defaults_of_the_call_count_beside_those_of_a_bulk() -> None:
    transport = Answering(lambda body: ACCEPTED)
    bulk = BulkEmailDTO([message()], tags=["bulk"])
    bridge(transport).send_bulk(bulk, "news@example.org", ["call"])
    assert transport.bodies[0]["categories"] == ["bulk", "call"]
    assert transport.bodies[0]["from"] == {"email": "news@example.org"}


@pytest.mark.unmeasured
def test_a_bulk_takes_from_a_generator_no_more_than_a_part_at_a_time() -> None:
    taken: list[int] = []

    def many() -> Iterator[EmailMessageDto]:
        for number in range(2_500):
            taken.append(number)
            yield message(f"u{number}@example.net")

    seen: list[int] = []
    for response in bridge(Answering(lambda body: ACCEPTED)).send_each(many()):
        assert response.success
        seen.append(len(taken))
    assert len(seen) == 2_500
    assert seen[0] == 1_000


def test_leaving_the_loop_leaves_nothing_behind() -> None:
    transport = Answering(lambda body: ACCEPTED)
    for _ in bridge(transport).send_each(message(f"u{n}@example.net") for n in range(5_000)):
        break
    assert len(transport.bodies) == 1


def test_an_iterable_that_fails_does_not_take_the_responses_with_it() -> None:
    def failing() -> Iterator[EmailMessageDto]:
        yield from (message(f"u{number}@example.net") for number in range(1_000))
        raise KeyError("row")

    with pytest.raises(BulkInterruptedError, match="ended with KeyError; 1000 were dealt with") as caught:
        bridge(Answering(lambda body: ACCEPTED)).send_bulk(failing())
    assert sum(response.success for response in caught.value.responses) == 1_000
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_empty_bulk_is_no_error_and_an_empty_dto_is() -> None:
    assert (bridge(ScriptedTransport(ACCEPTED)).send_bulk([])).total == 0
    with pytest.raises(ValueError, match="at least one message"):
        BulkEmailDTO([])


def test_the_same_object_twice_is_two_emails() -> None:
    one = message()
    result = bridge(Answering(lambda body: ACCEPTED)).send_bulk([one, one])
    assert result.successful == 2


def test_each_of_a_batch_has_its_own_outcome() -> None:
    said = {"data": [{"id": "em_1"}, {"error": "too many", "code": "daily_cap_exceeded"}, {"id": "em_3"}]}
    transport = ScriptedTransport(HttpResponse(202, {}, json.dumps(said).encode()))
    mailer = MailBridge("poststack", api_key="sk_x", from_email=SENDER, transport=transport)
    result = mailer.send_bulk([message(f"u{n}@example.net") for n in range(3)])
    assert [response.message_id for response in result.responses] == ["em_1", None, "em_3"]
    assert result.responses[1].kind == "quota"


# The payloads of the client


def test_it_stands_where_a_client_is_expected() -> None:
    transport = Answering(lambda body: ACCEPTED)
    mailer = bridge(transport)
    sent = mailer.emails.send(
        {
            "from": "Shop <shop@example.org>",
            "to": ["Ada <ada@example.net>"],
            "subject": "Hi",
            "html": "<p>Hi</p>",
            "text": "Hi",
            "reply_to": "help@example.org",
            "tags": ["receipt"],
            "attachments": [{"filename": "a.txt", "content": "YQ=="}],
            "tracking": {"opens": False},
        }
    )
    assert sent == {"id": "id1", "provider": "sendgrid"}
    (body,) = transport.bodies
    assert body["reply_to"] == {"email": "help@example.org"}
    assert [part["value"] for part in body["content"]] == ["Hi", "<p>Hi</p>"]
    assert body["tracking_settings"] == {"open_tracking": {"enable": False}}
    assert body["attachments"][0]["type"] == "text/plain"


@pytest.mark.parametrize(
    ("step", "status", "transient", "doubt"),
    [
        (HttpResponse(400, {}, b"{}"), 422, False, False),
        (HttpResponse(401, {}, b"{}"), 401, False, False),
        (HttpResponse(413, {}, b""), 413, False, False),
        (HttpResponse(429, {"retry-after": "9"}, b""), 429, True, False),
        (HttpResponse(503, {}, b""), 503, True, False),
        (REFUSED, 503, True, False),
        (SILENT, 0, False, True),
    ],
)
def test_failures_are_told_as_the_client_tells_them(step: Any, status: int, transient: bool, doubt: bool) -> None:
    mailer = bridge(ScriptedTransport(step), max_retries=0)
    with pytest.raises(PostStackError) as caught:
        mailer.emails.send({"from": SENDER, "to": ["ada@example.net"], "subject": "Hi", "text": "x"})
    error = caught.value
    assert (error.status_code, error.transient, error.may_have_taken_effect) == (status, transient, doubt)
    assert isinstance(error, OutcomeUnknownError) == doubt
    assert not error.quota_exceeded


def test_a_batch_answers_for_each() -> None:
    def answer(body: dict[str, Any]) -> HttpResponse:
        return ACCEPTED if body["subject"] == "good" else HttpResponse(400, {}, b"{}")

    email: Any = {"from": SENDER, "to": ["ada@example.net"], "text": "x"}
    emails = [email | {"subject": "good", "text": "1"}, email | {"subject": "bad", "text": "2"}]
    answered = bridge(Answering(answer)).emails.batch({"emails": emails})
    assert answered["data"][0] == {"id": "id1", "provider": "sendgrid"}
    assert answered["data"][1].get("code") == "validation_error"


@pytest.mark.parametrize("extra", [{"unsubscribe": True}, {"signature": "none"}, {"colour": "red"}])
def test_what_only_poststack_knows_is_refused_for_others(extra: dict[str, Any]) -> None:
    payload: Any = {"from": SENDER, "to": ["ada@example.net"], "subject": "Hi", "text": "x", **extra}
    transport = ScriptedTransport(ACCEPTED)
    with pytest.raises(UnsupportedFieldError, match=f"`{next(iter(extra))}`"):
        bridge(transport).emails.send(payload)
    assert transport.requests == []
    through_poststack = Answering(lambda body: HttpResponse(202, {}, b'{"id":"em_1"}'))
    mailer = MailBridge("poststack", api_key="sk_x", transport=through_poststack)
    assert (mailer.emails.send(payload)) == {"id": "em_1", "provider": "poststack"}
    assert extra.items() <= through_poststack.bodies[0].items()
