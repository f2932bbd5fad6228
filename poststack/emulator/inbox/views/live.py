"""Word of changes to open pages, as server-sent events. A page that hears of one fetches itself again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from poststack.emulator.state import AppState

__all__ = ["LiveUpdates"]

_HEARTBEAT = 15.0
# Between two words, so that a thousand e-mails in a second are a few updates.
_PAUSE = 0.15
# The browser opens a new stream by itself; one that ends now and then cannot be forgotten half-open.
_LONGEST_STREAM = 300.0


class LiveUpdates:
    """The stream that open pages listen to."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def stream(self, request: Request) -> Response:
        """Answer with a stream that tells the store's revision at once and after every change."""
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(self._events(request), media_type="text/event-stream", headers=headers)

    async def _events(self, request: Request) -> AsyncGenerator[str]:
        loop = asyncio.get_running_loop()
        end = loop.time() + _LONGEST_STREAM
        store = self._state.store
        told = store.revision
        yield f"retry: 1000\n\n{_change(told)}"
        while loop.time() < end and not await request.is_disconnected():
            await self._state.wait_for_change(told, _HEARTBEAT)
            if store.revision == told:
                yield ": still here\n\n"
            else:
                told = store.revision
                yield _change(told)
                await asyncio.sleep(_PAUSE)


def _change(revision: int) -> str:
    return f"event: change\ndata: {revision}\n\n"
