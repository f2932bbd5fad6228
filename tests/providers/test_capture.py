"""The provider for tests: it sends nothing, and knows the limits of another."""

from __future__ import annotations

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, MailBridge, UnsupportedFieldError
from poststack.providers.capture import Capture
from poststack.providers.sendgrid import SendGrid


def captured(mailer: MailBridge | AsyncMailBridge) -> Capture:
    assert isinstance(mailer.provider, Capture)
    return mailer.provider


def test_what_would_have_been_sent_is_there_to_be_looked_at() -> None:
    mailer = MailBridge("capture", from_email="shop@example.org")
    response = mailer.send("Ada <ada@example.net>", "Thank you", "<p>Hi</p>", tags=["receipt"])
    (message,) = captured(mailer).sent
    assert response.success
    assert (message.subject, message.html, message.tags) == ("Thank you", "<p>Hi</p>", ("receipt",))
    assert message.to[0].email == "ada@example.net"


def test_the_limits_of_a_provider_can_apply() -> None:
    mailer = MailBridge("capture", rules_of=SendGrid(api_key="SG.x"), from_email="shop@example.org")
    with pytest.raises(UnsupportedFieldError, match="SendGrid takes at most 10 tags"):
        mailer.send("ada@example.net", "Hi", "x", tags=[str(n) for n in range(11)])
    assert captured(mailer).sent == []


def test_a_bulk_keeps_its_order() -> None:
    async def main() -> list[str]:
        async with AsyncMailBridge("capture", from_email="shop@example.org") as mailer:
            await mailer.send_bulk(EmailMessageDto(f"u{n}@example.net", "Hi", "x") for n in range(50))
            return [message.to[0].email for message in captured(mailer).sent]

    assert anyio.run(main) == [f"u{n}@example.net" for n in range(50)]
