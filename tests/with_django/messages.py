"""Messages to send, and what the backend left on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMessage

from poststack_django.result import SendStatus
from poststack_django.result import status_of as possible_status_of

if TYPE_CHECKING:
    pass


def message(number: int | str = 1, **fields: Any) -> EmailMessage:
    return EmailMessage(f"Subject {number}", "Body", "a@example.com", fields.pop("to", ["b@example.com"]), **fields)


def status_of(sent: EmailMessage) -> SendStatus:
    status = possible_status_of(sent)
    assert status is not None
    return status
