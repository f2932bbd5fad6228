"""What was sent, as plain values for assertions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from poststack.emulator.model import Email, EmailStatus
from poststack.emulator.outreach.workflows import Run
from poststack.emulator.store import Store
from poststack.types.workflows import WorkflowRunStatus

__all__ = ["MailboxMessage", "RecordedRun", "SentAttachment", "SentEmail", "moment"]


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


@dataclass(frozen=True)
class RecordedRun:
    """One contact on its way through a workflow, as it was when you looked.

    `path` are the `public_id`s of the steps taken, in order; `email_ids` the e-mails sent on the way; `problem` says
    why a run failed or was stopped. The other ids are those of the API, `None` for what was deleted.
    """

    workflow_id: str | None
    contact_id: str | None
    status: WorkflowRunStatus
    path: list[str]
    email_ids: list[str]
    started_at: datetime
    completed_at: datetime | None
    problem: str | None = None

    @classmethod
    def of(cls, run: Run, store: Store) -> RecordedRun:
        """Return the present state of a run of the emulator."""
        workflow, contact = store.workflows.get(run.workflow), store.contacts.get(run.contact)
        return cls(
            workflow_id=None if workflow is None else workflow.id,
            contact_id=None if contact is None else contact.id,
            status=run.status,
            path=list(run.path),
            email_ids=list(run.email_ids),
            started_at=moment(run.started_at),
            completed_at=None if run.completed_at is None else moment(run.completed_at),
            problem=run.problem,
        )


@dataclass(frozen=True)
class MailboxMessage:
    """A mail in a mailbox; `id` is that for `inbound_emails.get`. What no filter put elsewhere is in `INBOX`."""

    id: int
    subject: str
    folder: str
    flags: tuple[str, ...]
    unread: bool


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)
