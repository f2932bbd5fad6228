# Written by tools/unasync.py from tests/client/_async/test_client.py. Do not edit.
"""Construction, settings and the life of a client."""

from __future__ import annotations

import pickle

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio


def test_a_missing_key_says_both_ways_to_give_it() -> None:
    with pytest.raises(ValueError, match=r"api_key='sk_…'.*POSTSTACK_API_KEY"):
        PostStack()


def test_settings_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_environment")
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://localhost:8025/prefix/")

    assert "'http://localhost:8025/prefix'" in repr(PostStack())
    assert "'https://other.example.com'" in repr(PostStack(base_url="https://other.example.com"))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"api_key": "sk_test x"}, "key"),
        ({"api_key": "sk_test_x\r\nX-Evil: 1"}, "key"),
        ({"api_key": "sk_test_ä"}, "key"),
        ({"base_url": "api.poststack.dev"}, "base_url"),
        ({"base_url": "ftp://api.poststack.dev"}, "base_url"),
        ({"base_url": "https://api.poststack.dev?x=1"}, "base_url"),
        ({"base_url": "https://user:password@api.poststack.dev"}, "base_url"),
        ({"base_url": "https://api.poststack.dev:port"}, "base_url"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"deadline": 0}, "deadline"),
    ],
)
def test_a_setting_that_cannot_work_is_named(arguments: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        PostStack(**{"api_key": "sk_test_x", **arguments})  # type: ignore[arg-type]  # wrong on purpose


def test_the_key_is_in_no_repr() -> None:
    client = PostStack(api_key="sk_live_secret")

    assert "secret" not in repr(client) + repr(vars(client)) + repr(vars(client.emails))


def test_a_client_closes_with_its_block_and_again_without_harm(emu: EmulatorSession) -> None:
    with emu.client() as client:
        assert (client.emails.list())["data"] == []
    client.close()
    client.close()


def test_a_refusal_does_not_hide_that_an_earlier_attempt_may_have_been_accepted(emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1)
    emu.fail(429, retry_after=90)

    with pytest.raises(PostStackError) as raised:
        emu.client().emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})

    assert raised.value.status_code == 429
    assert raised.value.may_have_taken_effect
    assert len(emu.sent) == 1


def test_a_refusal_after_a_lost_answer_says_that_it_may_be_of_what_the_call_itself_did(
    emu: EmulatorSession,
) -> None:
    client = emu.client()
    emu.fail(lost_answer=True, times=1)

    with pytest.raises(PostStackError) as raised:
        client.contacts.create({"email": "ada@example.com"})

    error = raised.value
    assert (error.status_code, error.code, error.may_have_taken_effect) == (409, "conflict", True)
    assert "earlier attempt" not in error.error
    assert str(error).startswith(error.error.rstrip("."))
    assert "An earlier attempt had no clear answer and may have taken effect; look there" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert [contact["email"] for contact in (client.contacts.list())["data"]] == ["ada@example.com"]

    with pytest.raises(PostStackError) as raised:
        client.contacts.create({"email": "ada@example.com"})

    assert str(raised.value) == error.error


def test_a_lost_answer_leaves_one_key_and_one_webhook_without_an_owner_and_not_several(
    emu: EmulatorSession,
) -> None:
    client = emu.client()
    keys = len((client.api_keys.list())["keys"])
    emu.fail(lost_answer=True, times=1)
    with pytest.raises(PostStackError, match="It was not repeated"):
        client.api_keys.create({"name": "worker", "permission": "sending_access"})
    emu.fail(lost_answer=True, times=1)
    with pytest.raises(PostStackError, match="It was not repeated"):
        client.webhooks.create({"url": "https://example.com/hook", "events": ["*"]})

    assert len((client.api_keys.list())["keys"]) == keys + 1
    assert len((client.webhooks.list())["webhooks"]) == 1


def test_refusals_alone_leave_no_doubt(emu: EmulatorSession) -> None:
    emu.fail(429, retry_after=1)

    with pytest.raises(PostStackError) as raised:
        emu.client().emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})

    assert not raised.value.may_have_taken_effect
    assert emu.sent == []
