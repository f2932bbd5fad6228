"""Receive webhooks, in any framework: checked, each event once to each handler, and again only to those that failed.

    from poststack.receiving import WebhookReceiver

    receiver = WebhookReceiver(["current secret", "previous secret"])

    @receiver.on("email.bounced")
    def stop_writing_to(event):
        ...

    answer = receiver.receive(body, signature_header)  # answer.status and answer.text for PostStack

`AsyncWebhookReceiver` is the same, awaited, for handlers of both kinds. `poststack_flask` and `poststack_fastapi` put a
route in front; `poststack_django` has a receiver of its own, which stores events in the database.

With `source=` a receiver takes the events of another provider: see `poststack.providers.events`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poststack._async.receiver import AsyncWebhookReceiver
    from poststack._async.turn import AsyncTurn
    from poststack._sync.receiver import WebhookReceiver
    from poststack._sync.turn import Turn
    from poststack.receiving.checking import (
        LARGEST_BODY,
        MAX_AGE,
        BasicChallenge,
        HiddenText,
        Secrets,
        WebhookAnswer,
        check_webhook,
        webhook_secrets,
    )
    from poststack.receiving.handlers import EventHandlers, HandlerSource, NamedHandler
    from poststack.receiving.redis_store import AsyncRedisEventStore, RedisEventStore
    from poststack.receiving.stores import AsyncEventStore, Claim, EventStore, MemoryEventStore, Progress

__all__ = [
    "LARGEST_BODY",
    "MAX_AGE",
    "AsyncEventStore",
    "AsyncRedisEventStore",
    "AsyncTurn",
    "AsyncWebhookReceiver",
    "BasicChallenge",
    "Claim",
    "EventHandlers",
    "EventStore",
    "HandlerSource",
    "HiddenText",
    "MemoryEventStore",
    "NamedHandler",
    "Progress",
    "RedisEventStore",
    "Secrets",
    "Turn",
    "WebhookAnswer",
    "WebhookReceiver",
    "check_webhook",
    "webhook_secrets",
]

_HOMES = {
    "AsyncEventStore": "poststack.receiving.stores",
    "AsyncRedisEventStore": "poststack.receiving.redis_store",
    "AsyncTurn": "poststack._async.turn",
    "AsyncWebhookReceiver": "poststack._async.receiver",
    "BasicChallenge": "poststack.receiving.checking",
    "Claim": "poststack.receiving.stores",
    "EventHandlers": "poststack.receiving.handlers",
    "EventStore": "poststack.receiving.stores",
    "HandlerSource": "poststack.receiving.handlers",
    "HiddenText": "poststack.receiving.checking",
    "LARGEST_BODY": "poststack.receiving.checking",
    "MAX_AGE": "poststack.receiving.checking",
    "MemoryEventStore": "poststack.receiving.stores",
    "NamedHandler": "poststack.receiving.handlers",
    "Progress": "poststack.receiving.stores",
    "RedisEventStore": "poststack.receiving.redis_store",
    "Secrets": "poststack.receiving.checking",
    "Turn": "poststack._sync.turn",
    "WebhookAnswer": "poststack.receiving.checking",
    "WebhookReceiver": "poststack._sync.receiver",
    "check_webhook": "poststack.receiving.checking",
    "webhook_secrets": "poststack.receiving.checking",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name at its first use."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
