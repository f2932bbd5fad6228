"""Jobs and handlers of an application, as its workers import them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import poststack_tasks
from poststack import WebhookEvent
from poststack_tasks.rq import send_email


def welcome(name: str, key: str | None) -> Any:
    """A job of the application that sends, and goes on when it has sent."""
    sent = send_email({"from": "shop@example.com", "to": [name], "subject": "Hi", "text": "…"}, key)
    return f"sent {sent['id']}"


@poststack_tasks.on_event("email.bounced")
def note(event: WebhookEvent) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{event.id}\n")


@poststack_tasks.on_event("email.bounced")
def fail_once(event: WebhookEvent) -> None:
    mark = Path(os.environ["EVENTS_FILE"]).with_suffix(".failed")
    if not mark.exists():
        mark.touch()
        raise RuntimeError("not now")
