"""Alerts in Slack, Discord and Telegram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Success
from poststack.types.notification_channels import (
    NotificationChannelAnswer,
    NotificationChannelList,
    NotificationDeliveries,
    NotificationDelivery,
    NotificationTest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.common import PageQuery
    from poststack.types.notification_channels import CreateNotificationChannel, UpdateNotificationChannel

__all__ = ["AsyncNotificationChannels"]


class AsyncNotificationChannels:
    """Have events told in a chat. Every `id` is an `nc_…` id; deliveries have integers.

    Only sends honour idempotency keys: a `create` that failed without an answer may have taken effect, and its retries
    can make a second channel, which tells everything twice. A `test` or `replay_delivery` can be told twice as well.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def list(self, *, timeout: float | None = None) -> NotificationChannelList:
        """Return all channels."""
        return await self._session.call(Request("GET", "/notification-channels", NotificationChannelList), timeout)

    async def create(
        self, input: CreateNotificationChannel, *, timeout: float | None = None
    ) -> NotificationChannelAnswer:
        """Add a channel. Its webhook address or bot token is not shown again."""
        return await self._session.call(
            Request("POST", "/notification-channels", NotificationChannelAnswer, body=input), timeout
        )

    async def get(self, id: str, *, timeout: float | None = None) -> NotificationChannelAnswer:
        """Return one channel."""
        return await self._session.call(
            Request("GET", f"/notification-channels/{segment(id)}", NotificationChannelAnswer), timeout
        )

    async def update(
        self, id: str, input: UpdateNotificationChannel, *, timeout: float | None = None
    ) -> NotificationChannelAnswer:
        """Change the given fields, and in `config` the given keys; everything else stays."""
        return await self._session.call(
            Request("PUT", f"/notification-channels/{segment(id)}", NotificationChannelAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a channel."""
        return await self._session.call(Request("DELETE", f"/notification-channels/{segment(id)}", Success), timeout)

    async def list_deliveries(
        self, id: str, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> NotificationDeliveries:
        """Return one page of what was told, or is still to be."""
        return await self._session.call(
            Request("GET", f"/notification-channels/{segment(id)}/deliveries", NotificationDeliveries, query=params),
            timeout,
        )

    def iterate_deliveries(
        self, id: str, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[NotificationDelivery]:
        """Yield the deliveries of all pages."""
        path = f"/notification-channels/{segment(id)}/deliveries"
        return self._session.iterate(Listing(path, NotificationDelivery, query=params, items="deliveries"), timeout)

    async def test(self, id: str, *, timeout: float | None = None) -> NotificationTest:
        """Tell a sample event, and return what the chat answered."""
        return await self._session.call(
            Request("POST", f"/notification-channels/{segment(id)}/test", NotificationTest), timeout
        )

    async def replay_delivery(self, id: str, delivery_id: int, *, timeout: float | None = None) -> Success:
        """Tell one event again."""
        return await self._session.call(
            Request("POST", f"/notification-channels/{segment(id)}/deliveries/{segment(delivery_id)}/replay", Success),
            timeout,
        )
