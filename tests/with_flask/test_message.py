"""Our message has Flask-Mail's arguments, attributes and methods."""

from __future__ import annotations

import inspect
from typing import Any

import flask_mail
import pytest
from flask import Flask

from poststack_flask import Attachment, Message


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_arguments_are_those_of_flask_mail() -> None:
    assert parameters(Message) == parameters(flask_mail.Message)
    assert parameters(Message.attach) == parameters(flask_mail.Message.attach)
    assert parameters(Attachment) == parameters(flask_mail.Attachment)


def test_the_attributes_are_those_of_flask_mail() -> None:
    app = Flask(__name__)
    flask_mail.Mail(app)
    with app.app_context():
        theirs = flask_mail.Message("Hi", ["a@example.com"], html="<p>")
    ours = Message("Hi", ["a@example.com"], html="<p>")

    assert set(vars(theirs)) - set(vars(ours)) == {"msgId"}
    assert (ours.html, ours.send_to) == (theirs.html, theirs.send_to)


def test_it_is_made_without_an_application() -> None:
    assert Message("Hi").sender is None


def test_recipients_are_added() -> None:
    given = ["a@example.com"]
    message = Message(recipients=given, cc=["c@example.com"], bcc=[("Dee", "d@example.com")])
    message.add_recipient(("Bea", "b@example.com"))

    assert message.send_to == {"a@example.com", ("Bea", "b@example.com"), "c@example.com", ("Dee", "d@example.com")}
    assert given == ["a@example.com"]


def test_html_is_an_alternative() -> None:
    message = Message(html="<p>")
    assert message.alts == {"html": "<p>"}

    message.html = None
    assert message.alts == {}
    message.html = "<b>"
    assert (message.html, message.alts) == ("<b>", {"html": "<b>"})


@pytest.mark.parametrize("field", ["recipients", "cc", "bcc"])
def test_one_text_is_no_list(field: str) -> None:
    arguments: Any = {field: "secret@example.com"}
    with pytest.raises(ValueError, match=field) as caught:
        Message(**arguments)

    assert "secret" not in str(caught.value)


def test_a_file_needs_content() -> None:
    with pytest.raises(ValueError, match="data"):
        Message().attach("a.txt")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [("a.pdf", b"", "application/pdf"), (None, "text", "text/plain"), ("noending", b"", "application/octet-stream")],
)
def test_the_type_of_a_file_is_guessed(name: str | None, data: str | bytes, expected: str) -> None:
    assert Attachment(name, data=data).content_type == expected


def test_nobody_is_in_its_repr() -> None:
    message = Message("Secret", ["secret@example.com"], "secret")
    message.attach("secret.txt", data="secret")

    assert "secret" not in f"{message!r} {message.attachments!r}".lower()
