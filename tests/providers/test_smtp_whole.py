"""Any e-mail either arrives whole over SMTP, or raises and nothing is sent."""

from __future__ import annotations

import base64
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from poststack.mailbridge import EmailMessageDto, InvalidMessageError, MailBridge
from tests.providers.contract import arrived, told
from tests.providers.fakes.smtp import FakeSmtp
from tests.providers.test_whole_or_not_at_all import emails


@pytest.fixture(scope="module")
def served() -> Generator[tuple[MailBridge, FakeSmtp]]:
    with FakeSmtp() as fake, MailBridge("smtp", **fake.settings(), from_email="shop@example.org") as mailer:
        yield mailer, fake


@given(fields=emails())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whole_or_not_at_all(served: tuple[MailBridge, FakeSmtp], fields: dict[str, Any]) -> None:
    mailer, fake = served
    assume("x-tag" not in {name.lower() for name in fields.get("headers", {})})  # It would be a tag.
    before = len(fake.delivered)
    files = fields.pop("files", [])
    fields["attachments"] = [
        {
            "filename": name,
            "content": base64.b64encode(content).decode(),
            "content_type": "text/plain" if name.endswith("txt") else "application/pdf",
            **({"content_id": content_id} if content_id else {}),
        }
        for name, content, content_id in files
    ]
    if "scheduled_at" in fields:
        fields["scheduled_at"] = datetime.now(timezone.utc) + timedelta(seconds=fields["scheduled_at"])
    message = EmailMessageDto(**fields)
    try:
        mailer.send_message(message)
    except InvalidMessageError:
        assert len(fake.delivered) == before
        return
    (one,) = fake.delivered[before:]
    taken = sorted(
        (name, content, "text/plain" if name.endswith("txt") else "application/pdf", content_id)
        for name, content, content_id in files
    )
    expected = arrived(message, taken)
    # The names of hidden recipients are in no envelope. A text ends with its line.
    expected["bcc"] = [("", address) for _, address in expected["bcc"]]
    for part in ("text", "html"):
        expected[part] = expected[part] and expected[part].removesuffix("\n")
    assert told(one, fields.get("headers") or ()) == expected
