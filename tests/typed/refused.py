"""What type checkers must refuse: every line marked so. This module is never run."""

from __future__ import annotations

from typing import Any

from flask import Flask

import poststack
import poststack.testing
from poststack import AsyncPostStack, PostStack
from poststack.types import SendEmail, SentEmail
from poststack_django.aio import asend
from poststack_django.backends import EmailBackend
from poststack_django.message import PostStackEmail
from poststack_flask import FlaskPostStack, Message


def misspelt(client: PostStack, sent: SentEmail) -> None:
    client.emails.send({"from": "a@example.com", "too": ["b@example.com"]})  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "sbject": "Hi"})  # refused
    client.emails.list({"stats": "delivered"})  # refused
    client.email.send({"from": "a@example.com", "to": []})  # refused
    client.emails.snd({"from": "a@example.com", "to": []})  # refused
    print(sent["identifier"])  # refused
    PostStack(apikey="sk_test_x")  # refused
    print(poststack.PostStak)  # refused
    print(poststack.testing.emulate)  # refused


def missing(client: PostStack) -> None:
    client.emails.send({"to": ["b@example.com"], "subject": "Hi"})  # refused
    client.suppressions.add({"email": "a@example.com"})  # refused
    client.emails.batch({})  # refused
    client.emails.get()  # refused


def wrong_type(client: PostStack, payload: dict[str, Any]) -> None:
    client.emails.send({"from": "a@example.com", "to": "b@example.com"})  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "tracking": {"open": True}})  # refused
    client.emails.send(payload)  # refused
    client.emails.send_many({"from": "a@example.com", "to": ["b@example.com"]})  # refused
    client.emails.send_many([payload])  # refused
    client.emails.send_many([], on_progress=lambda told: print(told.total))  # refused
    client.emails.list({"status": "sent"})  # refused
    client.webhooks.get("1")  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"]}, timeout="5")  # refused
    client.suppressions.add({"email": "a@example.com", "reason": "because"})  # refused
    with AsyncPostStack():  # refused
        pass


async def missing_await(client: AsyncPostStack, payload: SendEmail) -> None:
    sent = client.emails.send(payload)
    print(sent["id"])  # refused
    for email in client.emails.iterate():  # refused
        print(email)
    client.emails.send(payload)  # refused
    for result in client.emails.send_many([payload]):  # refused
        print(result)


async def needless_await(client: PostStack, payload: SendEmail) -> None:
    await client.emails.send(payload)  # refused


def django_messages() -> None:
    PostStackEmail("Subject", tag=["receipt"])  # refused
    PostStackEmail("Subject", "Body", None, ["b@example.com"], ["c@example.com"])  # refused
    PostStackEmail("Subject", tracking={"open": True})  # refused
    PostStackEmail("Subject", signature="mine")  # refused
    PostStackEmail("Subject").tags = 7  # refused
    EmailBackend(redirect_to=7)  # refused


async def django_in_a_loop() -> None:
    asend(PostStackEmail("Subject"))  # refused


def flask_application(app: Flask) -> None:
    FlaskPostStack(app, retries=3)  # refused
    FlaskPostStack(default_sender=("Shop", "shop@example.com", "x"))  # refused
    FlaskPostStack().on("email.bounced")(7)  # refused
    FlaskPostStack().webhook_blueprint("/webhooks")  # refused


def flask_messages(mail: FlaskPostStack) -> None:
    mail.send({"from": "a@example.com", "to": ["b@example.com"]})  # refused
    mail.send(Message("Hi"), subject="Ho")  # refused
    mail.send(Message("Hi"), tags="welcome")  # refused
    mail.send_message("Hi", recipient=["a@example.com"])  # refused
