"""The router that takes webhooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

# At run time too: FastAPI reads the annotations of endpoints.
from starlette.requests import Request
from starlette.responses import Response

from poststack.receiving import LARGEST_BODY, MAX_AGE
from poststack_fastapi.openapi import POSTSTACK_ROUTE, RECEIVED, provider_route
from poststack_fastapi.webhooks import PATH, EventHandler, Webhook

if TYPE_CHECKING:
    from poststack.events import EventType
    from poststack.providers.events import AsyncEventSource, EventSource
    from poststack.receiving import AsyncEventStore, Secrets

__all__ = ["WebhookRouter", "webhook_router"]


class WebhookRouter(APIRouter):
    """An `APIRouter` with one route, and the handlers that are called from it; see `webhook_router`."""

    def __init__(
        self,
        secrets: Secrets = None,
        *,
        path: str = PATH,
        source: EventSource | AsyncEventSource | None = None,
        store: AsyncEventStore | None = None,
        max_age: float | None = MAX_AGE,
        max_bytes: int = LARGEST_BODY,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._webhook = webhook = Webhook(secrets, source=source, store=store, max_age=max_age, max_bytes=max_bytes)

        async def poststack_webhook(request: Request) -> Response:
            return await webhook.answer(request)

        async def poststack_webhook_probe() -> Response:
            return Response()

        self.add_api_route(
            path,
            poststack_webhook,
            methods=["POST"],
            response_description=RECEIVED["description"],
            **(POSTSTACK_ROUTE if source is None else provider_route(getattr(source, "title", "another provider"))),
        )
        # Some set-up tools look whether there is something.
        self.add_api_route(path, poststack_webhook_probe, methods=["HEAD"], include_in_schema=False)

    def on(self, *types: EventType | str) -> Callable[[EventHandler], EventHandler]:
        """Decorate a handler of events of these types; `"*"` means all, those that come in future too.

        It takes the event, or the event and the request. One that is no `async def` runs in the thread pool. Raises
        `ValueError` for a name that no event has, `TypeError` for a handler that takes something else.
        """
        return self._webhook.on(*types)


def webhook_router(
    secrets: Secrets = None,
    *,
    path: str = PATH,
    source: EventSource | AsyncEventSource | None = None,
    store: AsyncEventStore | None = None,
    max_age: float | None = MAX_AGE,
    max_bytes: int = LARGEST_BODY,
    include_in_schema: bool = True,
    **options: Any,
) -> WebhookRouter:
    """Return a router with a route that checks webhooks and calls handlers, for `app.include_router`.

        webhooks = webhook_router()

        @webhooks.on("email.bounced")
        async def stop_writing_to(event: WebhookEvent) -> None:
            ...

    Each handler is called once for each event. When one fails, the answer is 500, and the next delivery calls those
    again that failed. `secrets` and `store` are by default those of the application: see `make_lifespan`. Events that
    are older than `max_age` seconds and bodies of more than `max_bytes` are refused. `options` are those of
    `APIRouter`. With a `source`, such as `poststack.providers.events.PostmarkEvents(…)`, the route takes the events of
    that provider in place of PostStack's; it has a `max_age` of its own. Raises `ValueError` for secrets that are empty
    or beside a source.
    """
    return WebhookRouter(
        secrets,
        path=path,
        source=source,
        store=store,
        max_age=max_age,
        max_bytes=max_bytes,
        include_in_schema=include_in_schema,
        **options,
    )
