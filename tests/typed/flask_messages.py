"""What type checkers say of messages sent through the Flask extension. This module is checked, never run."""

from __future__ import annotations

import flask_mail
from typing_extensions import assert_type

from poststack.types import SentEmail
from poststack_flask import FlaskPostStack, Message


def send(mail: FlaskPostStack, theirs: flask_mail.Message) -> None:
    ours = Message("Hi", ["a@example.com", ("Bea", "b@example.com")], "Hello", sender=("Acme", "acme@example.com"))
    ours.attach("a.txt", data="x", headers={"Content-ID": "<a>"})
    assert_type(mail.send(ours, tags=["a"], idempotency_key="b", tracking={"opens": False}), SentEmail)
    assert_type(mail.send(theirs), SentEmail)
    assert_type(mail.send_message(theirs, template_id="tpl_1", variables={"a": "b"}), SentEmail)
    assert_type(mail.send_message("Hi", ["a@example.com"], body="Hello", tags=["a"]), SentEmail)
    with mail.connect() as connection:
        assert_type(connection.send(ours, unsubscribe=True), SentEmail)
        assert_type(connection.send_message(subject="Hi", recipients=["a@example.com"], html="x"), SentEmail)
    ours.send(connection)
    ours.send(mail)
