"""What SendGrid's answers mean, and their absence, against a SendGrid that is as strict as the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

import pytest

from poststack.mailbridge import AsyncMailBridge, EmailSendError, MailBridge
from poststack.transports.base import SystemClock
from poststack.transports.httpcore import HttpcoreTransport
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import API_KEY, FakeSendGrid

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


def _errors(*errors: dict[str, Any]) -> str:
    return json.dumps({"errors": errors, "id": "req-1"})


BAD_TO = {"message": "Does not contain a valid address.", "field": "personalizations.0.to.0.email", "help": None}
BAD_SUBJECT = {"message": "The subject is required.", "field": "subject", "help": None}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"errors":[{"message":"Bad Request","field":null,"help":null}]}', "invalid_request"),
        (400, _errors(BAD_TO), "invalid_recipient"),
        (400, _errors(BAD_TO, BAD_SUBJECT), "invalid_request"),
        (400, _errors({"message": "x", "field": "personalizations.0.custom_args"}), "invalid_request"),
        (401, '{"errors":[{"message":"invalid, expired, or revoked","field":null}]}', "auth"),
        (401, '{"errors":[{"message":"Maximum credits exceeded","field":null}]}', "quota"),
        (403, '{"errors":[{"message":"The from address does not match a verified Sender"}]}', "sender_not_verified"),
        (403, _errors({"message": "access forbidden", "field": None}), "auth"),
        (403, "<html>Forbidden</html>", "auth"),
        (404, _errors({"message": "Not Found"}), "invalid_request"),
        (405, "", "invalid_request"),
        (413, "<html>too large</html>", "payload_too_large"),
        (500, "", "ambiguous"),
        (502, "<html>bad gateway</html>", "ambiguous"),
        (504, _errors(BAD_TO), "ambiguous"),
        (307, "", "ambiguous"),
    ],
)
def test_what_a_refusal_means(mailer: MailBridge, fake: FakeSendGrid, status: int, body: str, kind: str) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == (kind, status)
    assert len(fake.requests) == 1
    assert API_KEY not in str(caught.value)
    assert ADA not in str(caught.value)


def test_all_that_is_wrong_is_told_with_the_field_and_the_id(mailer: MailBridge, fake: FakeSendGrid) -> None:
    fake.faults.append(answers(400, _errors(BAD_SUBJECT, BAD_TO, BAD_TO)))
    with pytest.raises(EmailSendError, match=r"required\. Does not contain a valid address\.$") as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.code, caught.value.request_id) == ("subject", "req-1")


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "17", '{"errors":{}}', '{"errors":[null,1]}', '{"errors":[{"message":7,"field":[]}]}',
     '{"errors":[{"message":"\\ud800"}],"id":7}', "[" * 100_000, "x" * 2_000_000, b"\xff\xfe"],
)  # fmt: skip
def test_no_body_of_a_refusal_breaks_anything(mailer: MailBridge, fake: FakeSendGrid, body: str | bytes) -> None:
    fake.faults.append(answers(400, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == ("invalid_request", 400)
    assert str(caught.value).encode()


def test_an_acceptance_without_an_id_is_an_acceptance(mailer: MailBridge, fake: FakeSendGrid) -> None:
    fake.faults.append(answers(202))
    response = mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (response.success, response.message_id, response.metadata) == (True, None, {"status_code": 202})


@pytest.mark.parametrize(
    ("status", "body"), [(200, ""), (200, "<html>Sign in to the network</html>"), (202, "<html>"), (202, "{}"),
                         (201, ""), (204, "")]
)  # fmt: skip
def test_a_success_that_is_not_sendgrids_is_in_doubt_and_not_repeated(
    mailer: MailBridge, fake: FakeSendGrid, status: int, body: str
) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == ("ambiguous", status)
    assert len(fake.requests) == 1


def test_a_page_of_somebody_in_between_is_no_success_in_the_sandbox_either(fake: FakeSendGrid) -> None:
    fake.faults.append(answers(200, "<html>Sign in to the network</html>"))
    mailer = MailBridge("sendgrid", **fake.settings(), from_email=SENDER, sandbox=True)
    with mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert caught.value.kind == "ambiguous"


def test_the_rate_limit_is_waited_for(mailer: MailBridge, fake: FakeSendGrid) -> None:
    reset = int(time.time()) + 1
    limit = {"X_RateLimit_Limit": "600", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(reset)}
    fake.faults.append(answers(429, '{"errors":[{"message":"too many requests"}]}', **limit))
    assert mailer.send(ADA, "Hi", "<p>Hi</p>").success
    assert len(fake.requests) == 2
    assert time.time() >= reset


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"X_RateLimit_Reset": "{soon}"}, 890, 900),
        ({"X_RateLimit_Reset": "{soon}", "Retry_After": "7"}, 7, 7),
        ({"X_RateLimit_Reset": "1"}, None, None),
        ({"X_RateLimit_Reset": "²"}, None, None),
        ({"X_RateLimit_Reset": "soon"}, None, None),
        ({}, None, None),
    ],
)
def test_how_long_to_wait_is_told(
    fake: FakeSendGrid, headers: dict[str, str], least: float | None, most: float | None
) -> None:
    soon = str(int(time.time()) + 900)
    given = {name: value.replace("{soon}", soon) for name, value in headers.items()}
    fake.faults.append(answers(429, "{}", **given))
    mailer = MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=0)
    with mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert caught.value.kind == "rate_limited"
    told = caught.value.retry_after
    assert told is None if least is None or most is None else told is not None and least <= told <= most


def test_unavailable_is_certainly_not_taken_and_sent_again(mailer: MailBridge, fake: FakeSendGrid) -> None:
    fake.faults.append(answers(503, "<html>"))
    assert mailer.send(ADA, "Hi", "<p>Hi</p>").success
    assert len(fake.delivered) == 1


@pytest.mark.parametrize(
    ("fault", "taken"), [(Fault(reset=True), 0), (Fault(taken=True, reset=True), 1), (Fault(stall=30.0), 0),
                         (Fault(taken=True, stall=30.0), 1)]
)  # fmt: skip
def test_a_lost_answer_is_in_doubt_and_not_repeated(fake: FakeSendGrid, fault: Fault, taken: int) -> None:
    fake.faults.append(fault)
    mailer = MailBridge("sendgrid", **fake.settings(), from_email=SENDER, timeout=0.5)
    with mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.transient) == ("ambiguous", False)
    assert (len(fake.requests), len(fake.delivered)) == (1, taken)


def test_a_lost_answer_is_asked_for_again_by_those_who_allow_duplicates(fake: FakeSendGrid) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, allow_duplicates=True) as mailer:
        assert mailer.send(ADA, "Hi", "<p>Hi</p>").success
    assert len(fake.delivered) == 2


class _Waits(SystemClock):
    """A clock whose waits are noted and over at once."""

    def __init__(self) -> None:
        self.noted: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.noted.append(seconds)


class _Transport(HttpcoreTransport):
    def __init__(self, clock: _Waits) -> None:
        super().__init__()
        self.clock = clock


def test_a_refused_connection_is_tried_again_and_certain_not_to_have_sent() -> None:
    with FakeSendGrid() as gone:
        settings = gone.settings()
    clock = _Waits()
    mailer = MailBridge("sendgrid", **settings, from_email=SENDER, max_retries=2, transport=_Transport(clock))
    with mailer, pytest.raises(EmailSendError) as caught:
        mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code, caught.value.transient) == ("unavailable", None, True)
    assert len(clock.noted) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_asynchronous_client_does_the_same(fake: FakeSendGrid) -> None:
    fake.faults.extend([answers(503), Fault(taken=True, reset=True)])
    async with AsyncMailBridge("sendgrid", **fake.settings(), from_email=SENDER) as mailer:
        with pytest.raises(EmailSendError) as caught:
            await mailer.send(ADA, "Hi", "<p>Hi</p>")
        response = await mailer.send(ADA, "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent
    assert response.message_id == fake.delivered[1].message_id
    assert len(fake.requests) == 3
