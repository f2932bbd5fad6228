"""Several providers, and never two of them for one e-mail."""

from __future__ import annotations

from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    UnsupportedFieldError,
)
from poststack.transports.base import HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import FakeClock, ScriptedTransport

pytestmark = pytest.mark.anyio

ACCEPTED = HttpResponse(202, {"x-message-id": "id1"})
AT_POSTSTACK = HttpResponse(202, {}, b'{"id":"em_1"}')
REFUSED = TransportError("refused", request_sent=False)
SILENT = TransportTimeoutError("timed out")
SENDER = "shop@example.org"


def sendgrid(*steps: Any, **settings: Any) -> tuple[AsyncMailBridge, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    arguments: dict[str, Any] = {"api_key": "SG.x", "from_email": SENDER, "max_retries": 0, **settings}
    return AsyncMailBridge("sendgrid", transport=transport, **arguments), transport


def poststack(*steps: Any) -> tuple[AsyncMailBridge, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    mailer = AsyncMailBridge("poststack", api_key="sk_x", from_email=SENDER, transport=transport, max_retries=0)
    return mailer, transport


def states(mailer: AsyncFailover) -> list[str]:
    return [circuit.state for circuit in mailer.circuits]


@pytest.mark.parametrize(
    "step",
    [
        REFUSED,
        HttpResponse(401, {}, b"{}"),
        HttpResponse(403, {}, b"{}"),
        HttpResponse(429, {"retry-after": "3600"}, b"{}"),
        HttpResponse(503, {}, b""),
    ],
)
async def test_the_next_one_is_tried_when_the_first_certainly_did_not_take_it(step: Any) -> None:
    first, _ = sendgrid(step)
    second, _ = poststack(AT_POSTSTACK)
    response = await AsyncFailover([first, second]).send("ada@example.net", "Hi", "x")
    assert (response.success, response.provider, response.message_id) == (True, "poststack", "em_1")


@pytest.mark.parametrize(
    "step", [SILENT, TransportError("reset"), HttpResponse(500, {}, b""), HttpResponse(502, {}, b"")]
)
async def test_what_may_have_been_sent_goes_nowhere_else(step: Any) -> None:
    first, _ = sendgrid(step)
    second, at_second = poststack(AT_POSTSTACK)
    with pytest.raises(EmailSendError) as caught:
        await AsyncFailover([first, second]).send("ada@example.net", "Hi", "x")
    assert (caught.value.may_have_been_sent, caught.value.provider) == (True, "sendgrid")
    assert at_second.requests == []


async def test_it_does_where_duplicates_are_allowed() -> None:
    first, _ = sendgrid(SILENT)
    second, _ = poststack(AT_POSTSTACK)
    response = await AsyncFailover([first, second], allow_duplicates=True).send("ada@example.net", "Hi", "x")
    assert response.provider == "poststack"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_wrong_with_the_email_itself_is_wrong_everywhere(status: int) -> None:
    first, _ = sendgrid(HttpResponse(status, {}, b"{}"))
    second, at_second = poststack(AT_POSTSTACK)
    with pytest.raises(EmailSendError):
        await AsyncFailover([first, second]).send("ada@example.net", "Hi", "x")
    assert at_second.requests == []


async def test_what_the_first_cannot_say_the_second_may() -> None:
    first, at_first = poststack(AT_POSTSTACK)
    second, _ = sendgrid(ACCEPTED)
    mailer = AsyncFailover([first, second])
    response = await mailer.send("ada@example.net", "Hi", "x", metadata={"order": "17"})
    assert response.provider == "sendgrid"
    assert at_first.requests == []
    with pytest.raises(UnsupportedFieldError):
        await AsyncFailover([first]).send("ada@example.net", "Hi", "x", metadata={"order": "17"})


async def test_a_bulk_goes_on_with_those_that_were_not_taken() -> None:
    answers = [ACCEPTED, HttpResponse(503, {}, b""), ACCEPTED]
    first, _ = sendgrid(*answers, concurrency=1)
    second, at_second = poststack(AT_POSTSTACK)
    messages = [EmailMessageDto("ada@example.net", "Hi", f"<p>{n}</p>") for n in range(3)]
    result = await AsyncFailover([first, second]).send_bulk(messages)
    assert [response.provider for response in result.responses] == ["sendgrid", "poststack", "sendgrid"]
    assert len(at_second.requests) == 1


async def test_a_provider_that_keeps_failing_rests_and_is_tried_again() -> None:
    clock = FakeClock()
    first, at_first = sendgrid(HttpResponse(503, {}, b""))
    second, _ = poststack(AT_POSTSTACK)
    mailer = AsyncFailover([first, second], threshold=3, rest=30, clock=clock.monotonic)
    for _ in range(5):
        assert (await mailer.send("ada@example.net", "Hi", "x")).provider == "poststack"
    assert len(at_first.requests) == 3
    assert states(mailer) == ["open", "closed"]
    clock.now += 31
    at_first.steps[:] = [ACCEPTED]
    assert states(mailer) == ["half open", "closed"]
    assert (await mailer.send("ada@example.net", "Hi", "x")).provider == "sendgrid"
    assert states(mailer) == ["closed", "closed"]


async def test_a_trial_that_fails_makes_it_rest_again() -> None:
    clock = FakeClock()
    first, at_first = sendgrid(HttpResponse(503, {}, b""))
    second, _ = poststack(AT_POSTSTACK)
    mailer = AsyncFailover([first, second], threshold=1, rest=30, clock=clock.monotonic)
    await mailer.send("ada@example.net", "Hi", "x")
    clock.now += 31
    for _ in range(3):
        await mailer.send("ada@example.net", "Hi", "x")
    assert len(at_first.requests) == 2


async def test_when_all_rest_nothing_is_sent_and_later_it_may_be() -> None:
    first, at_first = sendgrid(HttpResponse(503, {}, b""))
    mailer = AsyncFailover([first], threshold=1)
    with pytest.raises(EmailSendError):
        await mailer.send("ada@example.net", "Hi", "x")
    with pytest.raises(EmailSendError, match="Nothing was sent") as caught:
        await mailer.send("ada@example.net", "Hi", "x")
    assert caught.value.transient
    assert len(at_first.requests) == 1


async def test_it_stands_where_a_client_is_expected() -> None:
    first, _ = sendgrid(REFUSED)
    second, _ = poststack(AT_POSTSTACK)
    mailer = AsyncFailover([first, second])
    sent = await mailer.emails.send({"from": SENDER, "to": ["ada@example.net"], "subject": "Hi", "text": "x"})
    assert sent == {"id": "em_1", "provider": "poststack"}
    assert mailer.providers == ("sendgrid", "poststack")


async def test_it_closes_its_providers() -> None:
    first, at_first = sendgrid(ACCEPTED)
    async with AsyncFailover([first]):
        pass
    assert at_first.closed == 1


def test_what_is_no_mailbridge_is_refused() -> None:
    wrong: Any = [object()]
    with pytest.raises(TypeError, match="not object"):
        AsyncFailover(wrong)
    with pytest.raises(ConfigurationError, match="at least one"):
        AsyncFailover([])
