"""Many e-mails at once through SendGrid, against one that is as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, MailBridge
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import LEGACY, FakeSendGrid

SENDER = "Shop <shop@example.org>"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSendGrid) -> Generator[MailBridge]:
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def _email(n: int, **said: Any) -> EmailMessageDto:
    fields: dict[str, Any] = {"to": f"u{n}@example.net", "subject": f"For {n}", "body": "<p>News</p>"}
    return EmailMessageDto(**{**fields, **said})


def test_mails_of_the_same_content_share_a_request_and_see_nobody_else(mailer: MailBridge, fake: FakeSendGrid) -> None:
    result = mailer.send_bulk([_email(n) for n in range(1200)])
    assert (result.total, result.successful) == (1200, 1200)
    assert len(fake.requests) == 2
    assert all(len(one.to + one.cc + one.bcc) == 1 for one in fake.delivered)
    # Each has its own subject, and a response in its own place, though one id stands for all of a request.
    ids = {one.to[0][1]: (one.subject, one.message_id) for one in fake.delivered}
    assert [ids[f"u{n}@example.net"] for n in range(1200)] == [
        (f"For {n}", response.message_id) for n, response in enumerate(result.responses)
    ]
    assert len({response.message_id for response in result.responses}) == 2


def test_what_is_each_emails_own_stays_its_own_in_a_shared_request(mailer: MailBridge, fake: FakeSendGrid) -> None:
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    emails = [
        _email(0, headers={"X-N": "0"}, metadata={"n": "0"}, scheduled_at=later, cc="cc@example.net"),
        _email(1),
        _email(2, headers={"X-N": "2"}, metadata={"n": "2"}, bcc="bcc@example.net"),
    ]
    assert mailer.send_bulk(emails).failed == 0
    assert len(fake.requests) == 1
    assert [one.headers for one in fake.delivered] == [{"X-N": "0"}, {}, {"X-N": "2"}]
    assert [one.metadata for one in fake.delivered] == [{"n": "0"}, {}, {"n": "2"}]
    assert [one.scheduled_at is None for one in fake.delivered] == [False, True, True]
    assert [(one.cc, one.bcc) for one in fake.delivered] == [
        ([("", "cc@example.net")], []), ([], []), ([], [("", "bcc@example.net")])
    ]  # fmt: skip


DIFFERENT: list[dict[str, Any]] = [
    {"from_email": "other@example.org"}, {"reply_to": "help@example.org"}, {"body": "<p>Other</p>"}, {"text": "News"},
    {"tags": ["news"]}, {"attachments": [("a.txt", b"A", "text/plain")]}, {"track_opens": False},
    {"track_clicks": True}, {"template_id": LEGACY}, {"options": {"sendgrid": {"asm": {"group_id": 7}}}},
]  # fmt: skip


@pytest.mark.parametrize("said", DIFFERENT)
def test_what_can_be_said_only_once_in_a_request_parts_it(
    mailer: MailBridge, fake: FakeSendGrid, said: dict[str, Any]
) -> None:
    emails = [_email(n, **(said if n % 2 else {})) for n in range(6)]
    result = mailer.send_bulk(emails)
    assert result.failed == 0
    assert sorted(len(json.loads(request.body)["personalizations"]) for request in fake.requests) == [3, 3]
    ids = {one.to[0][1]: one.message_id for one in fake.delivered}
    assert [response.message_id for response in result.responses] == [ids[f"u{n}@example.net"] for n in range(6)]


def test_a_request_has_at_most_1000_recipients(mailer: MailBridge, fake: FakeSendGrid) -> None:
    emails = [_email(n, to=[f"u{n}-{m}@example.net" for m in range(300)], cc="cc@example.net") for n in range(7)]
    assert mailer.send_bulk(emails).failed == 0
    assert sorted(len(json.loads(request.body)["personalizations"]) for request in fake.requests) == [1, 3, 3]


@pytest.mark.unmeasured
def test_a_request_has_at_most_30_megabytes_as_they_travel(mailer: MailBridge, fake: FakeSendGrid) -> None:
    # Each quote takes two bytes in JSON, which no count of characters tells.
    emails = [
        EmailMessageDto(f"u{n}@example.net", template_id="d-17", template_data={"a": '"é' * 700_000}) for n in range(24)
    ]
    result = mailer.send_bulk(emails)
    assert result.failed == 0
    assert sum(len(request.body) for request in fake.requests) > 2 * 24 * 1_000_000
    assert max(len(request.body) for request in fake.requests) <= 30_000_000
    assert len(fake.requests) < 6
    assert sorted(one.to[0][1] for one in fake.delivered) == sorted(f"u{n}@example.net" for n in range(24))


def test_large_files_are_said_once_for_all_of_a_request(mailer: MailBridge, fake: FakeSendGrid) -> None:
    file = ("a.bin", b"x" * 3_000_000, "application/octet-stream")
    assert mailer.send_bulk([_email(n, attachments=[file]) for n in range(10)]).failed == 0
    assert len(fake.requests) == 1


def test_one_wrong_address_costs_no_other_mail_of_the_request(mailer: MailBridge, fake: FakeSendGrid) -> None:
    names = ["refused" if n == 70 else f"u{n}" for n in range(100)]
    result = mailer.send_bulk([EmailMessageDto(f"{name}@example.net", "Hi", "<p>Hi</p>") for name in names])
    assert list(result.failures) == [70]
    assert result.failures[70].kind == "invalid_recipient"
    assert len(fake.delivered) == 99


@pytest.mark.parametrize(("status", "requests"), [(401, 1), (403, 1), (404, 1), (405, 1), (415, 1), (500, 1)])
def test_a_refusal_that_no_email_is_to_blame_for_is_not_tried_in_parts(
    mailer: MailBridge, fake: FakeSendGrid, status: int, requests: int
) -> None:
    fake.faults.append(answers(status, "{}"))
    result = mailer.send_bulk([_email(n) for n in range(64)])
    assert result.failed == 64
    assert len(fake.requests) == requests


def test_too_large_for_somebody_in_between_is_tried_in_parts(mailer: MailBridge, fake: FakeSendGrid) -> None:
    fake.faults.append(answers(413, "<html>"))
    assert mailer.send_bulk([_email(n) for n in range(64)]).failed == 0
    assert len(fake.requests) == 3


def test_the_outcome_of_each_request_is_its_own(fake: FakeSendGrid) -> None:
    faults = [answers(403, "{}"), Fault(taken=True, reset=True), answers(503)]
    fake.faults.extend(faults)
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=1, concurrency=1) as mailer:
        result = mailer.send_bulk([_email(n, body=f"<p>{n}</p>") for n in range(5)])
    assert [response.kind for response in result.responses] == ["auth", "ambiguous", None, None, None]
    # What was not answered is not sent again; what was certainly not taken is.
    assert [one.to[0][1] for one in fake.delivered] == [f"u{n}@example.net" for n in range(1, 5)]


def test_what_cannot_be_said_fails_alone_before_the_others_are_sent(mailer: MailBridge, fake: FakeSendGrid) -> None:
    result = mailer.send_bulk([_email(0), _email(1, tags=["é"]), _email(2)])
    assert [response.success for response in result.responses] == [True, False, True]
    assert len(fake.requests) == 1


@pytest.mark.parametrize(("total", "concurrency"), [(40, 1), (40, 4)])
def test_connections_are_used_again(fake: FakeSendGrid, total: int, concurrency: int) -> None:
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, concurrency=concurrency) as mailer:
        for _ in range(2):
            assert mailer.send_bulk([_email(n, body=f"<p>{n}</p>") for n in range(total)]).failed == 0
    assert len(fake.requests) == 2 * total
    assert fake.connections <= concurrency


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_many_slow_requests_share_few_connections_and_none_times_out(fake: FakeSendGrid) -> None:
    fake.latency = 0.2
    async with AsyncMailBridge("sendgrid", **fake.settings(), from_email=SENDER, concurrency=8, timeout=5.0) as mailer:
        result = await mailer.send_bulk([_email(n, body=f"<p>{n}</p>") for n in range(240)])
    assert result.failed == 0
    assert fake.most_in_flight <= 8
    assert fake.connections <= 8


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_cancelled_bulk_begins_nothing_more_and_the_mailer_lives_on(fake: FakeSendGrid) -> None:
    fake.latency = 60.0
    async with AsyncMailBridge("sendgrid", **fake.settings(), from_email=SENDER, concurrency=3) as mailer:
        async with anyio.create_task_group() as group:
            group.start_soon(mailer.send_bulk, [_email(n, body=f"<p>{n}</p>") for n in range(100)])
            while len(fake.requests) < 3:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        fake.latency = 0.0
        assert (await mailer.send("ada@example.net", "Hi", "<p>Hi</p>")).success
    assert len(fake.requests) == 4
