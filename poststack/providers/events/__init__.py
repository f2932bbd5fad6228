"""Delivery events of other providers, read into the same `WebhookEvent` as PostStack's own.

    from poststack.providers.events import PostmarkEvents
    from poststack.receiving import WebhookReceiver

    receiver = WebhookReceiver(source=PostmarkEvents(username="postmark", password="…"))

A source checks who has called, then reads what the call says; docs/webhooks.md shows each of them. All three framework
packages take one where they take signing secrets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poststack.providers.events.base import AsyncEventSource, EventSource, ProviderEvents, UnauthenticatedError
    from poststack.providers.events.brevo import BrevoEvents
    from poststack.providers.events.mailgun import MailgunEvents
    from poststack.providers.events.postmark import PostmarkEvents
    from poststack.providers.events.sendgrid import SendGridEvents
    from poststack.providers.events.ses import SesEvents

__all__ = [
    "AsyncEventSource",
    "BrevoEvents",
    "EventSource",
    "MailgunEvents",
    "PostmarkEvents",
    "ProviderEvents",
    "SendGridEvents",
    "SesEvents",
    "UnauthenticatedError",
]

_HOMES = {
    "AsyncEventSource": "base",
    "BrevoEvents": "brevo",
    "EventSource": "base",
    "MailgunEvents": "mailgun",
    "PostmarkEvents": "postmark",
    "ProviderEvents": "base",
    "SendGridEvents": "sendgrid",
    "SesEvents": "ses",
    "UnauthenticatedError": "base",
}

# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
