"""A project whose mail goes to the emulator in memory, and the little that tests of stored e-mails do with it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from poststack.testing import EmulatorSession, emulator
from poststack_django.backends import EmailBackend
from poststack_django.models import SentEmail
from poststack_django.signals import tracking
from tests.with_django.api import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["emu", "heard", "made_earlier", "send", "with_webhooks"]


@pytest.fixture
def emu(settings: Any) -> Iterator[EmulatorSession]:
    """The emulator as the project's API; contents are stored."""
    with emulator(start=timezone.now()) as session:
        settings.POSTSTACK = {
            "CLIENT": lambda: session.client(max_retries=0),
            "WEBHOOK_SECRETS": [SECRET],
            "STORE_BODIES": True,
        }
        yield session


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The types of the events that receivers were told of."""
    types: list[str] = []

    def hear(event: Any, **_: Any) -> None:
        types.append(event.type)

    tracking.connect(hear)
    yield types
    tracking.disconnect(hear)


def send(**fields: Any) -> SentEmail:
    """Send one message through the backend and return its row."""
    extras: dict[str, Any] = {
        name: fields.pop(name) for name in ("scheduled_at", "related_to", "tags", "metadata") if name in fields
    }
    html = fields.pop("html", None)
    message = EmailMessage(
        fields.pop("subject", "Hello"),
        html or "Body",
        "Shop <shop@example.com>",
        fields.pop("to", ["Ada <ada@example.com>"]),
        **fields,
    )
    if html:
        message.content_subtype = "html"
    vars(message).update(extras)
    EmailBackend().send_messages([message])
    return SentEmail.objects.order_by("-id")[0]


def made_earlier(email: SentEmail, **ago: float) -> SentEmail:
    """Let a row look as if it had been made some time ago."""
    SentEmail.objects.filter(pk=email.pk).update(created_at=timezone.now() - timedelta(**ago))
    email.refresh_from_db()
    return email


def with_webhooks(emu: EmulatorSession) -> None:
    """Let the emulator call the project's webhook view from now on."""
    from django.test import Client

    def receive(body: bytes, headers: dict[str, str]) -> int:
        answer = Client().post(
            "/webhooks/poststack/",
            body,
            content_type="application/json",
            headers={"X-PostStack-Signature": headers["x-poststack-signature"]},
        )
        return answer.status_code

    emu.on_webhook(receive, secret=SECRET)
