"""The client: settings, and one attribute for each group of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._async.emails import AsyncEmails
from poststack._async.session import AsyncSession
from poststack._async.suppressions import AsyncSuppressions
from poststack._async.templates import AsyncTemplates
from poststack._async.webhooks import AsyncWebhooks
from poststack._config import Config, split_rate_limit

if TYPE_CHECKING:
    from types import TracebackType

    from poststack.throttling import AsyncRateLimiter
    from poststack.transports.base import AsyncTransport

__all__ = ["AsyncPostStack"]


class AsyncPostStack:
    """The PostStack API for asyncio and trio. Make one, share it, close it at the end.

        async with AsyncPostStack() as client:
            sent = await client.emails.send({"from": "…", "to": ["…"], "subject": "…", "html": "…"})

    `api_key` falls back to the environment variable `POSTSTACK_API_KEY`, `base_url` to `POSTSTACK_BASE_URL` and then to
    the service; a missing key raises `ValueError`. `timeout` bounds each step of one attempt, `deadline` the whole
    call with its waits, both in seconds. A failed attempt is repeated up to `max_retries` times where that is safe.
    `transport` replaces the HTTP library: see `poststack.transports`. Calls wait for their turn when the API says that
    they come too fast; `rate_limit` keeps them under so many a second from the start, by a number for this client or by
    a limiter of `poststack.throttling` for several processes.
    """

    __module__ = "poststack"

    emails: AsyncEmails
    suppressions: AsyncSuppressions
    templates: AsyncTemplates
    webhooks: AsyncWebhooks

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        *,
        deadline: float | None = None,
        transport: AsyncTransport | None = None,
        rate_limit: float | AsyncRateLimiter | None = None,
    ) -> None:
        own_limit, limiter = split_rate_limit(rate_limit, "areserve")
        config = Config.resolve(api_key, base_url, timeout, max_retries, deadline, own_limit)
        if transport is None:
            from poststack.transports.httpcore import AsyncHttpcoreTransport

            transport = AsyncHttpcoreTransport()
        self._base_url = config.base_url
        self._session = session = AsyncSession(config, transport, limiter)
        self.emails = AsyncEmails(session)
        self.suppressions = AsyncSuppressions(session)
        self.templates = AsyncTemplates(session)
        self.webhooks = AsyncWebhooks(session)

    async def aclose(self) -> None:
        """Release connections. Calling it again is harmless."""
        await self._session.aclose()

    async def __aenter__(self) -> AsyncPostStack:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncPostStack(base_url={self._base_url!r})"
