"""The PostStack extension, and what is done with the events that its webhook receives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from example_projects.flask_signup import database, letters
from poststack_flask import FlaskPostStack

if TYPE_CHECKING:
    from poststack import WebhookEvent

poststack = FlaskPostStack()


@poststack.on("*")
def record(event: WebhookEvent) -> None:
    """Store what happened to an e-mail. Should this raise, PostStack repeats the event."""
    if event.email_id is not None:
        letters.record(database.get(), event.id, event.email_id, event.type, event.timestamp)
