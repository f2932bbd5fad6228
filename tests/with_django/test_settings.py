"""The one setting, from the project or the environment."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from poststack_django.settings import ClientSettings, get_settings


def factory() -> object:
    return object()


def test_nothing_given_is_complete(settings: Any) -> None:
    settings.POSTSTACK = None

    assert get_settings().client == ClientSettings(None, None, 10.0, 25.0, 3, None)
    assert (get_settings().webhook_secrets, get_settings().record) == ((), True)


def test_the_environment_fills_in(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.POSTSTACK = {}
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_env")
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://127.0.0.1:8025")
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", "one, two,")

    given = get_settings()
    assert (given.client.api_key, given.client.base_url) == ("sk_test_env", "http://127.0.0.1:8025")
    assert given.webhook_secrets == ("one", "two")


def test_settings_count_over_the_environment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_env")
    settings.POSTSTACK = {"API_KEY": "sk_test_own", "DEADLINE": None, "TIMEOUT": 5, "MAX_RETRIES": 0, "RECORD": False}

    given = get_settings()
    assert given.client == ClientSettings("sk_test_own", None, 5, None, 0, None)
    assert given.record is False


@pytest.mark.parametrize(
    ("secrets", "expected"), [("one", ("one",)), (["one", "", None], ("one",)), ((), ()), ("", ())]
)
def test_secrets_are_a_list_without_empty_ones(settings: Any, secrets: object, expected: tuple[str, ...]) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": secrets}

    assert get_settings().webhook_secrets == expected


@pytest.mark.parametrize("client", [factory, "tests.with_django.test_settings.factory"])
def test_a_client_of_ones_own(settings: Any, client: object) -> None:
    settings.POSTSTACK = {"CLIENT": client}

    made = get_settings().client.factory
    assert made is not None
    assert made.__name__ == "factory"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("sk_test_x", "dictionary"),
        ({"API_KEYS": "x"}, "Did you mean 'API_KEY'"),
        ({"colour": "x"}, "The keys are"),
        ({"API_KEY": 7}, "API_KEY"),
        ({"TIMEOUT": "5"}, "TIMEOUT"),
        ({"TIMEOUT": 0}, "TIMEOUT"),
        ({"DEADLINE": True}, "DEADLINE"),
        ({"MAX_RETRIES": 1.5}, "MAX_RETRIES"),
        ({"RECORD": 1}, "RECORD"),
        ({"WEBHOOK_SECRETS": 7}, "WEBHOOK_SECRETS"),
        ({"WEBHOOK_SECRETS": [7]}, "WEBHOOK_SECRETS"),
        ({"CLIENT": 7}, "CLIENT"),
        ({"CLIENT": "no.such.module"}, "CLIENT"),
    ],
)
def test_what_is_wrong_is_named(settings: Any, given: object, named: str) -> None:
    settings.POSTSTACK = given

    with pytest.raises(ImproperlyConfigured, match=named):
        get_settings()


def test_nothing_secret_shows(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_live_hidden", "WEBHOOK_SECRETS": ["hidden"]}

    assert "hidden" not in repr(get_settings())
