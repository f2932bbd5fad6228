"""What was sent, as plain values for assertions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from poststack.emulator.model import Email, EmailStatus

__all__ = ["SentAttachment", "SentEmail", "moment"]


@dataclass(frozen=True)
class SentAttachment:
    """One attachment, decoded."""

    filename: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    content_id: str | None = None


@dataclass(frozen=True)
class SentEmail:
    """One accepted e-mail as it was when you looked: templates filled in, suppressed recipients gone.

    Addresses are text as in a header, `Ada <ada@example.com>`. Times are in UTC. `payload` is the JSON as it was sent,
    with the content of attachments left out. `idempotency_key` is the one of the body or the header. `broadcast_id` is
    the `br_…` id of the broadcast, or the test of one, that it belongs to.
    """

    id: str
    from_: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reply_to: list[str]
    subject: str
    html: str | None = field(repr=False)
    text: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    tags: list[str]
    attachments: list[SentAttachment]
    status: EmailStatus
    test_mode: bool
    template_id: str | None
    created_at: datetime
    scheduled_at: datetime | None
    sent_at: datetime | None
    payload: Mapping[str, Any] = field(repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    broadcast_id: str | None = None

    @classmethod
    def of(cls, email: Email) -> SentEmail:
        """Return the present state of an e-mail of the emulator."""
        message = email.message
        return cls(
            id=email.id,
            from_=str(message.from_),
            to=[str(address) for address in message.to],
            cc=[str(address) for address in message.cc],
            bcc=[str(address) for address in message.bcc],
            reply_to=[str(address) for address in message.reply_to],
            subject=message.subject,
            html=message.html,
            text=message.text,
            headers=dict(message.headers),
            tags=list(message.tags),
            attachments=[
                SentAttachment(file.filename, file.content, file.content_type, file.content_id)
                for file in message.attachments
            ],
            status=email.status,
            test_mode=email.test_mode,
            template_id=message.template_id,
            created_at=moment(email.created_at),
            scheduled_at=None if email.scheduled_at is None else moment(email.scheduled_at),
            sent_at=None if email.sent_at is None else moment(email.sent_at),
            payload=message.payload,
            idempotency_key=email.given_key,
            broadcast_id=email.broadcast_id,
        )


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)
