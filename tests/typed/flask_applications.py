"""What type checkers say of the Flask package. This module is checked, never run."""

from __future__ import annotations

from contextlib import AbstractContextManager

from flask import Blueprint, Flask
from redis import Redis
from typing_extensions import Unpack, assert_type
from werkzeug.test import TestResponse

from poststack import AsyncPostStack, PostStack, WebhookEvent
from poststack.receiving import RedisEventStore
from poststack.testing import EmulatorSession
from poststack.types import SentEmail
from poststack_flask import FlaskPostStack, current_poststack
from poststack_flask.extension import ClientArguments
from poststack_flask.testing import SentMessage, emulator_session, post_webhook, record_messages

poststack = FlaskPostStack(
    api_key="sk_test_x",
    deadline=None,
    webhook_secrets=["new", "old"],
    event_store=RedisEventStore(Redis()),
    default_sender=("Shop", "shop@example.com"),
)


class Extension(FlaskPostStack):
    """A class of one's own."""

    def make_client(self, app: Flask, **arguments: Unpack[ClientArguments]) -> PostStack:
        return PostStack(**arguments)


@poststack.on("email.bounced", "contact.created")
def handler(event: WebhookEvent) -> int:
    return len(event.id)


@poststack.on("*")
async def asynchronous(event: WebhookEvent) -> None:
    async with poststack.async_client() as client:
        assert_type(client, AsyncPostStack)


def application(app: Flask) -> None:
    poststack.init_app(app)
    assert_type(current_poststack, PostStack)
    assert_type(
        current_poststack.emails.send({"from": "a@example.com", "to": ["b@example.com"], "template_id": "t"}), SentEmail
    )
    assert_type(handler(WebhookEvent("evt_1", "email.bounced", None, None, {})), int)
    assert_type(poststack.webhook_blueprint(name="shop", path="/shop", secrets="…"), Blueprint)
    poststack.close(app)


def tests(app: Flask) -> None:
    assert_type(poststack.record_messages(app), AbstractContextManager[list[SentMessage]])
    with record_messages() as outbox:
        assert_type(outbox, list[SentMessage])
        assert_type(outbox[0].subject, str | None)
        assert_type(outbox[0].recipients, list[str])
    assert_type(post_webhook(app.test_client(), "email.opened", email_id="em_1"), TestResponse)
    assert_type(emulator_session(app, fresh=True), EmulatorSession)
