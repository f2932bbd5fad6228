"""What PostStack says has become of the letters."""

from __future__ import annotations

from datetime import datetime, timezone

from starlette.requests import Request

from example_projects.fastapi_signup.parts import parts_of
from example_projects.fastapi_signup.people import FOLLOWED
from poststack.events import WebhookEvent
from poststack_fastapi import webhook_router

__all__ = ["webhooks"]

webhooks = webhook_router(include_in_schema=False)


@webhooks.on(*FOLLOWED)
async def note(event: WebhookEvent, request: Request) -> None:
    """Store the event. It may come before the answer that tells the letter's id, and is kept until then."""
    if event.email_id is not None:
        parts = parts_of(request)
        happened_at = event.timestamp or datetime.now(timezone.utc)
        sign_up_id = await parts.storage.add_event(event.email_id, event.type, happened_at)
        if sign_up_id is not None:
            parts.news.tell(sign_up_id)
