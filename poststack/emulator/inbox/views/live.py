"""Word of changes to open pages, as server-sent events. A page that hears of one fetches itself again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from poststack.emulator.state import AppState

__all__ = ["LiveUpdates"]

# Between two words, so that a thousand e-mails in a second are a few updates.
_PAUSE = 0.15


class LiveUpdates:
    """The stream that open pages listen to.

    A sign of life goes out every `heartbeat` seconds. The stream ends after `longest` seconds and the browser opens
    another one by itself, so that none is forgotten half-open.
    """

    def __init__(self, state: AppState, *, heartbeat: float = 15.0, longest: float = 300.0) -> None:
        self._state = state
        self._heartbeat = heartbeat
        self._longest = longest

    async def stream(self, request: Request) -> Response:
        """Answer with a stream that tells the store's revision at once and after every change."""
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(self._events(request), media_type="text/event-stream", headers=headers)

    async def _events(self, request: Request) -> AsyncGenerator[str]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._longest
        store = self._state.store
        told = store.revision
        yield f"retry: 1000\n\n{_change(told)}"
        while not self._state.stopping and loop.time() < end and not await request.is_disconnected():
            await self._state.wait_for_change(told, self._heartbeat)
            if store.revision == told:
                yield ": still here\n\n"
            else:
                told = store.revision
                yield _change(told)
                await asyncio.sleep(_PAUSE)


def _change(revision: int) -> str:
    return f"event: change\ndata: {revision}\n\n"
