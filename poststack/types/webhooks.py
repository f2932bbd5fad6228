"""Webhook endpoints and their deliveries (poststack-api §4.6 and §6)."""

from typing import Any

from poststack.types.common import NotRequired, PageMeta, TypedDict

__all__ = [
    "BatchReplay",
    "BatchReplayed",
    "CreateWebhook",
    "UpdateWebhook",
    "Webhook",
    "WebhookAnswer",
    "WebhookDeliveries",
    "WebhookDelivery",
    "WebhookList",
    "WebhookWithSecret",
]


class Webhook(TypedDict):
    """An endpoint. You write `enabled` and read `active`."""

    id: int
    url: str
    events: list[str]
    active: bool
    createdAt: str
    secretRotatedAt: str | None
    previousSecretExpiresAt: str | None
    consecutiveFailures: int
    disabledAt: str | None
    disabledReason: str | None
    description: NotRequired[str | None]
    """Accepted with `create`; whether the API shows it is not documented."""
    lastDeliveryAt: NotRequired[str | None]
    """In lists only, like the one below."""
    lastDeliveryStatus: NotRequired[int | str | None]


class WebhookAnswer(TypedDict):
    """One endpoint."""

    webhook: Webhook


class WebhookWithSecret(WebhookAnswer):
    """One endpoint and its new secret, which is shown this once."""

    signingSecret: str


class WebhookList(TypedDict):
    """All endpoints."""

    webhooks: list[Webhook]


class CreateWebhook(TypedDict):
    """A new endpoint. `events` are names such as `email.delivered`, or `*` for all."""

    url: str
    events: list[str]
    description: NotRequired[str]


class UpdateWebhook(TypedDict, total=False):
    """What to change; everything else stays."""

    url: str
    events: list[str]
    enabled: bool


class WebhookDelivery(TypedDict):
    """One event on its way to one endpoint.

    Delivered when `deliveredAt` is set, being retried when `nextRetryAt` is set, failed when neither is.
    """

    id: int
    webhookId: int
    eventType: str
    payload: dict[str, Any]
    statusCode: int | None
    responseBody: str | None
    attempts: int
    nextRetryAt: str | None
    deliveredAt: str | None
    createdAt: str


class WebhookDeliveries(TypedDict):
    """One page of deliveries, newest first."""

    deliveries: list[WebhookDelivery]
    pagination: PageMeta


class BatchReplay(TypedDict, total=False):
    """Which failed deliveries to send again: at most 1,000 a call and 43,200 minutes back."""

    withinMinutes: int
    eventType: str
    limit: int


class BatchReplayed(TypedDict):
    """How many were sent again and how many are left; call again while some remain."""

    replayed: int
    remaining: int
