"""PostStack: the emulator, behind the same sockets as the other fakes."""

from __future__ import annotations

import time
from typing import Any, Final

from poststack.emulator.core import Emulator
from poststack.emulator.model import Address, Email
from poststack.transports.base import HttpRequest
from tests.providers.fakes.base import Delivered, FakeProvider, HttpAnswer, HttpRequestSeen

API_KEY: Final = "sk_test_fake"


class FakePostStack(FakeProvider):
    """Takes what the emulator takes."""

    knows_templates = False

    def __init__(self) -> None:
        super().__init__()
        self.emulator = Emulator()

    def settings(self) -> dict[str, Any]:
        return {"api_key": API_KEY, "base_url": self.url}

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        body = request.body or None
        asked = HttpRequest(request.method, self.url + request.path, request.headers, body)
        answered = self.emulator.handle(asked, time.time())
        accepted = self.emulator.store.accepted()
        self.delivered += [_delivered(email) for email in list(accepted)[len(self.delivered) :]]
        return HttpAnswer(answered.status, answered.body, dict(answered.headers))


def _delivered(email: Email) -> Delivered:
    message = email.message
    tracking: Any = message.payload.get("tracking") or {}
    return Delivered(
        email.id,
        _pair(message.from_),
        [_pair(address) for address in message.to],
        [_pair(address) for address in message.cc],
        [_pair(address) for address in message.bcc],
        [_pair(address) for address in message.reply_to],
        message.subject,
        message.text,
        message.html,
        dict(message.headers),
        list(message.tags),
        {},
        [(file.filename, file.content, file.content_type.lower(), file.content_id) for file in message.attachments],
        message.template_id,
        {},
        None if email.scheduled_at is None else int(email.scheduled_at),
        tracking.get("opens"),
        tracking.get("clicks"),
        {name: message.payload[name] for name in ("unsubscribe", "signature") if name in message.payload},
    )


def _pair(address: Address) -> tuple[str, str]:
    return address.name or "", address.address
