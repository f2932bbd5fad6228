"""Notification channels and what they are told, as records that outlive a restart."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from poststack.emulator.model import Attempt
from poststack.emulator.tables import Kind
from poststack.types.notification_channels import NotificationChannelType

__all__ = ["CHANNELS", "CHANNEL_DELIVERIES", "Channel", "ChannelDelivery", "is_this_machine"]


@dataclass
class Channel:
    """A chat that is told of events. `id` is the public `nc_…` id; `domain` and `mailbox` are numbers.

    `config` is what the chat's service asks for: `webhookUrl`, or `botToken` and `chatId`.
    """

    number: int
    id: str
    type: NotificationChannelType
    name: str
    events: list[str]
    config: Mapping[str, str] = field(repr=False)
    created_at: float
    updated_at: float
    domain: int | None = None
    mailbox: int | None = None
    active: bool = True
    consecutive_failures: int = 0
    disabled_at: float | None = None
    disabled_reason: str | None = None
    last_used_at: float | None = None

    @property
    def url(self) -> str | None:
        """Where to post to; `None` when that is not on this machine, which the emulator never leaves."""
        url = self.config.get("webhookUrl")
        return url if url is not None and is_this_machine(url) else None

    def wants(self, event_type: str) -> bool:
        """Return whether it is told of events of this type."""
        return self.active and ("*" in self.events or event_type in self.events)


@dataclass
class ChannelDelivery:
    """One event on its way to one channel. `body` is what is posted; `not_made` says why nothing ever is."""

    number: int
    channel: int
    event_type: str
    body: str = field(repr=False)
    created_at: float
    is_test: bool = False
    not_made: str | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    failures: int = 0
    next_attempt_at: float | None = None
    delivered_at: float | None = None

    @property
    def answer(self) -> str | None:
        """What the chat answered last, or why it did not."""
        if not self.attempts:
            return self.not_made
        last = self.attempts[-1]
        return last.error if last.response_body is None else last.response_body


def is_this_machine(url: str) -> bool:
    """Return whether a URL names `localhost` or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _delivery_from(*, attempts: Sequence[Mapping[str, Any]], **content: Any) -> ChannelDelivery:
    return ChannelDelivery(attempts=[Attempt(**attempt) for attempt in attempts], **content)


CHANNELS = Kind("notification_channel", Channel, keys={"id": lambda channel: channel.id})
CHANNEL_DELIVERIES = Kind("notification_delivery", _delivery_from, due=lambda delivery: delivery.next_attempt_at)
