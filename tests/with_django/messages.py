"""Messages to send, and what the backend left on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMessage

from poststack_django.result import SendStatus
from poststack_django.result import status_of as possible_status_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def message(number: int | str = 1, **fields: Any) -> EmailMessage:
    return EmailMessage(f"Subject {number}", "Body", "a@example.com", fields.pop("to", ["b@example.com"]), **fields)


def status_of(sent: EmailMessage) -> SendStatus:
    status = possible_status_of(sent)
    assert status is not None
    return status


def messages(count: int) -> list[EmailMessage]:
    return [message(number) for number in range(count)]


def states(of: Iterable[EmailMessage]) -> list[str]:
    return [status_of(one).status for one in of]


def keyed(number: int, key: str) -> EmailMessage:
    one = message(number)
    vars(one)["idempotency_key"] = key
    return one


class TimeLimit(Exception):
    """What task queues raise into a task that takes too long."""
