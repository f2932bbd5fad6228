"""The part of the page that changes, as server-sent events. The page works without it, and reloads itself then."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from typing import Annotated, Final

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from example_projects.fastapi_signup.pages import SignUpDep, letters_fragment
from example_projects.fastapi_signup.parts import PartsDep

__all__ = ["live"]

LOOKED_EVERY: Final = 2.0
"""Seconds between two looks into the database, for what another process has stored."""
LONGEST: Final = 10 * 60.0
"""Seconds of one answer; browsers ask again."""

live = APIRouter(include_in_schema=False)


@live.get("/sign-ups/{token}/events", name="events", response_class=EventSourceResponse)
async def events(
    token: str,
    found: SignUpDep,
    parts: PartsDep,
    version: str = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Send the letters whenever they differ from what the browser has: `version`, or what it was sent last."""
    shown, ends_at = last_event_id or version, time.monotonic() + LONGEST
    yield ServerSentEvent(retry=2000)
    while time.monotonic() < ends_at:
        current = await parts.storage.sign_up_with(page_token=token) or found
        fragment = letters_fragment(current, await parts.storage.letters_of(current))
        if fragment.version != shown:
            yield ServerSentEvent(raw_data=fragment.html, event="letters", id=fragment.version)
            shown = fragment.version
        await parts.news.wait(current.id, LOOKED_EVERY)
