"""Bulks through Amazon SES: who shares a request, and what becomes of each."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator
from typing import Any

import pytest

from poststack.mailbridge import (
    EmailMessageDto,
    MailBridge,
)
from tests.providers.fakes.base import HttpRequestSeen, answers
from tests.providers.fakes.ses import BULK, SINGLE, FakeSes

SENDER = "Shop <shop@example.org>"
TEMPLATE: dict[str, Any] = {"template_id": "welcome", "from_email": SENDER}


@pytest.fixture
def fake() -> Generator[FakeSes]:
    with FakeSes() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSes) -> Generator[MailBridge]:
    with MailBridge("ses", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def body_of(request: HttpRequestSeen) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body


def greetings(count: int, **fields: Any) -> list[EmailMessageDto]:
    return [
        EmailMessageDto(f"u{n}@example.net", template_data={"name": f"N{n}"}, **{**TEMPLATE, **fields})
        for n in range(count)
    ]


def test_defect_03_nobody_is_rendered_with_the_data_of_another(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(3)
    messages[0].template_data = {"name": "Ada", "secret": "of Ada"}
    messages[1].template_data = None
    assert mailer.send_bulk(messages).successful == 3

    (request,) = fake.requests
    assert body_of(request)["DefaultContent"]["Template"] == {"TemplateName": "welcome", "TemplateData": "{}"}
    assert [one.variables for one in fake.delivered] == [{"name": "Ada", "secret": "of Ada"}, {}, {"name": "N2"}]
    assert [len(one.to + one.cc + one.bcc) for one in fake.delivered] == [1, 1, 1]


def test_defect_04_each_of_a_bulk_has_its_own_id_or_its_own_failure(mailer: MailBridge, fake: FakeSes) -> None:
    fake.statuses = {"u1@example.net": deque(["MESSAGE_REJECTED"]), "u3@example.net": deque(["ACCOUNT_SUSPENDED"])}
    result = mailer.send_bulk(greetings(5))

    assert (result.total, result.successful, list(result.failures)) == (5, 3, [1, 3])
    assert [result.failures[index].kind for index in (1, 3)] == ["invalid_request", "quota"]
    ids = {one.to[0][1]: one.message_id for one in fake.delivered}
    assert [result.responses[n].message_id for n in (0, 2, 4)] == [ids[f"u{n}@example.net"] for n in (0, 2, 4)]
    assert result.responses[0].request_id == "request-1"
    assert len(fake.requests) == 1


def test_defect_04_a_bulk_of_which_nothing_was_taken_is_no_success(mailer: MailBridge, fake: FakeSes) -> None:
    fake.statuses = {f"u{n}@example.net": deque(["INVALID_PARAMETER"]) for n in range(8)}
    result = mailer.send_bulk(greetings(8))

    assert (result.successful, result.failed) == (0, 8)
    assert len(fake.requests) == 1  # Answered one by one already.


def test_templates_travel_fifty_at_a_time(mailer: MailBridge, fake: FakeSes) -> None:
    result = mailer.send_bulk(greetings(120))

    assert result.successful == 120
    assert [request.path for request in fake.requests] == [BULK, BULK, BULK]
    assert sorted(len(body_of(request)["BulkEmailEntries"]) for request in fake.requests) == [20, 50, 50]


def test_templates_with_many_recipients_share_no_more_than_fifty(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(5)
    for number, message in enumerate(messages):
        message.cc = [f"cc{n}@m{number}.example.net" for n in range(19)]
    assert mailer.send_bulk(messages).successful == 5
    assert sorted(len(body_of(request)["BulkEmailEntries"]) for request in fake.requests if request.path == BULK) == [
        2,
        2,
    ]


def test_what_differs_between_templates_keeps_them_apart(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(2) + greetings(2, template_id="bye") + greetings(2, from_email="other@example.org")
    messages += greetings(2, track_opens=False) + greetings(2, reply_to="help@example.org")
    for number, message in enumerate(messages):
        message.to = [f"v{number}@example.net"]
    assert mailer.send_bulk(messages).successful == 10

    taken = {
        one.to[0][1]: (one.template_id, one.sender[1], one.track_opens, len(one.reply_to)) for one in fake.delivered
    }
    expected: list[Any] = [
        ("welcome", "shop@example.org", None, 0), ("bye", "shop@example.org", None, 0),
        ("welcome", "other@example.org", None, 0), ("welcome", "shop@example.org", False, 0),
        ("welcome", "shop@example.org", None, 1),
    ]  # fmt: skip
    assert [taken[f"v{n}@example.net"] for n in range(10)] == [one for one in expected for _ in range(2)]


def test_templates_of_a_bulk_keep_their_own_headers_tags_and_metadata(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(3)
    messages[0].headers, messages[0].tags, messages[1].metadata = {"X-Order": "17"}, ["one", "zwölf"], {"order": "18"}
    assert mailer.send_bulk(messages).successful == 3

    assert len(fake.requests) == 1
    assert [(one.headers, one.tags, one.metadata) for one in fake.delivered] == [
        ({"X-Order": "17"}, ["one", "zwölf"], {}),
        ({}, [], {"order": "18"}),
        ({}, [], {}),
    ]


def test_templates_with_files_or_options_travel_alone(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(2, attachments=[("bill.pdf", b"pdf", "application/pdf")])
    messages += greetings(2, options={"ses": {"TenantName": "acme"}})
    assert mailer.send_bulk(messages).successful == 4
    assert [request.path for request in fake.requests] == [SINGLE] * 4


def test_only_those_of_a_bulk_that_were_too_fast_are_tried_again(mailer: MailBridge, fake: FakeSes) -> None:
    fake.statuses = {"u1@example.net": deque(["ACCOUNT_THROTTLED"]), "u2@example.net": deque(["TRANSIENT_FAILURE"])}
    result = mailer.send_bulk(greetings(4))

    assert result.successful == 4
    assert [len(body_of(request)["BulkEmailEntries"]) for request in fake.requests] == [4, 2]
    assert sorted(one.to[0][1] for one in fake.delivered) == [f"u{n}@example.net" for n in range(4)]


def test_one_entry_that_spoils_the_request_costs_no_other(mailer: MailBridge, fake: FakeSes) -> None:
    messages = greetings(8)
    messages[5].to = ["refused@example.net"]
    result = mailer.send_bulk(messages)

    assert (list(result.failures), result.successful) == ([5], 7)
    assert sorted(one.to[0][1] for one in fake.delivered) == [f"u{n}@example.net" for n in range(8) if n != 5]


def test_a_template_that_is_missing_is_asked_for_once(mailer: MailBridge, fake: FakeSes) -> None:
    result = mailer.send_bulk(greetings(20, template_id="missing"))

    assert {response.kind for response in result.responses} == {"invalid_request"}
    assert {response.failure and response.failure.code for response in result.responses} == {"NotFoundException"}
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("ACCOUNT_THROTTLED", "rate_limited"), ("TRANSIENT_FAILURE", "unavailable"),
        ("ACCOUNT_DAILY_QUOTA_EXCEEDED", "quota"), ("ACCOUNT_SENDING_PAUSED", "quota"),
        ("CONFIGURATION_SET_SENDING_PAUSED", "quota"), ("ACCOUNT_SUSPENDED", "quota"),
        ("MAIL_FROM_DOMAIN_NOT_VERIFIED", "sender_not_verified"), ("MESSAGE_REJECTED", "invalid_request"),
        ("INVALID_PARAMETER", "invalid_request"), ("INVALID_PARAMETER_VALUE", "invalid_request"),
        ("TEMPLATE_NOT_FOUND", "invalid_request"), ("TEMPLATE_DOES_NOT_EXIST", "invalid_request"),
        ("CONFIGURATION_SET_NOT_FOUND", "invalid_request"), ("CONFIGURATION_SET_DOES_NOT_EXIST", "invalid_request"),
        ("INVALID_SENDING_POOL_NAME", "invalid_request"), ("FAILED", "invalid_request"),
        ("SOMETHING_NEW", "ambiguous"), (17, "ambiguous"), (None, "ambiguous"), ("SUCCESS", "ambiguous"),
    ],
)  # fmt: skip
def test_what_the_status_of_one_of_a_bulk_means(fake: FakeSes, status: Any, kind: str) -> None:
    entries = [{"Status": "SUCCESS", "MessageId": "0100-a"}, {"Status": status, "Error": "No."}]
    fake.faults.append(answers(200, json.dumps({"BulkEmailEntryResults": entries})))
    with MailBridge("ses", **fake.settings(), max_retries=0) as mailer:
        first, second = mailer.send_bulk(greetings(2)).responses

    assert (first.success, first.message_id) == (True, "0100-a")
    assert (second.success, second.message_id, second.kind) == (False, None, kind)


def test_a_bulk_rejected_for_its_sender_says_so(fake: FakeSes) -> None:
    text = "Email address is not verified."
    entries = [{"Status": "MESSAGE_REJECTED", "Error": text}, {"Status": "MESSAGE_REJECTED", "Error": text}]
    fake.faults.append(answers(200, json.dumps({"BulkEmailEntryResults": entries})))
    with MailBridge("ses", **fake.settings(), max_retries=0) as mailer:
        assert [response.kind for response in mailer.send_bulk(greetings(2)).responses] == ["sender_not_verified"] * 2


@pytest.mark.parametrize(
    "body", ['{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "x"}]}', "{}", "[]", "<"]
)
def test_results_that_fit_no_bulk_are_in_doubt(mailer: MailBridge, fake: FakeSes, body: str) -> None:
    fake.faults.append(answers(200, body))
    result = mailer.send_bulk(greetings(2))

    assert [response.kind for response in result.responses] == ["ambiguous", "ambiguous"]
    assert len(fake.requests) == 1
