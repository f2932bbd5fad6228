"""What Postmark's answers mean, against a Postmark that is as strict as the real one."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from poststack.mailbridge import AsyncMailBridge, EmailSendError, MailBridge
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.postmark import TOKEN, FakePostmark

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


def test_inactive_recipients_of_an_accepted_email_are_named(mailer: MailBridge, fake: FakePostmark) -> None:
    response = mailer.send([ADA, "Inactive <inactive1@Example.net>"], "Hi", "<p>Hi</p>", cc="inactive2@example.net")
    assert response.success
    assert set(response.refused) == {"inactive1@Example.net", "inactive2@example.net"}
    assert len(fake.delivered) == 1


def test_a_delayed_answer_without_a_code_is_an_acceptance(mailer: MailBridge, fake: FakePostmark) -> None:
    response = mailer.send("delayed@example.net", "Hi", "<p>Hi</p>")
    assert (response.success, response.message_id) == (True, fake.delivered[0].message_id)
    assert response.metadata["status"] == "queued"


def test_an_email_whose_recipients_are_all_inactive_is_suppressed(mailer: MailBridge, fake: FakePostmark) -> None:
    with pytest.raises(EmailSendError) as caught:
        mailer.send("inactive@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code, caught.value.code) == ("suppressed", 422, "406")
    assert fake.delivered == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, '{"ErrorCode":10,"Message":"The Server Token you provided was invalid."}', "auth", "10"),
        (422, '{"ErrorCode":11,"Message":"Several","Errors":["one", {"Message":"two"}]}', "invalid_request", "11"),
        (422, """{"ErrorCode":300,"Message":"Invalid 'To' address: 'x'."}""", "invalid_recipient", "300"),
        (422, """{"ErrorCode":300,"Message":"Error parsing 'Cc': Illegal"}""", "invalid_recipient", "300"),
        (422, """{"ErrorCode":300,"Message":"Error parsing 'Reply-To': Illegal"}""", "invalid_request", "300"),
        (422, '{"ErrorCode":400,"Message":"no Sender Signature"}', "sender_not_verified", "400"),
        (422, '{"ErrorCode":401,"Message":"not confirmed"}', "sender_not_verified", "401"),
        (422, '{"ErrorCode":403,"Message":"Invalid field"}', "invalid_request", "403"),
        (422, '{"ErrorCode":405,"Message":"out of credits"}', "quota", "405"),
        (422, '{"ErrorCode":406,"Message":"inactive"}', "suppressed", "406"),
        (422, '{"ErrorCode":411,"Message":"Forbidden file"}', "invalid_request", "411"),
        (422, '{"ErrorCode":412,"Message":"account pending"}', "auth", "412"),
        (422, '{"ErrorCode":413,"Message":"may not send"}', "auth", "413"),
        (422, '{"ErrorCode":1101,"Message":"no template"}', "invalid_request", "1101"),
        (422, '{"ErrorCode":1235,"Message":"no stream"}', "invalid_request", "1235"),
        (422, '{"ErrorCode":999999,"Message":"new"}', "invalid_request", "999999"),
        (200, '{"ErrorCode":406,"Message":"inactive"}', "suppressed", "406"),
        (403, "<html>Forbidden</html>", "auth", None),
        (404, "<html>Not Found</html>", "invalid_request", None),
        (413, "", "payload_too_large", None),
        (415, '{"ErrorCode":409,"Message":"JSON required"}', "invalid_request", "409"),
        (500, '{"ErrorCode":0,"Message":"Internal"}', "ambiguous", None),
        # A code of an e-mail cannot turn a broken answer into a refusal.
        (502, '{"ErrorCode":406,"Message":"inactive"}', "ambiguous", "406"),
    ],
)  # fmt: skip
def test_what_a_refusal_means(
    mailer: MailBridge, fake: FakePostmark, status: int, body: str, kind: str, code: str | None
) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code, caught.value.code) == (kind, status, code)
    assert len(fake.requests) == 1
    assert TOKEN not in str(caught.value)
    assert ADA not in str(caught.value)


def test_several_errors_are_all_told(mailer: MailBridge, fake: FakePostmark) -> None:
    fake.faults.append(answers(422, '{"ErrorCode":11,"Message":"Several","Errors":["one", {"Message":"two"}, 3]}'))
    with pytest.raises(EmailSendError, match=r"^Postmark answered 422: Several one two$"):
        mailer.send(ADA, "Hi", "<p>Hi</p>")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, ""),
        (503, "<html>"),
        (422, '{"ErrorCode":100,"Message":"Maintenance"}'),
        (500, '{"ErrorCode":100,"Message":"Maintenance"}'),
        (422, '{"ErrorCode":429,"Message":"slow"}'),
    ],
)
def test_what_certainly_was_not_taken_is_sent_again(
    mailer: MailBridge, fake: FakePostmark, status: int, body: str
) -> None:
    fake.faults.append(answers(status, body))
    assert mailer.send(ADA, "Hi", "<p>Hi</p>").success
    assert len(fake.delivered) == 1


def test_retry_after_is_waited_for_and_told(fake: FakePostmark) -> None:
    with MailBridge("postmark", **fake.settings(), from_email=SENDER, max_retries=0) as mailer:
        fake.faults.append(answers(429, "", Retry_After="7"))
        with pytest.raises(EmailSendError) as caught:
            mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limited", 7.0)


@pytest.mark.parametrize(
    "body",
    [
        "", "<html>Welcome</html>", "{}", "[]", "null", "17", '{"ErrorCode":0,"Message":"OK"}',
        '{"MessageID":"","ErrorCode":0}', '{"MessageID":17,"ErrorCode":0}', '{"MessageID":"x","ErrorCode":"0"}',
        '{"MessageID":"x","ErrorCode":true}', "[" * 100_000, '{"MessageID":"' + "x" * 2_000_000,
    ],
)  # fmt: skip
def test_a_success_that_is_not_postmarks_is_in_doubt_and_not_repeated(
    mailer: MailBridge, fake: FakePostmark, body: str
) -> None:
    fake.faults.append(answers(200, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.may_have_been_sent) == ("ambiguous", True)
    assert len(fake.requests) == 1


def test_odd_texts_in_an_answer_break_nothing(mailer: MailBridge, fake: FakePostmark) -> None:
    text = "Message OK, but will not deliver to these inactive addresses: ,, \\ud800@x"
    fake.faults.append(answers(200, f'{{"MessageID":"<id\\ud800>","ErrorCode":0,"Message":"{text}","To":[1]}}'))
    response = mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert response.message_id == "id?"
    assert response.metadata == {"status_code": 200}
    assert len(str(response.refused).encode()) > 0


@pytest.mark.parametrize("fault", [Fault(reset=True), Fault(stall=30.0), Fault(taken=True, reset=True)])
def test_a_lost_answer_is_in_doubt_and_not_repeated(fake: FakePostmark, fault: Fault) -> None:
    fake.faults.append(fault)
    mailer = MailBridge("postmark", **fake.settings(), from_email=SENDER, timeout=0.3)
    with mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent
    assert len(fake.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_asynchronous_client_does_the_same(fake: FakePostmark) -> None:
    async with AsyncMailBridge("postmark", **fake.settings(), from_email=SENDER) as mailer:
        response = await mailer.send([ADA, "inactive@example.net"], "Hi", "<p>Hi</p>")
        with pytest.raises(EmailSendError) as caught:
            await mailer.send("refused@example.net", "Hi", "<p>Hi</p>")
    assert (response.message_id, set(response.refused)) == (fake.delivered[0].message_id, {"inactive@example.net"})
    assert caught.value.kind == "invalid_recipient"
