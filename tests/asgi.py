"""An ASGI application with its lifespan running, and a browser for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx


@asynccontextmanager
async def running(app: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Start the application as a server does, lifespan state included; errors of its lifespan are raised here."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:
            yield browser
