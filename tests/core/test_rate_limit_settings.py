"""Limits of calls a second from settings and the environment."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack
from poststack.throttling import name_of_key
from poststack.throttling.configured import RateLimitChoice, rate_limit_choice

URL = "redis://:secret@localhost:6379/0"


@pytest.mark.parametrize("value", [50, 50.0, "50", " 50.0 "])
def test_a_number_is_a_limit(value: object) -> None:
    assert rate_limit_choice(value) == RateLimitChoice(50.0)


@pytest.mark.parametrize("value", [None, "", " "])
def test_nothing_is_no_limit(value: object) -> None:
    assert rate_limit_choice(value, value) is None


def test_the_environment_fills_in_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "50")
    assert rate_limit_choice(None) == RateLimitChoice(50)
    assert rate_limit_choice(20) == RateLimitChoice(20)
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT_REDIS", URL)
    assert rate_limit_choice(20) == RateLimitChoice(20, URL)
    assert rate_limit_choice(None, "redis://other") == RateLimitChoice(50, "redis://other")


WRONG: list[object] = [0, -1, True, "0", "nan", "inf", "many", float("nan"), 10**400, [50], "5,0"]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:9])
def test_a_wrong_number_is_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"^LIMIT must be a number of calls a second, more than 0\.$"):
        rate_limit_choice(value, names=("LIMIT", "WHERE"))


@pytest.mark.parametrize("value", [7, True, "localhost:6379", "http://:secret@localhost"])
def test_a_wrong_redis_is_named_and_not_shown(value: object) -> None:
    with pytest.raises(ValueError, match=r"^WHERE must be the URL of a Redis") as caught:
        rate_limit_choice(50, value, names=("LIMIT", "WHERE"))

    assert "secret" not in str(caught.value)


def test_a_redis_without_a_limit_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"WHERE says where calls are counted\. LIMIT must say how many"):
        rate_limit_choice(None, URL, names=("LIMIT", "WHERE"))


def test_a_mistake_in_the_environment_is_called_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "many")

    with pytest.raises(ValueError, match=r"^POSTSTACK_RATE_LIMIT must be"):
        rate_limit_choice(None, names=("LIMIT", "WHERE"))


def test_no_password_shows() -> None:
    assert "secret" not in repr(rate_limit_choice(50, URL))


def test_without_a_redis_it_is_the_number() -> None:
    choice = RateLimitChoice(50)

    assert choice.limiter("sk_test_x") == choice.async_limiter(None) == 50
    PostStack("sk_test_x", rate_limit=choice.limiter("sk_test_x")).close()


def test_the_name_of_a_key_does_not_tell_the_key() -> None:
    names: list[Any] = [name_of_key(key) for key in ("sk_test_1", "sk_test_2", " sk_test_1 ")]

    assert names[0] == names[2] != names[1]
    assert all(name.isalnum() and "test" not in name for name in names)
