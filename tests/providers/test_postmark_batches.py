"""The adapter of Postmark, many e-mails at once, against a Postmark that is as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, MailBridge
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.postmark import FakePostmark

SENDER = "Shop <shop@example.org>"


@pytest.fixture
def fake() -> Generator[FakePostmark]:
    with FakePostmark() as server:
        yield server


@pytest.fixture
def mailer(fake: FakePostmark) -> Generator[MailBridge]:
    with MailBridge("postmark", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def _email(n: int, name: str = "u", **said: Any) -> EmailMessageDto:
    fields: dict[str, Any] = {"to": f"{name}{n}@example.net", "subject": f"For {n}", "body": f"<p>{n}</p>"}
    return EmailMessageDto(**{**fields, **said})


def _paths(fake: FakePostmark) -> list[str]:
    return sorted(request.path for request in fake.requests)


def test_a_batch_has_at_most_500_emails_and_each_its_own_body_and_id(mailer: MailBridge, fake: FakePostmark) -> None:
    result = mailer.send_bulk([_email(n) for n in range(1001)])
    assert (result.total, result.successful) == (1001, 1001)
    assert _paths(fake) == ["/email", "/email/batch", "/email/batch"]
    taken = {one.to[0][1]: one for one in fake.delivered}
    assert [response.message_id for response in result.responses] == [
        taken[f"u{n}@example.net"].message_id for n in range(1001)
    ]
    assert [taken[f"u{n}@example.net"].html for n in range(1001)] == [f"<p>{n}</p>" for n in range(1001)]
    assert all(len(one.to) == 1 and not one.cc and not one.bcc for one in fake.delivered)


def test_each_email_of_a_batch_succeeds_or_fails_alone_and_in_its_place(mailer: MailBridge, fake: FakePostmark) -> None:
    names = ["u", "inactive", "refused", "delayed", "u"]
    messages = [_email(n, name) for n, name in enumerate(names)]
    messages.append(_email(5, from_email="unverified@example.org"))
    messages.append(_email(6, to=["u6@example.net", "inactive6@example.net"]))
    result = mailer.send_bulk(messages)
    assert _paths(fake) == ["/email/batch"]
    assert [response.kind for response in result.responses] == [
        None, "suppressed", "invalid_recipient", None, None, "sender_not_verified", None
    ]  # fmt: skip
    assert [response.metadata.get("status") for response in result.responses][3] == "queued"
    assert set(result.responses[6].refused) == {"inactive6@example.net"}
    assert [one.to[0][1] for one in fake.delivered] == ["u0@example.net", "delayed3@example.net", "u4@example.net",
                                                        "u6@example.net"]  # fmt: skip


def test_templates_go_in_batches_of_their_own(mailer: MailBridge, fake: FakePostmark) -> None:
    messages = [
        EmailMessageDto(f"u{n}@example.net", template_id=17 if n % 4 else "welcome", template_data={"n": n})
        if n % 2 or n % 4 == 0
        else _email(n)
        for n in range(12)
    ]
    result = mailer.send_bulk(messages)
    assert result.failed == 0
    assert _paths(fake) == ["/email/batch", "/email/batchWithTemplates"]
    # Nobody's e-mail is filled in with the data of another.
    filled = {one.to[0][1]: (one.template_id, one.variables) for one in fake.delivered if one.template_id}
    assert filled == {
        f"u{n}@example.net": ("17" if n % 4 else "welcome", {"n": n}) for n in range(12) if n % 2 or n % 4 == 0
    }
    ids = {one.to[0][1]: one.message_id for one in fake.delivered}
    assert [response.message_id for response in result.responses] == [ids[f"u{n}@example.net"] for n in range(12)]


def test_streams_do_not_share_a_batch(mailer: MailBridge, fake: FakePostmark) -> None:
    streams = ["outbound", "broadcast", None]
    options = [{"postmark": {"MessageStream": stream}} if stream else None for stream in streams]
    result = mailer.send_bulk([_email(n, options=options[n % 3]) for n in range(9)])
    assert result.failed == 0
    seen = [{item.get("MessageStream") for item in json.loads(request.body)} for request in fake.requests]
    assert sorted(map(str, seen)) == sorted(map(str, [{"outbound"}, {"broadcast"}, {None}]))


def test_batches_are_split_by_their_bytes_on_the_wire(mailer: MailBridge, fake: FakePostmark) -> None:
    # Written in JSON, the quotes make each of these twice as long as it says it is.
    result = mailer.send_bulk([_email(n, body='"' * 3_000_000 + "é") for n in range(10)])
    assert result.failed == 0
    sizes = [len(request.body) for request in fake.requests]
    assert len(sizes) == 2
    assert max(sizes) <= 50_000_000


def test_a_message_given_twice_is_sent_twice(mailer: MailBridge, fake: FakePostmark) -> None:
    message = _email(1)
    result = mailer.send_bulk([message, _email(2), message])
    assert sorted(one.to[0][1] for one in fake.delivered) == ["u1@example.net", "u1@example.net", "u2@example.net"]
    assert len({response.message_id for response in result.responses}) == 3


def test_a_batch_refused_as_a_whole_is_tried_apart(mailer: MailBridge, fake: FakePostmark) -> None:
    fake.faults.append(answers(422, '{"ErrorCode":402,"Message":"Received invalid JSON input."}'))
    result = mailer.send_bulk([_email(n) for n in range(5)])
    assert result.failed == 0
    assert [len(request.body) > 0 for request in fake.requests] == [True] * 3
    assert sorted(one.to[0][1] for one in fake.delivered) == [f"u{n}@example.net" for n in range(5)]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"ErrorCode":10,"Message":"bad token"}', "auth"),
        (200, '{"ErrorCode":10,"Message":"bad token"}', "auth"),
        (403, "<html>Forbidden</html>", "auth"),
        (404, "<html>Not Found</html>", "invalid_request"),
        (422, '{"ErrorCode":405,"Message":"out of credits"}', "quota"),
        (500, "", "ambiguous"),
        (200, "<html>", "ambiguous"),
        (200, "[]", "ambiguous"),
        (200, '[{"MessageID":"x","ErrorCode":0}]', "ambiguous"),
        (200, '{"MessageID":"x","ErrorCode":0}', "ambiguous"),
        (200, "[1, null]", "ambiguous"),
    ],
)
def test_an_answer_that_counts_for_all_is_given_to_all_and_not_repeated(
    mailer: MailBridge, fake: FakePostmark, status: int, body: str, kind: str
) -> None:
    fake.faults.append(answers(status, body))
    result = mailer.send_bulk([_email(1), _email(2)])
    assert [response.kind for response in result.responses] == [kind, kind]
    assert len(fake.requests) == 1


def test_an_item_without_a_verdict_is_in_doubt_alone(mailer: MailBridge, fake: FakePostmark) -> None:
    fake.faults.append(answers(200, '[{"MessageID":"a","ErrorCode":0}, {}, {"MessageID":"c"}]'))
    result = mailer.send_bulk([_email(n) for n in range(3)])
    assert [response.message_id for response in result.responses] == ["a", None, "c"]
    assert result.failures[1].may_have_been_sent
    assert len(fake.requests) == 1


def test_only_what_was_too_fast_is_sent_again(mailer: MailBridge, fake: FakePostmark) -> None:
    items = '[{"MessageID":"a","ErrorCode":0}, {"ErrorCode":429}, {"ErrorCode":406,"Message":"inactive"}]'
    fake.faults.append(answers(200, items))
    result = mailer.send_bulk([_email(n) for n in range(3)])
    assert [response.kind for response in result.responses] == [None, None, "suppressed"]
    assert [one.to[0][1] for one in fake.delivered] == ["u1@example.net"]


def test_a_batch_whose_answer_is_lost_is_not_sent_again(fake: FakePostmark) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    with MailBridge("postmark", **fake.settings(), from_email=SENDER, concurrency=1) as mailer:
        result = mailer.send_bulk([_email(n) for n in range(600)])
    assert [response.kind for response in result.responses] == ["ambiguous"] * 500 + [None] * 100
    assert len(fake.delivered) == 600


def test_a_refused_connection_is_certainly_not_taken() -> None:
    with FakePostmark() as gone:
        settings = gone.settings()
    with MailBridge("postmark", **settings, from_email=SENDER, max_retries=0) as mailer:
        result = mailer.send_bulk([_email(1), _email(2)])
    assert [response.kind for response in result.responses] == ["unavailable"] * 2


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_slow_batches_use_as_many_connections_as_may_be_under_way(fake: FakePostmark) -> None:
    fake.latency = 0.2
    async with AsyncMailBridge("postmark", **fake.settings(), from_email=SENDER, concurrency=2) as mailer:
        result = await mailer.send_bulk([_email(n) for n in range(3000)])
    assert result.failed == 0
    assert (len(fake.requests), fake.most_in_flight) == (6, 2)
    assert fake.connections == 2


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_cancelled_bulk_begins_nothing_more(fake: FakePostmark) -> None:
    fake.latency = 60.0
    async with AsyncMailBridge("postmark", **fake.settings(), from_email=SENDER, concurrency=1) as mailer:
        with anyio.move_on_after(20) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(mailer.send_bulk, [_email(n) for n in range(1000)])
                while not fake.requests:
                    await anyio.sleep(0.01)
                group.cancel_scope.cancel()
        assert not scope.cancelled_caught
        fake.latency = 0.0
        assert (await mailer.send("ada@example.net", "Hi", "<p>Hi</p>")).success
    assert _paths(fake) == ["/email", "/email/batch"]
