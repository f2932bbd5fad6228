"""Alerts in Slack, Discord and Telegram (poststack-api §4.16). What goes in is camelCase here."""

from typing import Any, Literal

from poststack.types.common import NotRequired, PageMeta, TypedDict

__all__ = [
    "ChannelWebhook",
    "CreateNotificationChannel",
    "CreateTelegramChannel",
    "CreateWebhookChannel",
    "NotificationChannel",
    "NotificationChannelAnswer",
    "NotificationChannelList",
    "NotificationChannelType",
    "NotificationDeliveries",
    "NotificationDelivery",
    "NotificationTest",
    "TelegramBot",
    "UpdateNotificationChannel",
]

NotificationChannelType = Literal["slack", "discord", "telegram", "web_push"]


class ChannelWebhook(TypedDict):
    """The address that Slack or Discord gave you."""

    webhookUrl: str


class TelegramBot(TypedDict):
    """A bot and the chat it writes to."""

    botToken: str
    chatId: str


class _NewChannel(TypedDict):
    name: str
    events: list[str]
    """At least one, such as `email.bounced`."""
    domainId: NotRequired[int]
    """Events of this domain only, by its integer id."""
    mailboxId: NotRequired[int]
    """Events of this mailbox only, by its integer id."""


class CreateWebhookChannel(_NewChannel):
    """A new channel in Slack or Discord."""

    type: Literal["slack", "discord"]
    config: ChannelWebhook


class CreateTelegramChannel(_NewChannel):
    """A new channel in Telegram."""

    type: Literal["telegram"]
    config: TelegramBot


CreateNotificationChannel = CreateWebhookChannel | CreateTelegramChannel


class UpdateNotificationChannel(TypedDict, total=False):
    """What to change; everything else stays, keys of `config` too. The type cannot change."""

    name: str
    events: list[str]
    domainId: int | None
    mailboxId: int | None
    enabled: bool
    config: dict[str, str]


class NotificationChannel(TypedDict):
    """A channel. Methods take the `nc_…` id; you write `enabled` and read `active`."""

    publicId: str
    type: NotificationChannelType
    name: str
    domainId: int | None
    mailboxId: int | None
    events: list[str]
    active: bool
    configSummary: dict[str, str]
    """What can be shown of `config`: addresses and tokens are masked."""
    consecutiveFailures: int
    disabledAt: str | None
    disabledReason: str | None
    lastUsedAt: str | None
    createdAt: str
    updatedAt: str


class NotificationChannelAnswer(TypedDict):
    """One channel."""

    channel: NotificationChannel


class NotificationChannelList(TypedDict):
    """All channels."""

    channels: list[NotificationChannel]


class NotificationDelivery(TypedDict):
    """One event on its way to one channel.

    Delivered when `deliveredAt` is set, being retried when `nextRetryAt` is set, failed when neither is.
    """

    id: int
    channelId: int
    eventType: str
    payload: dict[str, Any]
    statusCode: int | None
    responseBody: str | None
    attempts: int
    nextRetryAt: str | None
    deliveredAt: str | None
    createdAt: str


class NotificationDeliveries(TypedDict):
    """One page of deliveries."""

    deliveries: list[NotificationDelivery]
    meta: PageMeta


class NotificationTest(TypedDict):
    """What Slack, Discord or Telegram answered."""

    success: bool
    statusCode: NotRequired[int | None]
    responseBody: NotRequired[str | None]
