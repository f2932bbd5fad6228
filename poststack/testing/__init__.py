"""Test code that sends e-mail, without a network: the emulator in memory, behind the real client.

    from poststack.testing import emulator

    with emulator() as emu:
        emu.client().emails.send({"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "…"})
        assert emu.sent[0].subject == "Hi"

With pytest the fixtures `poststack_emulator`, `poststack_client` and `async_poststack_client` are there by themselves.
"""

from __future__ import annotations

from poststack.emulator.settings import Settings
from poststack.testing.session import EmulatorSession, RecordedEvent, emulator
from poststack.testing.views import SentAttachment, SentEmail

__all__ = ["EmulatorSession", "RecordedEvent", "SentAttachment", "SentEmail", "Settings", "emulator"]
