"""What is known of an e-mail when attempts fail one after the other, and what a failure of one costs the others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    BaseEmailProvider,
    BulkInterruptedError,
    ConfigurationError,
    EmailMessageDto,
    EmailResponseDTO,
    EmailSendError,
    MemoryKeyStore,
)
from poststack.transports.base import HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import ScriptedTransport

pytestmark = pytest.mark.anyio

ACCEPTED = HttpResponse(202, {"x-message-id": "id1"})
AT_POSTSTACK = HttpResponse(202, {}, b'{"id":"em_1"}')
REFUSED = TransportError("refused", request_sent=False)
SILENT = TransportTimeoutError("timed out")
LATER = HttpResponse(429, {"retry-after": "60"}, b"{}")
SENDER = "shop@example.org"
SETTINGS: dict[str, dict[str, Any]] = {
    "brevo": {"api_key": "x"},
    "postmark": {"server_token": "x"},
    "poststack": {"api_key": "sk_x"},
    "sendgrid": {"api_key": "SG.x"},
}


def mailer(name: str, *steps: Any, duration: float = 0.0, **more: Any) -> tuple[AsyncMailBridge, ScriptedTransport]:
    transport = ScriptedTransport(*steps, duration=duration)
    settings: dict[str, Any] = {"from_email": SENDER, "max_retries": 0, **SETTINGS[name], **more}
    return AsyncMailBridge(name, transport=transport, **settings), transport


def email(number: int = 0, **said: Any) -> EmailMessageDto:
    fields: dict[str, Any] = {"to": f"u{number}@example.net", "subject": "Hi", "body": "<p>Hi</p>", **said}
    return EmailMessageDto(**fields)


async def test_a_refusal_today_says_nothing_of_yesterday_so_the_email_goes_nowhere_else() -> None:
    store = MemoryKeyStore()
    yesterday, _ = mailer("poststack", SILENT)
    today, _ = mailer("poststack", REFUSED, AT_POSTSTACK)
    second, at_second = mailer("sendgrid", ACCEPTED)
    with pytest.raises(EmailSendError):
        await AsyncFailover([yesterday, second], keys=store).send_message(email(idempotency_key="order-17"))
    again = AsyncFailover([today, second], keys=store)
    with pytest.raises(EmailSendError, match="An earlier attempt was not answered") as caught:
        await again.send_message(email(idempotency_key="order-17"))
    assert caught.value.may_have_been_sent
    assert at_second.requests == []
    # PostStack knows the key, and tells in the end.
    assert (await again.send_message(email(idempotency_key="order-17"))).message_id == "em_1"
    assert store.begin("order-17", "anybody").state == "done"


async def test_one_key_twice_in_a_bulk_that_failed_was_not_accepted_before() -> None:
    bridge, transport = mailer("sendgrid", HttpResponse(401, {}, b"{}"), keys=MemoryKeyStore())
    result = await bridge.send_bulk([email(idempotency_key="a"), email(idempotency_key="a")])
    assert [(response.kind, response.replayed) for response in result.responses] == [("auth", False)] * 2
    assert len(transport.requests) == 1


async def test_a_transport_that_raises_costs_no_other_email_its_outcome() -> None:
    bridge, _ = mailer("sendgrid", ACCEPTED, RuntimeError("a defect"), ACCEPTED, concurrency=1)
    result = await bridge.send_bulk([email(n, body=f"<p>{n}</p>") for n in range(3)])
    assert [response.success for response in result.responses] == [True, False, True]
    failed = result.responses[1]
    assert failed.may_have_been_sent
    assert isinstance(failed.original_error, RuntimeError)
    assert "a defect" not in str(failed.error)


async def test_whose_turn_comes_after_the_deadline_is_certainly_not_sent() -> None:
    bridge, transport = mailer("sendgrid", ACCEPTED, duration=4.0, deadline=10.0, concurrency=1)
    result = await bridge.send_bulk([email(n, body=f"<p>{n}</p>") for n in range(5)])
    assert [response.kind for response in result.responses] == [None, None, None, "unavailable", "unavailable"]
    assert "Nothing was sent" in str(result.responses[4].error)
    assert len(transport.requests) == 3


async def test_a_request_in_doubt_is_repeated_only_while_the_provider_remembers_its_key() -> None:
    bridge, transport = mailer("brevo", SILENT, LATER, max_retries=100)
    with pytest.raises(EmailSendError) as caught:
        await bridge.send_message(email())
    assert caught.value.may_have_been_sent
    # 30 minutes, a request each, after the one that was not answered.
    assert 29 <= len(transport.requests) <= 31
    assert transport.clock.now - 1_700_000_000 < 1800


async def test_what_was_accepted_stays_so_when_the_request_is_repeated_for_another_one() -> None:
    said = {"data": [{"id": "em_1"}, {}, {"error": "No", "code": "suppressed"}]}
    first = HttpResponse(202, {}, json.dumps(said).encode())
    bridge, transport = mailer("poststack", first, HttpResponse(503, {}, b""), max_retries=1)
    result = await bridge.send_bulk([email(n) for n in range(3)])
    assert len(transport.requests) == 2
    assert transport.requests[0].body == transport.requests[1].body
    assert result.responses[0].message_id == "em_1"
    assert result.responses[1].may_have_been_sent


async def test_where_duplicates_are_allowed_what_was_certainly_accepted_is_still_sent_once() -> None:
    said = [{"ErrorCode": 0, "MessageID": "m1"}, {"strange": True}]
    steps = HttpResponse(200, {}, json.dumps(said).encode()), HttpResponse(200, {}, b'{"ErrorCode":0,"MessageID":"m2"}')
    bridge, transport = mailer("postmark", *steps, max_retries=1, allow_duplicates=True)
    result = await bridge.send_bulk([email(0), email(1)])
    assert [response.message_id for response in result.responses] == ["m1", "m2"]
    assert json.loads(transport.requests[1].body or b"")["To"] == "u1@example.net"


async def test_where_duplicates_are_allowed_a_refusal_still_says_nothing_of_the_attempt_before() -> None:
    store = MemoryKeyStore()
    steps = SILENT, HttpResponse(401, {}, b"{}")
    bridge, _ = mailer("postmark", *steps, max_retries=1, allow_duplicates=True, keys=store)
    with pytest.raises(EmailSendError) as caught:
        await bridge.send_message(email(idempotency_key="a"))
    assert caught.value.may_have_been_sent
    assert store.begin("a", "anybody").state == "in doubt"


async def test_what_is_known_of_a_part_is_noted_before_the_wait_for_the_rest() -> None:
    said = [{"ErrorCode": 0, "MessageID": "m1"}, {"ErrorCode": 429, "Message": "No"}]
    store = MemoryKeyStore()
    bridge, transport = mailer("postmark", HttpResponse(200, {}, json.dumps(said).encode()), SILENT, max_retries=1)
    noted: list[str] = []

    def sleep(seconds: float) -> None:
        noted.append(store.begin("0", "anybody").state)

    transport.clock.sleep = sleep  # type: ignore[method-assign]
    await bridge.respond([email(n, idempotency_key=str(n)) for n in range(2)], keys=store)
    assert noted == ["done"]
    assert store.begin("1", "anybody").state == "in doubt"


async def test_who_did_not_begin_a_key_does_not_forget_that_it_is_done() -> None:
    store = MemoryKeyStore()
    store.begin("a", "sendgrid")
    store.finish("a", "id1")
    store.abandon("a")
    assert store.begin("a", "sendgrid").message_id == "id1"


WRONG: list[dict[str, Any]] = [
    {"headers": 5}, {"metadata": ["a"]}, {"options": "x"}, {"scheduled_at": "2030-01-01"}, {"track_opens": ["yes"]},
    {"attachments": 5}, {"tags": 5}, {"tags": "news"}, {"body": 5}, {"text": 5}, {"idempotency_key": 5},
    {"reply_to": 5}, {"template_id": "d-1", "template_data": 5},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_one_of_a_wrong_type_costs_no_other_email(wrong: dict[str, Any]) -> None:
    bridge, transport = mailer("sendgrid", ACCEPTED)
    result = await bridge.send_bulk([email(0), email(1, **wrong), email(2)], tags=["all"])
    assert [response.kind for response in result.responses] == [None, "invalid_request", None]
    assert len(transport.requests) == 1


async def test_what_an_iterable_gave_before_it_failed_is_sent() -> None:
    def failing() -> Iterator[EmailMessageDto]:
        yield email(0)
        yield email(1)
        raise KeyError("row")

    bridge, _ = mailer("sendgrid", ACCEPTED)
    with pytest.raises(BulkInterruptedError, match="KeyError; 2 were dealt with") as caught:
        await bridge.send_bulk(failing())
    assert [response.success for response in caught.value.responses] == [True, True]
    responses = bridge.send_each(failing())
    assert (await responses.__anext__()).success
    assert (await responses.__anext__()).success
    with pytest.raises(KeyError):
        await responses.__anext__()


async def test_what_an_iterable_that_waits_gave_before_it_failed_is_sent() -> None:
    async def failing() -> AsyncIterator[EmailMessageDto]:
        yield email(0)
        raise KeyError("row")

    bridge, _ = mailer("sendgrid", ACCEPTED)
    with pytest.raises(BulkInterruptedError, match="KeyError; 1 were dealt with") as caught:
        await bridge.send_bulk(failing())
    assert caught.value.responses[0].success


@dataclass
class Receipt(EmailMessageDto):
    """An e-mail with something more, as an application may have it."""

    order: int = 0


class Reminder(EmailMessageDto):
    """One that is made of other arguments."""

    def __init__(self, number: int) -> None:
        super().__init__(f"u{number}@example.net", "Hi", "<p>Hi</p>")
        self.number = number


async def test_emails_of_classes_of_their_own_get_the_defaults_of_a_bulk() -> None:
    bridge, transport = mailer("sendgrid", ACCEPTED)
    given = [Receipt("u0@example.net", "Hi", "<p>Hi</p>", order=17), Reminder(1)]
    assert (await bridge.send_bulk(given, "news@example.org", ["bulk"])).failed == 0
    body = json.loads(transport.requests[0].body or b"")
    assert (body["from"], body["categories"]) == ({"email": "news@example.org"}, ["bulk"])
    assert len(body["personalizations"]) == 2
    assert [one.tags for one in given] == [None, None]


class Forgetful(BaseEmailProvider):
    """Answers with nothing, as a method does that lacks its `return`."""

    def _validate_config(self) -> None:
        """Have none."""

    def send(self, message: EmailMessageDto) -> EmailResponseDTO:
        return None  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


@pytest.fixture
def forgetful() -> Iterator[str]:
    AsyncMailBridge.register_provider("forgetful", Forgetful)
    yield "forgetful"
    AsyncMailBridge.unregister_provider("forgetful")


async def test_a_provider_that_answers_with_nothing_leaves_the_email_in_doubt(forgetful: str) -> None:
    second, at_second = mailer("sendgrid", ACCEPTED)
    result = await AsyncFailover([AsyncMailBridge(forgetful), second]).send_bulk([email(0)])
    assert result.responses[0].may_have_been_sent
    assert at_second.requests == []


async def test_keys_are_not_kept_for_a_provider_that_sends_by_itself(forgetful: str) -> None:
    with pytest.raises(ConfigurationError, match="'forgetful' sends by itself"):
        AsyncFailover([AsyncMailBridge(forgetful)], keys=MemoryKeyStore())


def test_a_response_that_says_nothing_but_that_it_failed_leaves_it_in_doubt() -> None:
    assert EmailResponseDTO(False, error="timed out").may_have_been_sent
    assert not EmailResponseDTO(True).may_have_been_sent
