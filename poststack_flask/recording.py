"""A list of what was sent, for tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blinker import ANY
from flask import current_app, has_app_context

from poststack_flask.signals import email_sent
from poststack_flask.state import app_at_work

if TYPE_CHECKING:
    from flask import Flask

    from poststack_flask.sent import SentMessage

__all__ = ["record_messages"]


@contextmanager
def record_messages(app: Flask | None = None) -> Generator[list[SentMessage]]:
    """Yield a list that fills with what an application sends inside the block, by whichever client and thread.

        with record_messages(app) as outbox:
            app.test_client().post("/sign-up", data={"email": "ada@example.com"})

        assert outbox[0].subject == "Welcome"

    Without `app` it is the current application, or every one where none is at work. An e-mail that is sent again with
    its idempotency key is in the list once.
    """
    outbox: list[SentMessage] = []

    def record(sender: Flask, message: SentMessage, **_: Any) -> None:
        # By its replay, not by its id alone: other providers have one id for all e-mails of a request.
        if not message.replayed or all(message.id != known.id for known in outbox):
            outbox.append(message)

    if app is current_app:  # Nothing is ever sent by the proxy.
        app = app_at_work()
    sender: Any = app if app is not None else app_at_work() if has_app_context() else ANY
    with email_sent.connected_to(record, sender=sender):
        yield outbox
