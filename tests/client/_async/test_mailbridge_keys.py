"""Idempotency keys at providers that know none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from poststack.errors import OutcomeUnknownError
from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    MemoryKeyStore,
    SqliteKeyStore,
    UnsupportedFieldError,
)
from poststack.transports.base import HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import ScriptedTransport

pytestmark = pytest.mark.anyio

ACCEPTED = HttpResponse(202, {"x-message-id": "id1"})
SILENT = TransportTimeoutError("timed out")
SENDER = "shop@example.org"


def bridge(transport: ScriptedTransport, **settings: Any) -> AsyncMailBridge:
    return AsyncMailBridge("sendgrid", api_key="SG.x", from_email=SENDER, transport=transport, **settings)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryKeyStore | SqliteKeyStore:
    return MemoryKeyStore() if request.param == "memory" else SqliteKeyStore(tmp_path / "keys.db")


async def test_without_a_store_a_key_is_refused_and_the_store_named() -> None:
    transport = ScriptedTransport(ACCEPTED)
    with pytest.raises(UnsupportedFieldError, match=r"`idempotency_key`: .* keys=SqliteKeyStore"):
        await bridge(transport).send("ada@example.net", "Hi", "x", idempotency_key="order-17")
    assert transport.requests == []


async def test_a_key_that_was_accepted_sends_nothing_again(store: MemoryKeyStore | SqliteKeyStore) -> None:
    transport = ScriptedTransport(ACCEPTED)
    first = await bridge(transport, keys=store).send("ada@example.net", "Hi", "x", idempotency_key="order-17")
    # Another object, as in another process.
    again = await bridge(transport, keys=store).send("ada@example.net", "Hi", "x", idempotency_key="order-17")
    assert (first.message_id, first.replayed) == ("id1", False)
    assert (again.message_id, again.replayed) == ("id1", True)
    assert len(transport.requests) == 1


async def test_a_key_whose_end_is_unknown_sends_nothing_again(store: MemoryKeyStore | SqliteKeyStore) -> None:
    transport = ScriptedTransport(SILENT, ACCEPTED)
    mailer = bridge(transport, keys=store)
    for text in ("No answer from SendGrid in time", "begun at sendgrid"):
        with pytest.raises(EmailSendError, match=text) as caught:
            await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")
        assert caught.value.may_have_been_sent
    assert len(transport.requests) == 1
    await store.aabandon("order-17")
    assert (await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")).success


async def test_a_key_that_was_refused_is_free_again(store: MemoryKeyStore | SqliteKeyStore) -> None:
    transport = ScriptedTransport(HttpResponse(401, {}, b"{}"), ACCEPTED)
    mailer = bridge(transport, keys=store)
    with pytest.raises(EmailSendError):
        await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")
    assert (await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")).success


async def test_one_key_twice_in_a_bulk_is_one_email(store: MemoryKeyStore | SqliteKeyStore) -> None:
    transport = ScriptedTransport(ACCEPTED)
    messages = [EmailMessageDto("ada@example.net", "Hi", "x", idempotency_key=key) for key in ("a", "b", "a")]
    result = await bridge(transport, keys=store).send_bulk(messages)
    assert [response.replayed for response in result.responses] == [False, False, True]
    assert result.successful == 3
    again = await bridge(transport, keys=store).send_bulk(messages)
    assert all(response.replayed for response in again.responses)
    assert len(transport.requests) == 1


async def test_a_store_that_does_not_answer_keeps_the_email_from_being_sent() -> None:
    class Broken(MemoryKeyStore):
        def begin(self, key: str, provider: str) -> Any:
            raise OSError("no store")

    transport = ScriptedTransport(ACCEPTED)
    with pytest.raises(EmailSendError, match="Nothing was sent") as caught:
        await bridge(transport, keys=Broken()).send("ada@example.net", "Hi", "x", idempotency_key="order-17")
    assert caught.value.transient
    assert transport.requests == []


async def test_a_store_that_fails_afterwards_does_not_hide_that_it_was_sent() -> None:
    class Broken(MemoryKeyStore):
        def finish(self, key: str, message_id: str | None) -> None:
            raise OSError("no store")

    transport = ScriptedTransport(ACCEPTED)
    mailer = bridge(transport, keys=Broken())
    assert (await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")).success
    with pytest.raises(EmailSendError, match="its end is not known"):
        await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")


async def test_the_client_like_call_tells_that_it_is_unknown_whether_it_was_sent() -> None:
    mailer = bridge(ScriptedTransport(SILENT), keys=MemoryKeyStore())
    payload: Any = {"from": SENDER, "to": ["ada@example.net"], "subject": "Hi", "text": "x", "idempotency_key": "k"}
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            await mailer.emails.send(payload)


async def test_a_failover_that_died_at_its_second_provider_does_not_begin_at_the_first_again(
    store: MemoryKeyStore | SqliteKeyStore,
) -> None:
    first = ScriptedTransport(TransportError("refused", request_sent=False), HttpResponse(202, {}, b'{"id":"em_1"}'))
    second = ScriptedTransport(SILENT)
    mailers = [
        AsyncMailBridge("poststack", api_key="sk_x", from_email=SENDER, transport=first, max_retries=0),
        bridge(second),
    ]
    mailer = AsyncFailover(mailers, keys=store)
    for _ in range(2):
        with pytest.raises(EmailSendError) as caught:
            await mailer.send("ada@example.net", "Hi", "x", idempotency_key="order-17")
        assert caught.value.may_have_been_sent
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"The key store '.*missing/keys\.db' cannot be used"):
        SqliteKeyStore(tmp_path / "missing" / "keys.db")


async def test_a_key_is_forgotten_in_time(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db", retention=0.000_001)
    assert store.begin("a", "sendgrid").state == "new"
    assert store.begin("a", "sendgrid").state == "new"
