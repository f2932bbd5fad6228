"""The client lives as long as the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from poststack import AsyncPostStack

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from poststack.transports.base import AsyncTransport

__all__ = ["lifespan", "make_lifespan"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


def make_lifespan(
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    timeout: float = 30.0,
    max_retries: int = 3,
    deadline: float | None = None,
    transport: AsyncTransport | None = None,
    inner: Lifespan | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return a lifespan with these settings of `AsyncPostStack`.

    `inner` is the application's own lifespan: it starts after the client and stops before it, and what it yields stays
    in the lifespan state.
    """

    @asynccontextmanager
    async def poststack_lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        client = AsyncPostStack(api_key, base_url, timeout, max_retries, deadline=deadline, transport=transport)
        async with client:
            app.state.poststack = client
            if inner is None:
                yield {"poststack": client}
                return
            async with inner(app) as state:
                yield {"poststack": client, **(state or {})}

    return poststack_lifespan


lifespan = make_lifespan()
"""Ready to use: `FastAPI(lifespan=lifespan)` with the settings from the environment, read at start-up."""
