"""The fixtures that `pip install poststack` adds to pytest for Flask applications.

They use the fixture `app` of your own, by which pytest-flask finds the application, too. pytest loads this in every
project, also in those without Flask, where `poststack_flask` refuses to be imported. So it is here, and imports that
package when a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from flask import Flask
    from werkzeug.test import TestResponse

    from poststack.testing import EmulatorSession
    from poststack_flask.testing import SentMessage

__all__ = ["flask_poststack", "flask_poststack_outbox", "flask_poststack_webhook"]


@pytest.fixture
def flask_poststack_outbox(app: Flask) -> Generator[list[SentMessage]]:
    """Let nothing leave the process during one test; return a list that fills with what the application sends."""
    from poststack_flask.state import state_of
    from poststack_flask.testing import record_messages, suppressed_sending

    with suppressed_sending(app), record_messages(app) as outbox:
        yield outbox
    # Where `app` lives on, the next test uses the same idempotency keys for other e-mails.
    state_of(app).outlet.forget_session()


@pytest.fixture
def flask_poststack_webhook(app: Flask) -> Callable[..., TestResponse]:
    """Return `poststack_flask.testing.post_webhook` for the application."""
    from functools import partial

    from poststack_flask.testing import post_webhook

    return partial(post_webhook, app)


@pytest.fixture
def flask_poststack(app: Flask) -> Generator[EmulatorSession]:
    """Return the emulator behind the application, empty, and calling the application's webhook."""
    from poststack_flask.testing import emulator_session, suppressed_sending

    with suppressed_sending(app):
        yield emulator_session(app, fresh=True)
