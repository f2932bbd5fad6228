"""Flask-Mailman with our backend: the application's own code runs unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask_mailman  # type: ignore[import-untyped]
import pytest
from flask import Flask

from poststack import PostStackError
from poststack.testing import emulator
from poststack_flask import FlaskPostStack

if TYPE_CHECKING:
    from collections.abc import Generator

    from poststack.testing import EmulatorSession

mail: Any = flask_mailman.Mail()


@pytest.fixture
def emu() -> Generator[EmulatorSession, None, None]:
    with emulator() as session:
        app = Flask(__name__)
        app.config.from_mapping(
            POSTSTACK_API_KEY="sk_test_x",
            MAIL_BACKEND="poststack_flask.mailman.EmailBackend",
            MAIL_DEFAULT_SENDER="acme@example.com",
        )
        FlaskPostStack(app, transport=session.transport)
        mail.init_app(app)
        with app.app_context():
            yield session


def message(*to: str) -> Any:
    return flask_mailman.EmailMessage("Hi", "Hello", to=to)


def test_a_message_sends_itself(emu: EmulatorSession) -> None:
    assert message("ada@example.com").send() == 1
    assert (emu.sent[0].from_, emu.sent[0].text) == ("acme@example.com", "Hello")


def test_the_functions_of_mail_send(emu: EmulatorSession) -> None:
    assert mail.send_mail("Hi", "Hello", None, ["ada@example.com"], html_message="<p>Hello", auth_user="x") == 1
    assert mail.send_mass_mail([("Hi", "Hello", None, ["bea@example.com"]), ("Hi", "", None, ["cee@example.com"])]) == 2
    assert [(mail.to, mail.html) for mail in emu.sent] == [
        (["ada@example.com"], "<p>Hello"),
        (["bea@example.com"], None),
        (["cee@example.com"], None),
    ]


def test_one_connection_for_several(emu: EmulatorSession) -> None:
    with mail.get_connection() as connection:
        connection.send_messages([message("ada@example.com")])
        one = message("bea@example.com")
        one.connection = connection
        one.send()

    assert len(emu.sent) == 2


def test_a_message_to_nobody_is_not_sent(emu: EmulatorSession) -> None:
    assert mail.get_connection().send_messages([message(), message("ada@example.com")]) == 1
    assert mail.get_connection().send_messages(None) == 0
    assert len(emu.sent) == 1


def test_failures_are_raised_or_counted(emu: EmulatorSession) -> None:
    emu.fail(422, times=2)
    with pytest.raises(PostStackError):
        message("ada@example.com").send()
    both = [message("ada@example.com"), message("bea@example.com")]

    assert mail.get_connection(fail_silently=True).send_messages(both) == 1


def test_what_cannot_be_said_is_never_passed_over(emu: EmulatorSession) -> None:
    one = message("ada@example.com")
    one.subject = "Hi\r\nBcc: eve@example.com"
    with pytest.raises(ValueError, match="line break"):
        one.send(fail_silently=True)

    assert emu.sent == []
