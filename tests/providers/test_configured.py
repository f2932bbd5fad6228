"""Mailers from settings: what is equal, what is refused, and what is said before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from poststack import OutcomeUnknownError, PostStackError
from poststack.mailbridge import (
    AsyncMailBridge,
    AsyncRedisKeyStore,
    BaseEmailProvider,
    ConfigurationError,
    EmailMessageDto,
    EmailResponseDTO,
    Failover,
    MailBridge,
    MemoryKeyStore,
    RedisKeyStore,
    SqliteKeyStore,
    UnsupportedFieldError,
)
from poststack.mailbridge.configured import ProviderChoice, is_mailer, key_problem, provider_choice
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import FakeSendGrid

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}
KEYED: Any = {**EMAIL, "idempotency_key": "k"}
ONLY_POSTSTACK: Any = {**EMAIL, "unsubscribe": True}
PATIENCE: Any = {"timeout": 5.0, "deadline": None, "max_retries": 0}


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


class OldKind(BaseEmailProvider):
    """A provider in the manner of MailBridge, which sends by itself."""

    def _validate_config(self) -> None:
        pass

    def send(self, message: EmailMessageDto) -> EmailResponseDTO:
        return EmailResponseDTO(True, "old1", "old")


# Choices


def test_equal_choices_can_share_a_mailer() -> None:
    store = MemoryKeyStore()
    options = {"api_key": "SG.x", "keys": store, "nested": {"a": [1, {"b": 2}]}}

    first, second = ProviderChoice("sendgrid", options), ProviderChoice("sendgrid", {**options})

    assert (first, hash(first)) == (second, hash(second))
    assert first != ProviderChoice("sendgrid", {**options, "keys": MemoryKeyStore()})
    assert first != ProviderChoice("sendgrid", {**options, "nested": {"a": [1, {"b": 3}]}})
    assert first != ProviderChoice("postmark", options)


def test_a_choice_shows_no_value() -> None:
    shown = repr(ProviderChoice("sendgrid", {"api_key": "SG.secret"}))

    assert shown == "ProviderChoice('sendgrid', options=['api_key'])"


def test_poststack_itself_is_no_choice() -> None:
    assert provider_choice(None) is None
    assert provider_choice(" ") is None
    assert provider_choice("PostStack") is None


def made_here() -> MailBridge:
    """Return what a dotted path leads to."""
    return MailBridge("sendgrid", api_key="SG.x")


@pytest.mark.parametrize("separator", [".", ":"])
def test_a_dotted_path_leads_to_a_function(separator: str) -> None:
    choice = provider_choice(f"{__name__}{separator}made_here")

    assert choice is not None
    assert isinstance(choice.mailer(**PATIENCE), MailBridge)
    with pytest.raises(ConfigurationError, match="AsyncMailBridge or an AsyncFailover, not MailBridge"):
        choice.async_mailer(**PATIENCE)


@pytest.mark.parametrize(
    ("provider", "options", "told"),
    [
        (7, None, "not int"),
        ("sendgrid", "SG.secret", "are a dictionary"),
        ("tests.providers.nowhere.made", None, "cannot be imported"),
        (f"{__name__}.EMAIL", None, "is no function"),
    ],
)
def test_what_is_no_provider_is_refused(provider: Any, options: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        provider_choice(provider, options)

    assert "secret" not in str(caught.value)


def test_no_retries_are_no_retries(fake: FakeSendGrid) -> None:
    choice = ProviderChoice("sendgrid", {**fake.settings(), "max_retries": 3})
    fake.faults.extend(answers(503) for _ in range(3))

    with choice.mailer(**PATIENCE) as mailer, pytest.raises(PostStackError):
        mailer.emails.send(EMAIL)
    assert len(fake.requests) == 1


def test_a_store_is_named_by_text(tmp_path: Path) -> None:
    pytest.importorskip("redis")

    def keys(text: str) -> tuple[Any, Any]:
        choice = ProviderChoice("sendgrid", {"api_key": "SG.x", "keys": text})
        return choice.mailer(**PATIENCE).keys, choice.async_mailer(**PATIENCE).keys

    assert [type(one) for one in keys(f"sqlite:{tmp_path / 'k.db'}")] == [SqliteKeyStore, SqliteKeyStore]
    assert [type(one) for one in keys("redis://localhost/1")] == [RedisKeyStore, AsyncRedisKeyStore]
    for wrong in ("postgres://u:secret@host", "sqlite:", "redis", "redis://host:port-secret"):
        with pytest.raises(ConfigurationError, match="`keys`") as caught:
            keys(wrong)
        assert "secret" not in str(caught.value)


def test_the_default_store_is_for_adapters_only() -> None:
    store = MemoryKeyStore()
    MailBridge.register_provider("old", OldKind)
    try:
        assert ProviderChoice("old").mailer(**PATIENCE, keys=store).keys is None
        assert ProviderChoice("sendgrid", {"api_key": "SG.x"}).mailer(**PATIENCE, keys=store).keys is store
    finally:
        MailBridge.unregister_provider("old")


def test_a_store_of_the_other_kind_is_refused() -> None:
    client: Any = object()
    awaiting: Any = AsyncRedisKeyStore(client)
    waiting: Any = RedisKeyStore(client)

    with pytest.raises(ConfigurationError, match=r"`begin`.*AsyncRedisKeyStore has none"):
        MailBridge("sendgrid", api_key="SG.x", keys=awaiting)
    with pytest.raises(ConfigurationError, match=r"`abegin`.*; RedisKeyStore has none"):
        AsyncMailBridge("sendgrid", api_key="SG.x", keys=waiting)


# Judgements


def test_who_may_repeat(tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    bridge = made_here()

    assert key_problem(object()) is None
    assert "sendgrid would then send" in str(key_problem(bridge))
    assert key_problem(MailBridge("sendgrid", api_key="SG.x", keys=store)) is None
    assert "MemoryKeyStore" in str(key_problem(Failover([bridge], keys=MemoryKeyStore())))
    assert key_problem(Failover([bridge], keys=store)) is None


def test_which_client_is_a_mailer() -> None:
    bridge = made_here()

    assert is_mailer(bridge)
    assert is_mailer(bridge, asynchronous=False)
    assert not is_mailer(bridge, asynchronous=True)
    assert not is_mailer(object())


# What is wrong, before anything is sent


def test_what_a_provider_cannot_say_is_told_without_sending(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    with (
        MailBridge("sendgrid", **fake.settings()) as without,
        MailBridge("sendgrid", **fake.settings(), keys=store) as with_store,
    ):
        without.emails.check(EMAIL)
        with_store.emails.check(KEYED)
        Failover([without], keys=store).emails.check(KEYED)
        for mailer in (without, Failover([without, without])):
            with pytest.raises(UnsupportedFieldError, match="idempotency_key"):
                mailer.emails.check(KEYED)
        with pytest.raises(ValueError, match="`unsubscribe`"):
            without.emails.check(ONLY_POSTSTACK)
        wrong: Any = "no message"
        assert without.problem(wrong) is not None

    assert fake.requests == []
    assert store.begin("k", "sendgrid").state == "new"


def test_an_email_of_a_batch_that_cannot_be_said_costs_no_other(fake: FakeSendGrid) -> None:
    with MailBridge("sendgrid", **fake.settings()) as mailer:
        results = mailer.emails.batch({"emails": [EMAIL, ONLY_POSTSTACK, EMAIL]})["data"]
        alone = mailer.emails.batch({"emails": [ONLY_POSTSTACK]})["data"]

    assert [result.get("code") for result in results] == [None, "validation_error", None]
    assert [result.get("code") for result in alone] == ["validation_error"]
    assert len(fake.delivered) == 2


def test_an_unknown_outcome_has_a_code_by_which_a_batch_tells_it(fake: FakeSendGrid) -> None:
    fake.faults.extend(Fault(taken=True, reset=True) for _ in range(2))

    async def main() -> Any:
        async with AsyncMailBridge("sendgrid", **fake.settings()) as mailer:
            with pytest.raises(OutcomeUnknownError) as caught:
                await mailer.emails.send(EMAIL)
            return caught.value.code, (await mailer.emails.batch({"emails": [EMAIL]}))["data"][0].get("code")

    assert asyncio.run(main()) == ("outcome_unknown", "outcome_unknown")
