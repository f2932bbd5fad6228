"""The application: `uvicorn example_projects.fastapi_signup.app:app`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from example_projects.fastapi_signup.live import live
from example_projects.fastapi_signup.news import News
from example_projects.fastapi_signup.pages import pages, render
from example_projects.fastapi_signup.parts import Parts
from example_projects.fastapi_signup.post_office import PostOffice
from example_projects.fastapi_signup.settings import Settings
from example_projects.fastapi_signup.storage import Storage
from example_projects.fastapi_signup.webhooks import webhooks
from poststack_fastapi import make_lifespan

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["app", "create_app"]

PATIENCE: Final = 8.0
"""Seconds that a visitor waits for PostStack at most. What has not worked by then is tried again later."""
_SAID: Final = {
    403: ("Not from here", "This form was sent from another site. Please open it here and try again."),
    404: ("Nothing here", "This page does not exist. If a link in a letter has led you here, it may be cut off."),
    500: ("Our fault", "Something has gone wrong, and we have been told so. Please try again in a minute."),
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. Without settings it asks the environment when it starts."""

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        chosen = settings or Settings.from_environment()
        news = News()
        async with Storage.opened(chosen.data_dir) as storage:
            post_office = PostOffice(storage, news)
            async with post_office.open(app.state.poststack):
                yield {"parts": Parts(chosen, storage, news, post_office)}

    created = FastAPI(
        title="Lantern Walks",
        lifespan=make_lifespan(deadline=PATIENCE, inner=own),
        exception_handlers={HTTPException: _refused, Exception: _failed},
        openapi_url=None,
    )
    created.add_middleware(_Careful)
    created.include_router(pages)
    created.include_router(live)
    created.include_router(webhooks)
    created.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    return created


async def _refused(request: Request, error: HTTPException) -> Response:
    title, text = _SAID.get(error.status_code, ("Not like this", "This request cannot be answered."))
    return render(request, "said.html", {"title": title, "text": text}, status=error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    del error  # It is in the log, and nothing of it is for visitors.
    return render(request, "said.html", {"title": _SAID[500][0], "text": _SAID[500][1]}, status=500)


class _Careful:
    """Tells browsers to load nothing from elsewhere and to keep the addresses of pages, which are secrets, here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = "default-src 'self'; form-action 'self'; frame-ancestors 'none'"
                headers["Referrer-Policy"] = "same-origin"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


logging.getLogger("example_projects.fastapi_signup").setLevel(logging.INFO)
app = create_app()
