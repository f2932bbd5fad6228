"""What `manage.py check` says about the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.test import override_settings

from poststack_django.checks import check_mailers, check_settings, check_webhooks
from tests.with_django.api import HAS_MAILERS, RecordingApi, configured

CONFIGURATIONS = ["EMAIL_BACKEND", "MAILERS"] if HAS_MAILERS else ["EMAIL_BACKEND"]


def ids(found: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def test_a_complete_configuration_is_silent(mailer: str, api: RecordingApi) -> None:
    assert [*check_settings(), *check_mailers(), *check_webhooks()] == []


def test_checks_are_registered() -> None:
    registered = checks.registry.registry.get_checks()

    assert {check_settings, check_mailers, check_webhooks} <= set(registered)


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

    with override_settings(EMAIL_BACKEND="no.such.Backend"):
        assert check_mailers() == []


def test_a_webhook_without_a_secret(settings: Any) -> None:
    settings.POSTSTACK = {}

    assert ids(check_webhooks()) == ["poststack.W001"]


def test_a_secret_that_can_be_guessed(settings: Any) -> None:
    settings.POSTSTACK = {"WEBHOOK_SECRETS": "short"}

    assert ids(check_webhooks()) == ["poststack.W002"]


def test_no_webhook_needs_no_secret(settings: Any) -> None:
    settings.POSTSTACK = {}
    for urls in ("django.contrib.auth.urls", None):
        settings.ROOT_URLCONF = urls

        assert check_webhooks() == []


@pytest.mark.skipif(HAS_MAILERS, reason="Django 6.1 and later know MAILERS")
def test_mailers_that_this_django_ignores(settings: Any) -> None:
    settings.MAILERS = {"default": {}}

    assert ids(check_settings()) == ["poststack.W003"]
