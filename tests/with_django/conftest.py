"""Django is set up when this folder is collected, so the rest of the tests runs without Django as well."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack_django.backends import EmailBackend
    from tests.with_django.api import RecordingApi

HERE = Path(__file__).parent

if find_spec("django") is None:
    collect_ignore_glob = ["*"]
else:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.with_django.settings")
    import django

    django.setup()

    from tests.with_django import emulated

    # pytest finds fixtures in the conftest of their folder.
    emu, heard = emulated.emu, emulated.heard


# What Django 6.1 says to projects, here the tests, that are not configured by MAILERS yet. Warnings about anything that
# this package does are not among them.
PROJECT_WARNINGS = [
    "ignore:The EMAIL_BACKEND setting is deprecated",
    "ignore:get_connection. is deprecated",
    "ignore:Django 2028 will not have a default mailer",
    "ignore:The 'fail_silently' argument is deprecated",
    "ignore:The 'auth_user' and 'auth_password' arguments are deprecated",
    "ignore:The 'connection' argument is deprecated",
    "ignore:The EmailMessage.connection attribute is deprecated",
    "ignore:MIMEBase attachments are deprecated",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for warning in PROJECT_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The random delay before the next attempt can be nothing at all; then an e-mail would be tried twice at once."""
    monkeypatch.setattr("random.random", lambda: 0.9)


@pytest.fixture
def api(settings: Any) -> RecordingApi:
    """The API in memory, as the project's client."""
    from tests.with_django.api import SECRET, RecordingApi

    recording = RecordingApi()
    settings.POSTSTACK = {"CLIENT": recording.client, "WEBHOOK_SECRETS": [SECRET]}
    return recording


def _configurations() -> list[str]:
    if find_spec("django") is None:
        return []
    from tests.with_django.api import CONFIGURATIONS

    return CONFIGURATIONS


@pytest.fixture(params=_configurations())
def mailer(request: pytest.FixtureRequest, api: RecordingApi) -> Iterator[str]:
    """Every way in which the Django under test can be told to send through PostStack, in turn."""
    from tests.with_django.api import configured

    with configured(request.param):
        yield request.param


@pytest.fixture(
    scope="session",
    params=[pytest.param(kind, marks=pytest.mark.services) for kind in ("postgresql", "mariadb")],
)
def server_settings(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Each database server in turn: the settings of a database on it that has the app's tables, empty."""
    from django.core.management import call_command

    from tests.with_django.databases import created_database, routed

    with created_database(request.param) as settings:
        with django_db_blocker.unblock(), routed(settings) as alias:
            call_command("migrate", "poststack", database=alias, verbosity=0)
        yield settings


@pytest.fixture
def database(server_settings: dict[str, Any], django_db_blocker: Any) -> Iterator[str]:
    """Each database server in turn, with the app's empty tables: the alias. Threads and commits are real."""
    from django.core.management import call_command

    from tests.with_django.databases import routed

    with django_db_blocker.unblock(), routed(server_settings) as alias:
        yield alias
        # Truncates: deleted rows would live on for a while in MariaDB's indexes, and hold up those with the same ids.
        call_command("flush", database=alias, interactive=False, inhibit_post_migrate=True, verbosity=0)


@pytest.fixture
def backend(api: RecordingApi) -> EmailBackend:
    """A backend that sends to the API in memory."""
    from poststack_django.backends import EmailBackend

    return EmailBackend()


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What receivers of the two signals were told."""
    from poststack_django.signals import post_send, send_failed

    heard: list[dict[str, Any]] = []

    def hear(**given: Any) -> None:
        heard.append(given)

    for signal in (post_send, send_failed):
        signal.connect(hear)
    yield heard
    for signal in (post_send, send_failed):
        signal.disconnect(hear)
