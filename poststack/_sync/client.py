# Written by tools/unasync.py from poststack/_async/client.py. Do not edit.
"""The client: settings, and one attribute for each group of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._config import Config, split_rate_limit
from poststack._sync.emails import Emails
from poststack._sync.session import Session
from poststack._sync.suppressions import Suppressions
from poststack._sync.templates import Templates
from poststack._sync.webhooks import Webhooks

if TYPE_CHECKING:
    from types import TracebackType

    from poststack.throttling import RateLimiter
    from poststack.transports.base import Transport

__all__ = ["PostStack"]


class PostStack:
    """The PostStack API for threads and plain scripts. Make one, share it, close it at the end.

        with PostStack() as client:
            sent = client.emails.send({"from": "…", "to": ["…"], "subject": "…", "html": "…"})

    `api_key` falls back to the environment variable `POSTSTACK_API_KEY`, `base_url` to `POSTSTACK_BASE_URL` and then to
    the service; a missing key raises `ValueError`. `timeout` bounds each step of one attempt, `deadline` the whole
    call with its waits, both in seconds. A failed attempt is repeated up to `max_retries` times where that is safe.
    `transport` replaces the HTTP library: see `poststack.transports`. Calls wait for their turn when the API says that
    they come too fast; `rate_limit` keeps them under so many a second from the start, by a number for this client or by
    a limiter of `poststack.throttling` for several processes.
    """

    __module__ = "poststack"

    emails: Emails
    suppressions: Suppressions
    templates: Templates
    webhooks: Webhooks

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        *,
        deadline: float | None = None,
        transport: Transport | None = None,
        rate_limit: float | RateLimiter | None = None,
    ) -> None:
        own_limit, limiter = split_rate_limit(rate_limit, "reserve")
        config = Config.resolve(api_key, base_url, timeout, max_retries, deadline, own_limit)
        if transport is None:
            from poststack.transports.httpcore import HttpcoreTransport

            transport = HttpcoreTransport()
        self._base_url = config.base_url
        self._session = session = Session(config, transport, limiter)
        self.emails = Emails(session)
        self.suppressions = Suppressions(session)
        self.templates = Templates(session)
        self.webhooks = Webhooks(session)

    def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        self._session.close()

    def __enter__(self) -> PostStack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PostStack(base_url={self._base_url!r})"
