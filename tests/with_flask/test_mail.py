"""Messages sent through the extension, as applications that come from Flask-Mail send them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import flask_mail
import pytest
from flask import Flask

from poststack import PostStackError
from poststack.testing import emulator
from poststack_flask import FlaskPostStack, Message

if TYPE_CHECKING:
    from collections.abc import Generator

    from poststack.testing import EmulatorSession

poststack = FlaskPostStack()


@pytest.fixture
def emu() -> Generator[EmulatorSession, None, None]:
    with emulator() as session:
        yield session


def application(emu: EmulatorSession, **config: Any) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(POSTSTACK_API_KEY="sk_test_x", **config)
    FlaskPostStack(app, transport=emu.transport)
    return app


@pytest.fixture
def app(emu: EmulatorSession) -> Generator[Flask, None, None]:
    app = application(emu, MAIL_DEFAULT_SENDER=("Acme, Inc.", "acme@example.com"))
    with app.app_context():
        yield app


def test_the_answer_has_the_id(app: Flask, emu: EmulatorSession) -> None:
    answer = poststack.send(Message("Hi", ["ada@example.com"], "Hello"))

    assert answer["id"] == emu.sent[0].id
    assert emu.sent[0].payload["from"] == '"Acme, Inc." <acme@example.com>'


def test_a_message_of_flask_mail_is_sent(app: Flask, emu: EmulatorSession) -> None:
    poststack.send(flask_mail.Message("Hi", ["ada@example.com"], "Hello", sender="a@example.com"))

    assert (emu.sent[0].subject, emu.sent[0].text) == ("Hi", "Hello")


def test_fields_may_be_given_beside_it(app: Flask, emu: EmulatorSession) -> None:
    message = Message("Hi", ["ada@example.com"], "Hello")
    first = poststack.send(message, idempotency_key="welcome-1", tags=["welcome"])
    second = poststack.send(message, idempotency_key="welcome-1", tags=["welcome"])

    assert (second["id"], second.get("replayed")) == (first["id"], True)
    assert [mail.tags for mail in emu.sent] == [["welcome"]]


def test_send_message_takes_the_arguments_of_a_message(app: Flask, emu: EmulatorSession) -> None:
    poststack.send_message("Hi", ["ada@example.com"], body="Hello", tags=["welcome"])
    poststack.send_message(subject="Hi", recipients=["ada@example.com"], html="<p>Hello", sender="b@example.com")

    assert [(mail.subject, mail.from_, mail.tags) for mail in emu.sent] == [
        ("Hi", "Acme, Inc. <acme@example.com>", ["welcome"]),
        ("Hi", "b@example.com", []),
    ]


def test_send_message_takes_a_message(app: Flask, emu: EmulatorSession) -> None:
    poststack.send_message(Message("Hi", ["ada@example.com"], "Hello"), tags=["a"])

    assert emu.sent[0].tags == ["a"]


def test_a_message_has_its_own_subject(app: Flask, emu: EmulatorSession) -> None:
    arguments: Any = {"subject": "Other"}
    with pytest.raises(TypeError, match="subject"):
        poststack.send_message(Message("Hi", ["ada@example.com"], "Hello"), **arguments)

    assert emu.sent == []


def test_a_loop_over_one_connection(app: Flask, emu: EmulatorSession) -> None:
    with poststack.connect() as connection:
        for name in ("ada", "bea"):
            connection.send(Message("Hi", [f"{name}@example.com"], "Hello"))
        connection.send_message("Hi", recipients=["cee@example.com"], body="Hello")
        Message("Hi", ["dee@example.com"], "Hello").send(connection)
        flask_mail.Message("Hi", ["eve@example.com"], "Hello", sender="a@example.com").send(connection)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it wants its own connection by name, and any by use

    assert [mail.to for mail in emu.sent] == [[f"{name}@example.com"] for name in ("ada", "bea", "cee", "dee", "eve")]


def test_a_connection_sends_from_a_thread_that_has_no_application_context(app: Flask, emu: EmulatorSession) -> None:
    connection = poststack.connect()
    thread = threading.Thread(target=connection.send, args=(Message("Hi", ["ada@example.com"], "Hello"),))
    thread.start()
    thread.join()

    assert len(emu.sent) == 1


def test_each_application_has_its_own_sender() -> None:
    with emulator() as first, emulator() as second:
        for emu, name in ((first, "a"), (second, "b")):
            with application(emu, POSTSTACK_DEFAULT_SENDER=f"{name}@example.com").app_context():
                poststack.send(Message("Hi", ["ada@example.com"], "Hello"))

        assert (first.sent[0].from_, second.sent[0].from_) == ("a@example.com", "b@example.com")


def test_the_sender_may_come_from_the_environment(emu: EmulatorSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_DEFAULT_SENDER", "env@example.com")
    with application(emu, MAIL_DEFAULT_SENDER="mail@example.com").app_context():
        poststack.send(Message("Hi", ["ada@example.com"], "Hello"))

    assert emu.sent[0].from_ == "env@example.com"


def test_what_the_api_refuses_is_raised(app: Flask, emu: EmulatorSession) -> None:
    emu.fail(422)
    with pytest.raises(PostStackError):
        poststack.send(Message("Hi", ["ada@example.com"], "Hello"))


def test_outside_of_an_application_the_error_says_how_to_get_in() -> None:
    with pytest.raises(RuntimeError, match="app_context"):
        poststack.send(Message("Hi", ["ada@example.com"], "Hello"))


def test_an_application_without_the_extension_is_told_to_add_it() -> None:
    with Flask(__name__).app_context(), pytest.raises(RuntimeError, match="init_app"):
        poststack.send(Message("Hi", ["ada@example.com"], "Hello"))


def test_tests_record_messages_as_they_did_with_flask_mail() -> None:
    app = Flask(__name__)
    app.config.from_mapping(TESTING=True, MAIL_DEFAULT_SENDER="acme@example.com")
    poststack.init_app(app)
    with app.app_context(), poststack.record_messages() as outbox:
        message = Message("Hi", ["ada@example.com"], "Hello", html="<p>Hello", cc=["cee@example.com"])
        message.attach("a.txt", "text/plain", "x")
        poststack.send(message)

    (sent,) = outbox
    assert (sent.subject, sent.sender, sent.recipients) == ("Hi", "acme@example.com", ["ada@example.com"])
    assert (sent.body, sent.html, sent.send_to) == ("Hello", "<p>Hello", {"ada@example.com", "cee@example.com"})
    (file,) = sent.attachments
    assert (file.filename, file.data, file.disposition) == ("a.txt", b"x", "attachment")
