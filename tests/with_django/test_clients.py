"""One client for a process and configuration."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from poststack_django.clients import get_client, overlaid
from poststack_django.settings import ClientSettings


def test_one_configuration_is_one_client(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    clients: list[object] = []
    threads = [threading.Thread(target=lambda: clients.append(get_client())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, clients))) == 1


def test_other_settings_are_another_client(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    first = get_client()
    with override_settings(POSTSTACK={"API_KEY": "sk_test_y"}):
        assert get_client() is not first
    assert get_client() is not first


def test_other_settings_of_django_change_nothing(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    first = get_client()
    with override_settings(USE_TZ=False):
        assert get_client() is first


def test_options_of_a_mailer_count_over_settings(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "TIMEOUT": 3, "CLIENT": object}

    assert overlaid({"api_key": "sk_test_y"}) == ClientSettings("sk_test_y", None, 3, 25.0, 3, None)
    assert overlaid({"deadline": None}).deadline is None
    assert overlaid({}).factory is object


@pytest.mark.parametrize(
    "wrong", [{"api_key": "ä"}, {"base_url": "ftp://x"}, {"max_retries": -1}, {"timeout": "5"}, {"deadline": 0}]
)
def test_what_no_client_can_be_made_from_is_a_wrong_configuration(wrong: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfigured):
        get_client(replace(ClientSettings(api_key="sk_test_x"), **wrong))
