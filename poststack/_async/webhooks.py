"""Webhook endpoints, their secrets and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import NO_BODY, Listing, Request, segment
from poststack.types.common import Success
from poststack.types.webhooks import (
    BatchReplayed,
    WebhookAnswer,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookList,
    WebhookWithSecret,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.common import PageQuery
    from poststack.types.webhooks import BatchReplay, CreateWebhook, UpdateWebhook

__all__ = ["AsyncWebhooks"]


class AsyncWebhooks:
    """Manage webhook endpoints. Ids are integers. `poststack.events` reads what they receive.

    Only sends honour idempotency keys, and a secret is shown once, in the answer that makes it. So `create` and
    `rotate_secret` are not retried once an attempt may have taken effect: the error says so in `may_have_taken_effect`.
    After such a `create` look for the endpoint with `list`, and let `rotate_secret` show a new secret. After such a
    `rotate_secret`, `secretRotatedAt` of `get` tells whether it took effect. If so, the secret you know signs until
    `previousSecretExpiresAt`: rotate again before that, and use the new one at once, for the known one may end with it.
    The retries of `test`, `replay` and `batch_replay` can deliver an event twice.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateWebhook, *, timeout: float | None = None) -> WebhookWithSecret:
        """Add an endpoint. Keep `signingSecret`: it is shown this once."""
        return await self._session.call(
            Request("POST", "/webhooks", WebhookWithSecret, body=input, repeatable=False), timeout
        )

    async def get(self, id: int, *, timeout: float | None = None) -> WebhookAnswer:
        """Return one endpoint, without its secret."""
        return await self._session.call(Request("GET", f"/webhooks/{segment(id)}", WebhookAnswer), timeout)

    async def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> WebhookList:
        """Return all endpoints. The API ignores `params`."""
        return await self._session.call(Request("GET", "/webhooks", WebhookList, query=params), timeout)

    async def update(self, id: int, input: UpdateWebhook, *, timeout: float | None = None) -> WebhookAnswer:
        """Change the given fields; `enabled: True` also revives an endpoint that was disabled after failures."""
        return await self._session.call(
            Request("PATCH", f"/webhooks/{segment(id)}", WebhookAnswer, body=input), timeout
        )

    async def delete(self, id: int, *, timeout: float | None = None) -> Success:
        """Remove an endpoint."""
        return await self._session.call(Request("DELETE", f"/webhooks/{segment(id)}", Success), timeout)

    async def test(self, id: int, *, timeout: float | None = None) -> Success:
        """Have the API send a sample event to the endpoint."""
        return await self._session.call(Request("POST", f"/webhooks/{segment(id)}/test", Success), timeout)

    async def rotate_secret(
        self, id: int, *, grace_hours: int | None = None, timeout: float | None = None
    ) -> WebhookWithSecret:
        """Replace the secret and return the new one, which is shown this once.

        For `grace_hours` (24 unless given, at most 168, 0 for none) deliveries are signed with both.
        """
        body = NO_BODY if grace_hours is None else {"graceHours": grace_hours}
        return await self._session.call(
            Request("POST", f"/webhooks/{segment(id)}/rotate-secret", WebhookWithSecret, body=body, repeatable=False),
            timeout,
        )

    async def get_deliveries(
        self, id: int, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> WebhookDeliveries:
        """Return one page of deliveries, newest first."""
        return await self._session.call(
            Request("GET", f"/webhooks/{segment(id)}/deliveries", WebhookDeliveries, query=params), timeout
        )

    def iterate_deliveries(
        self, id: int, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[WebhookDelivery]:
        """Yield the deliveries of all pages, newest first."""
        path = f"/webhooks/{segment(id)}/deliveries"
        return self._session.iterate(
            Listing(path, WebhookDelivery, query=params, items="deliveries", meta="pagination"), timeout
        )

    async def replay(self, id: int, delivery_id: int, *, timeout: float | None = None) -> Success:
        """Send one delivery again."""
        return await self._session.call(
            Request("POST", f"/webhooks/{segment(id)}/deliveries/{segment(delivery_id)}/replay", Success), timeout
        )

    async def batch_replay(
        self, id: int, input: BatchReplay | None = None, *, timeout: float | None = None
    ) -> BatchReplayed:
        """Send failed deliveries again, oldest first. Call again while `remaining` is more than 0."""
        body: BatchReplay = {} if input is None else input
        return await self._session.call(
            Request("POST", f"/webhooks/{segment(id)}/deliveries/batch-replay", BatchReplayed, body=body), timeout
        )

    @staticmethod
    def verify(payload: str | bytes, signature_header: str, secret: str) -> bool:
        """Return whether a received body carries a valid signature. `events.construct_event` also parses it."""
        from poststack import events  # With hashlib and datetime it is a third of the package, and few clients verify.

        return events.verify(payload, signature_header, secret)
