"""Test code that sends e-mail, without a network: the emulator in memory, behind the real client.

    from poststack.testing import emulator

    with emulator() as emu:
        emu.client().emails.send({"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "…"})
        assert emu.sent[0].subject == "Hi"

With pytest the fixtures `poststack_emulator`, `poststack_client` and `async_poststack_client` are there by themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poststack.emulator.settings import Settings
    from poststack.testing.session import EmulatorSession, RecordedEvent, emulator
    from poststack.testing.views import MailboxMessage, RecordedRun, SentAttachment, SentEmail
    from poststack.testing.webhooks import WebhookCall, webhook_call

__all__ = [
    "EmulatorSession",
    "MailboxMessage",
    "RecordedEvent",
    "RecordedRun",
    "SentAttachment",
    "SentEmail",
    "Settings",
    "WebhookCall",
    "emulator",
    "webhook_call",
]

_HOMES = {
    "EmulatorSession": "poststack.testing.session",
    "MailboxMessage": "poststack.testing.views",
    "RecordedEvent": "poststack.testing.session",
    "RecordedRun": "poststack.testing.views",
    "SentAttachment": "poststack.testing.views",
    "SentEmail": "poststack.testing.views",
    "Settings": "poststack.emulator.settings",
    "WebhookCall": "poststack.testing.webhooks",
    "emulator": "poststack.testing.session",
    "webhook_call": "poststack.testing.webhooks",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:
    # pytest loads the plugin in this package in every test run, so the emulator is imported when it is first used.
    def __getattr__(name: str) -> Any:
        """Import a public name at its first use."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
