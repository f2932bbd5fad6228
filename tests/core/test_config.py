"""Where settings come from, and which are refused."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStack
from poststack._config import Config
from tests.scripted import ScriptedTransport, accepted

KEY = "sk_test_do_not_show_me"


def resolve(**changes: Any) -> Config:
    arguments: dict[str, Any] = {
        "api_key": KEY, "base_url": None, "timeout": 30.0, "max_retries": 3, "deadline": None, **changes,
    }  # fmt: skip
    return Config.resolve(**arguments)


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_from_environment")
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://environment.example")

    assert resolve(api_key=None).api_key == "sk_from_environment"
    assert resolve().api_key == KEY
    assert resolve().base_url == "http://environment.example"
    assert resolve(base_url="http://argument.example").base_url == "http://argument.example"


def test_the_service_is_the_default() -> None:
    assert resolve().base_url == "https://api.poststack.dev"


@pytest.mark.parametrize("client", [PostStack, AsyncPostStack])
@pytest.mark.parametrize("key", [None, "", "  ", "\n"])
def test_a_missing_key_says_both_ways_to_give_it(client: Any, key: str | None) -> None:
    with pytest.raises(ValueError, match=r"api_key=.*POSTSTACK_API_KEY"):
        client(key)


@pytest.mark.parametrize("key", ["sk test", "sk\r\nX: y", "sk_é", "sk\x00"])
def test_a_key_that_cannot_be_one_is_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        resolve(api_key=key)

    assert "sk" not in str(caught.value).replace("sk_…", "")


@pytest.mark.parametrize(
    ("given", "used"),
    [("http://h/", "http://h"), ("http://h///", "http://h"), (" http://h:81/p/ ", "http://h:81/p"), ("http://[::1]:8", "http://[::1]:8")],
)  # fmt: skip
def test_slashes_at_the_end_do_not_count(given: str, used: str) -> None:
    assert resolve(base_url=given).base_url == used


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://h",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://h/?a=b",
        "http://h/#f",
        "/p",
        "http://user:secret@h",
        "http://:secret@h",
        "http://é",
        "http://[::1",
        "https:h",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h:0",
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        resolve(base_url=url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 1e9},
        {"deadline": 0},
        {"deadline": -1.0},
        {"deadline": float("nan")},
        {"max_retries": -1},
    ],
)
def test_times_and_counts_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        resolve(**changes)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_timeout_of_one_call_is_checked_before_anything_is_sent(timeout: float) -> None:
    transport = ScriptedTransport(accepted())

    with pytest.raises(ValueError, match="timeout"):
        PostStack(KEY, transport=transport).emails.get("em_1", timeout=timeout)

    assert transport.requests == []


def test_no_key_shows_in_anything_printed() -> None:
    transport = ScriptedTransport(accepted())
    client = PostStack(KEY, transport=transport)
    client.emails.send({"from": "a@b.c", "to": ["a@b.c"], "subject": "s", "text": "t"})

    shown = f"{client!r} {AsyncPostStack(KEY)!r} {resolve()!r} {transport.requests!r} {transport.requests[0].headers!r}"

    assert KEY not in shown
    assert "https://api.poststack.dev" in shown


def test_no_key_shows_in_a_traceback_with_its_variables(caplog: pytest.LogCaptureFixture) -> None:
    transport = ScriptedTransport(RuntimeError("a bug in somebody's transport"))
    client = PostStack(KEY, transport=transport)

    with caplog.at_level("DEBUG"), pytest.raises(RuntimeError) as caught:
        client.emails.send({"from": "a@b.c", "to": ["a@b.c"], "subject": "s", "text": "t"})

    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "in call" in report
    assert KEY not in report
    assert KEY not in caplog.text
