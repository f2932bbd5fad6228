"""A webhook's event as a dependency of a route of one's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

from fastapi import Depends, Header, HTTPException

# At run time too: FastAPI reads the annotations of dependencies.
from starlette.requests import Request
from starlette.responses import Response

from poststack.events import SIGNATURE_HEADER, WebhookEvent
from poststack.receiving import LARGEST_BODY, MAX_AGE, AsyncTurn, WebhookAnswer
from poststack_fastapi.openapi import SIGNATURE_DESCRIPTION
from poststack_fastapi.webhooks import Webhook

if TYPE_CHECKING:
    from poststack.receiving import AsyncEventStore, Secrets

__all__ = ["VerifiedEvent", "verified_event"]


def verified_event(
    secrets: Secrets = None,
    *,
    store: AsyncEventStore | None = None,
    max_age: float | None = MAX_AGE,
    max_bytes: int = LARGEST_BODY,
) -> Callable[..., AsyncGenerator[WebhookEvent]]:
    """Return a dependency like that of `VerifiedEvent`, with these options of `webhook_router`.

    Make it once: `ShopEvent = Annotated[WebhookEvent, Depends(verified_event("secret of the shop"))]`.
    """
    webhook = Webhook(secrets, store=store, max_age=max_age, max_bytes=max_bytes)

    async def verified(
        request: Request,
        response: Response,
        # Read from the request; named here so that it is in the documentation of every route.
        _: Annotated[str | None, Header(alias=SIGNATURE_HEADER, description=SIGNATURE_DESCRIPTION)] = None,
    ) -> AsyncGenerator[WebhookEvent]:
        checked = await webhook.check(request)
        if isinstance(checked, WebhookAnswer):
            raise HTTPException(checked.status, checked.text)
        turn = AsyncTurn(webhook.store(request), checked, request.scope["path"])
        if (taken := await turn.begin()) is not None:
            raise HTTPException(taken.status, taken.text)
        try:
            yield checked
        except BaseException:
            await turn.abandon()
            raise
        status = cast("int | None", response.status_code)  # FastAPI leaves it empty until a route sets it.
        if status is None or 200 <= status < 300:
            await turn.finish()
        else:
            await turn.abandon()

    return verified


VerifiedEvent: TypeAlias = Annotated[WebhookEvent, Depends(verified_event())]
"""The event of a webhook call whose signature is right.

The route is run once for each event: repeated deliveries of what it has dealt with are answered 200 before it. When it
raises, or sets `response.status_code` to no success, the next delivery runs it again.
"""
