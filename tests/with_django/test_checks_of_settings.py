"""What `manage.py check` says about the settings, the mailers and the webhook."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks
from django.test import override_settings

from poststack_django.checks import check_mailers, check_settings, check_webhooks
from tests.with_django.api import CONFIGURATIONS, HAS_MAILERS, RecordingApi, configured


def ids(found: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def test_a_complete_configuration_is_silent(mailer: str, api: RecordingApi) -> None:
    assert [*check_settings(), *check_mailers(), *check_webhooks()] == []


def test_wrong_settings(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEYS": "x"}

    assert ids(check_settings()) == ["poststack.E001"]
    assert check_mailers() == check_webhooks() == []


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_a_missing_key(settings: Any, how: str) -> None:
    settings.POSTSTACK = {}
    with configured(how):
        (warning,) = check_mailers()

    assert (warning.id, warning.level) == ("poststack.W004", checks.WARNING)
    assert how in str(warning.obj)
    assert warning.msg.startswith("No PostStack API key.")


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_another_mistake_is_not_explained_as_a_missing_key(settings: Any, how: str) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "BASE_URL": "ftp://x"}
    with configured(how):
        (error,) = check_mailers()

    assert (error.id, error.level) == ("poststack.E002", checks.ERROR)
    assert "API_KEY" not in str(error)


def test_mailers_of_others_are_left_alone(settings: Any) -> None:
    settings.POSTSTACK = {}
    assert check_mailers() == []  # The test runner has put its own in place of ours.

    for path in ("no.such.Backend", f"{__name__}.No"):
        with override_settings(EMAIL_BACKEND=path):
            assert check_mailers() == []


def breaking() -> object:
    raise RuntimeError("sk_live_secret")


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_a_client_that_cannot_be_made(settings: Any, how: str) -> None:
    settings.POSTSTACK = {"CLIENT": breaking}
    with configured(how):
        (error,) = check_mailers()

    assert (error.id, error.msg) == ("poststack.E002", "Making the mailer raised RuntimeError.")


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize("mailers", [{}, {"default": None}, {"default": {"OPTIONS": 7}}, []])
def test_broken_mailers_are_left_to_django(settings: Any, mailers: object) -> None:
    with override_settings(MAILERS=mailers):
        assert [*check_settings(), *check_mailers()] == []


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_an_option_that_every_mailer_has_leaves_the_setting_without_effect(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "TIMEOUT": 5, "DEADLINE": 20, "SEND_DEFAULTS": {"tags": ["a"]}}
    with configured("MAILERS", timeout=7, deadline=20, send_defaults={"tags": ["b"]}):
        (info,) = check_settings()
        assert (info.id, info.level) == ("poststack.I001", checks.INFO)
        assert "'timeout'" in info.msg
        bulk = {"BACKEND": "poststack_django.backends.EmailBackend"}
        with override_settings(MAILERS={**django_settings.MAILERS, "bulk": bulk}):
            assert check_settings() == []


@pytest.mark.parametrize(
    ("key", "value", "variable", "found"),
    [
        ("API_KEY", "sk_test_x", "sk_test_y", ["poststack.I001"]),
        ("API_KEY", "sk_test_x", "sk_test_x", []),
        ("API_KEY", breaking, "sk_test_x", []),
        ("API_KEY", None, "sk_test_x", []),
        ("WEBHOOK_SECRETS", ["one", "two"], "two, one", []),
        ("WEBHOOK_SECRETS", ["one"], "two", ["poststack.I001"]),
    ],
)
def test_an_environment_variable_that_has_no_effect(
    settings: Any, monkeypatch: pytest.MonkeyPatch, key: str, value: object, variable: str, found: list[str]
) -> None:
    settings.POSTSTACK = {key: value}
    monkeypatch.setenv(f"POSTSTACK_{key}", variable)

    assert ids(check_settings()) == found
    assert "sk_test" not in str(check_settings())


def test_a_webhook_without_a_secret(settings: Any) -> None:
    settings.POSTSTACK = {}

    assert ids(check_webhooks()) == ["poststack.W001"]


def test_a_secret_that_can_be_guessed(settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": "short"}

    assert ids(check_webhooks()) == ["poststack.W002"]


def test_no_webhook_needs_no_secret(settings: Any) -> None:
    settings.POSTSTACK = {}
    for urls in ("django.contrib.auth.urls", "no.such.module", None):
        settings.ROOT_URLCONF = urls

        assert check_webhooks() == []


@pytest.mark.skipif(HAS_MAILERS, reason="Django 6.1 and later know MAILERS")
def test_mailers_that_this_django_ignores(settings: Any) -> None:
    settings.MAILERS = {"default": {}}

    assert ids(check_settings()) == ["poststack.W003"]
