"""The fixtures that `pip install poststack` adds to pytest for Django projects.

pytest loads this in every project, also in those without Django, where `poststack_django` refuses to be imported. So it
is here, and imports that package when a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from django.core.mail import EmailMessage

    from poststack.testing import EmulatorSession
    from poststack_django.testing import SignedWebhook

__all__ = ["django_poststack", "poststack_outbox", "poststack_webhook"]


@pytest.fixture
def poststack_outbox(request: pytest.FixtureRequest) -> Generator[list[EmailMessage]]:
    """Let every mailer be the test mailer for one test; empty `mail.outbox` and return it."""
    from django.core import mail

    from poststack_django.testing.mailers import TEST_BACKEND, mailer_settings

    with _overridden(request, mailer_settings(TEST_BACKEND, None, {})):
        if hasattr(mail, "outbox"):
            mail.outbox.clear()
        else:
            mail.outbox = []
        yield mail.outbox


@pytest.fixture
def poststack_webhook() -> Callable[..., SignedWebhook]:
    """Return `poststack_django.testing.signed_webhook`."""
    from poststack_django.testing import signed_webhook

    return signed_webhook


@pytest.fixture
def django_poststack(request: pytest.FixtureRequest) -> Generator[EmulatorSession]:
    """Put the emulator in memory behind the project: see `poststack_django.testing.emulated_poststack`."""
    from datetime import datetime, timezone

    from poststack.testing import emulator
    from poststack_django.testing.emulated import emulated_settings

    with emulator(start=datetime.now(timezone.utc)) as session, _overridden(request, emulated_settings(session)):
        yield session


def _overridden(request: pytest.FixtureRequest, values: Mapping[str, Any]) -> Any:
    from contextlib import nullcontext

    from django.test.utils import override_settings

    if not request.config.pluginmanager.has_plugin("django"):
        return override_settings(**values)
    # Overrides must end in the reverse order. Those of pytest-django's `settings` may have begun before these and end
    # after them, or the other way round; so they are made by the same fixture.
    settings: Any = request.getfixturevalue("settings")
    for name, value in values.items():
        setattr(settings, name, value)
    return nullcontext()
