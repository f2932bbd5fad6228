"""An endpoint for webhooks: what it trusts, whom it tells, what it answers. Starlette is enough for it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poststack.events import SIGNATURE_HEADER, WebhookEvent
from poststack.receiving import (
    LARGEST_BODY,
    MAX_AGE,
    AsyncWebhookReceiver,
    EventHandlers,
    NamedHandler,
    WebhookAnswer,
    check_webhook,
    webhook_secrets,
)
from poststack.receiving.sources import acheck_source, aread_events
from poststack_fastapi.raw_body import BodyTooLargeError, IncompleteBodyError, raw_body
from poststack_fastapi.settings import secrets_of
from poststack_fastapi.state import check_store, webhook_defaults

if TYPE_CHECKING:
    from typing import TypeAlias

    from poststack.events import EventType
    from poststack.providers.events import AsyncEventSource, EventSource
    from poststack.receiving import AsyncEventStore, Secrets

    AnySource: TypeAlias = EventSource | AsyncEventSource

__all__ = ["PATH", "EventHandler", "Webhook", "WebhookRoute", "webhook_route"]

PATH: Final = "/webhooks/poststack"

EventHandler = TypeVar("EventHandler", bound="Callable[[WebhookEvent], Any] | Callable[[WebhookEvent, Request], Any]")

logger = logging.getLogger("poststack.fastapi")


class Webhook:
    """The options and handlers of one endpoint. What is not given comes from the application, when it is called."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        source: AnySource | None = None,
        store: AsyncEventStore | None,
        max_age: float | None,
        max_bytes: int,
    ) -> None:
        acheck_source(source, secrets)
        self._source = source
        self._secrets = None if secrets is None else webhook_secrets(secrets)
        if self._secrets == ():
            raise ValueError(
                "The webhook's secrets are empty. Leave them out to use those of the lifespan, which are "
                "POSTSTACK_WEBHOOK_SECRETS by default."
            )
        check_store(store)
        self._store = store
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._handlers = EventHandlers()

    def on(self, *types: EventType | str) -> Callable[[EventHandler], EventHandler]:
        """Decorate a handler of events of these types; see `WebhookRouter.on`."""
        register = self._handlers.on(*types)

        def checked(handler: EventHandler) -> EventHandler:
            takes_request(handler)
            return register(handler)

        return checked

    def store(self, request: Request) -> AsyncEventStore:
        """Return what remembers events: that of this endpoint, or of its application."""
        return webhook_defaults(request).store if self._store is None else self._store

    async def check(self, request: Request) -> WebhookEvent | WebhookAnswer:
        """Return the event of a request that is to be trusted, else what to answer."""
        secrets = self._secrets or webhook_defaults(request).secrets
        if secrets is None:
            secrets = secrets_of(None)
        if not secrets:
            logger.warning(
                "A webhook was refused: no secret is configured. Give webhook_secrets to make_lifespan, or set "
                "POSTSTACK_WEBHOOK_SECRETS, to the signing secret shown when the webhook was created."
            )
            return WebhookAnswer(403, "This endpoint has no signing secret.")
        body = await self._body(request)
        if isinstance(body, WebhookAnswer):
            return body
        signature = ",".join(request.headers.getlist(SIGNATURE_HEADER))
        return check_webhook(body, signature, secrets, max_age=self._max_age, max_bytes=self._max_bytes)

    async def answer(self, request: Request) -> Response:
        """Take one call, call the handlers, and return the answer for whoever called."""
        checked = await self._events(request)
        if not isinstance(checked, WebhookAnswer):
            receiver = AsyncWebhookReceiver(
                None,
                store=self.store(request),
                handlers=_HandlersAt(request.scope["path"], self._handlers),
                call=partial(_call, request),
            )
            checked = await receiver.handle_all(checked)
        return JSONResponse({"detail": checked.text}, checked.status, checked.headers)

    async def _events(self, request: Request) -> list[WebhookEvent] | WebhookAnswer:
        if self._source is None:
            event = await self.check(request)
            return event if isinstance(event, WebhookAnswer) else [event]
        body = await self._body(request)
        if isinstance(body, WebhookAnswer):
            return body
        return await aread_events(self._source, body, request.headers, max_bytes=self._max_bytes)

    async def _body(self, request: Request) -> bytes | WebhookAnswer:
        try:
            return await raw_body(request, self._max_bytes)
        except BodyTooLargeError:
            return WebhookAnswer(413, "The body is too large.")
        except IncompleteBodyError:
            return WebhookAnswer(400, "The body is not complete.")


class _HandlersAt:
    """The handlers of an endpoint. Endpoints share their application's store, and handlers may share a name."""

    def __init__(self, path: str, handlers: EventHandlers) -> None:
        self._path = path
        self._handlers = handlers

    def of(self, event: WebhookEvent) -> Iterable[NamedHandler]:
        for named in self._handlers.of(event):
            yield NamedHandler(f"{self._path} {named.name}", named.handler)


class WebhookRoute(Route):
    """A Starlette route that takes webhooks; made by `webhook_route`."""

    def __init__(self, webhook: Webhook, path: str, *, name: str = "poststack_webhook") -> None:
        self._webhook = webhook

        async def poststack_webhook(request: Request) -> Response:
            if request.method == "HEAD":  # Some set-up tools look whether there is something.
                return Response()
            return await webhook.answer(request)

        super().__init__(path, poststack_webhook, methods=["POST", "HEAD"], name=name, include_in_schema=False)

    def on(self, *types: EventType | str) -> Callable[[EventHandler], EventHandler]:
        """Decorate a handler of events of these types; `"*"` means all, those that come in future too.

        It takes the event, or the event and the request. One that is no `async def` runs in the thread pool. Raises
        `ValueError` for a name that no event has, `TypeError` for a handler that takes something else.
        """
        return self._webhook.on(*types)


def webhook_route(
    secrets: Secrets = None,
    *,
    path: str = PATH,
    source: AnySource | None = None,
    store: AsyncEventStore | None = None,
    max_age: float | None = MAX_AGE,
    max_bytes: int = LARGEST_BODY,
) -> WebhookRoute:
    """Return a route for Starlette applications; with FastAPI, `webhook_router` is the same and in the documentation.

    Options are those of `webhook_router`.
    """
    webhook = Webhook(secrets, source=source, store=store, max_age=max_age, max_bytes=max_bytes)
    return WebhookRoute(webhook, path)


def takes_request(handler: Callable[..., Any]) -> bool:
    """Return whether a handler wants the request beside the event. Raises `TypeError` for one that wants more."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except ValueError:  # Some that are written in C say nothing.
        return False
    by_position = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    open_ended = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    required = sum(one.default is one.empty for one in by_position)
    by_keyword = any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters)
    if required > 2 or by_keyword or not (by_position or open_ended):
        name = getattr(handler, "__qualname__", type(handler).__qualname__)
        raise TypeError(f"{name} must take (event) or (event, request). For more, use VerifiedEvent in your own route.")
    return required == 2 or (len(by_position) > 1 and by_position[1].name == "request")


async def _call(request: Request, handler: Callable[..., Any], event: WebhookEvent) -> None:
    arguments = (event, request) if takes_request(handler) else (event,)
    if _is_async(handler):
        await handler(*arguments)
        return
    answer = await run_in_threadpool(handler, *arguments)
    if isinstance(answer, Awaitable):
        await answer


def _is_async(handler: Callable[..., Any]) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
