# Written by tools/unasync.py from poststack/_async/notification_channels.py. Do not edit.
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
    from collections.abc import Iterator

    from poststack._sync.session import Session
    from poststack.types.common import PageQuery
    from poststack.types.notification_channels import CreateNotificationChannel, UpdateNotificationChannel

__all__ = ["NotificationChannels"]


class NotificationChannels:
    """Have events told in a chat. Every `id` is an `nc_…` id; deliveries have integers.

    Only sends honour idempotency keys: a `create` that failed without an answer may have taken effect, and its retries
    can make a second channel, which tells everything twice. A `test` or `replay_delivery` can be told twice as well.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def list(self, *, timeout: float | None = None) -> NotificationChannelList:
        """Return all channels."""
        return self._session.call(Request("GET", "/notification-channels", NotificationChannelList), timeout)

    def create(self, input: CreateNotificationChannel, *, timeout: float | None = None) -> NotificationChannelAnswer:
        """Add a channel. Its webhook address or bot token is not shown again."""
        return self._session.call(
            Request("POST", "/notification-channels", NotificationChannelAnswer, body=input), timeout
        )

    def get(self, id: str, *, timeout: float | None = None) -> NotificationChannelAnswer:
        """Return one channel."""
        return self._session.call(
            Request("GET", f"/notification-channels/{segment(id)}", NotificationChannelAnswer), timeout
        )

    def update(
        self, id: str, input: UpdateNotificationChannel, *, timeout: float | None = None
    ) -> NotificationChannelAnswer:
        """Change the given fields, and in `config` the given keys; everything else stays."""
        return self._session.call(
            Request("PUT", f"/notification-channels/{segment(id)}", NotificationChannelAnswer, body=input), timeout
        )

    def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a channel."""
        return self._session.call(Request("DELETE", f"/notification-channels/{segment(id)}", Success), timeout)

    def list_deliveries(
        self, id: str, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> NotificationDeliveries:
        """Return one page of what was told, or is still to be."""
        return self._session.call(
            Request("GET", f"/notification-channels/{segment(id)}/deliveries", NotificationDeliveries, query=params),
            timeout,
        )

    def iterate_deliveries(
        self, id: str, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> Iterator[NotificationDelivery]:
        """Yield the deliveries of all pages."""
        path = f"/notification-channels/{segment(id)}/deliveries"
        return self._session.iterate(Listing(path, NotificationDelivery, query=params, items="deliveries"), timeout)

    def test(self, id: str, *, timeout: float | None = None) -> NotificationTest:
        """Tell a sample event, and return what the chat answered."""
        return self._session.call(
            Request("POST", f"/notification-channels/{segment(id)}/test", NotificationTest), timeout
        )

    def replay_delivery(self, id: str, delivery_id: int, *, timeout: float | None = None) -> Success:
        """Tell one event again."""
        return self._session.call(
            Request("POST", f"/notification-channels/{segment(id)}/deliveries/{segment(delivery_id)}/replay", Success),
            timeout,
        )
