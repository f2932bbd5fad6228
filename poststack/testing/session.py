"""One emulator in memory for one test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import TYPE_CHECKING, Any

from poststack.emulator.core import Emulator
from poststack.emulator.faults import Fault
from poststack.emulator.model import EventType
from poststack.emulator.receiving.mail_filters import INBOX
from poststack.emulator.receiving.mailboxes import mailbox_at
from poststack.emulator.receiving.mailroom import contents_of
from poststack.emulator.settings import Settings
from poststack.emulator.transport import InMemoryTransport, MovableClock
from poststack.testing.views import MailboxMessage, RecordedRun, SentEmail, moment

if TYPE_CHECKING:
    from poststack import AsyncPostStack, PostStack
    from poststack.types import Attachment, DnsPurpose

__all__ = ["EmulatorSession", "RecordedEvent", "emulator"]

_KEY = "sk_test_emulator"
_BASE_URL = "https://api.poststack.test"


@dataclass(frozen=True)
class RecordedEvent:
    """Something that happened to an e-mail; `recipient` is empty for events of the whole e-mail."""

    email_id: str
    type: EventType
    at: datetime
    recipient: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


class EmulatorSession:
    """An emulator, a transport for clients of it, and a clock that moves when told.

    Time stands still: an accepted e-mail is `queued` until `clock.advance(1)` lets it be delivered. Waits of the client
    between attempts advance the clock, too, and take no real time. Get one from `emulator()`.
    """

    def __init__(self, settings: Settings | None = None, *, start: datetime | None = None) -> None:
        self.emulator: Emulator = Emulator(settings)
        self.transport: InMemoryTransport = (
            InMemoryTransport(self.emulator)
            if start is None
            else InMemoryTransport(self.emulator, start=start.timestamp())
        )
        self.clock: MovableClock = self.transport.clock
        self._receivers = 0

    @property
    def sent(self) -> list[SentEmail]:
        """All accepted e-mails, oldest first, as they are now."""
        return [SentEmail.of(email) for email in self.emulator.store.accepted()]

    @property
    def events(self) -> list[RecordedEvent]:
        """Everything that happened to the e-mails so far, in order."""
        found = [(event, email) for email in self.emulator.store.accepted() for event in email.events]
        return [
            RecordedEvent(email.id, event.type, moment(event.at), event.recipient, event.metadata)
            for event, email in sorted(found, key=lambda pair: pair[0].id)
        ]

    @property
    def workflow_runs(self) -> list[RecordedRun]:
        """The runs of contacts through workflows, oldest first, as they are now; deleted workflows have none."""
        store = self.emulator.store
        return [RecordedRun.of(run, store) for run in store.workflow_runs.all()]

    @property
    def warnings(self) -> list[str]:
        """What requests had that the API does not know, such as a misspelt field: one text for each, oldest first."""
        return self.emulator.warnings()

    def client(
        self,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        deadline: float | None = None,
    ) -> PostStack:
        """Return a client of this emulator; the environment is not looked at. It need not be closed."""
        from poststack import PostStack

        key = api_key or self._key
        return PostStack(key, _BASE_URL, timeout, max_retries, deadline=deadline, transport=self.transport)

    def async_client(
        self,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        deadline: float | None = None,
    ) -> AsyncPostStack:
        """Return an asynchronous client of this emulator; the environment is not looked at. It need not be closed."""
        from poststack import AsyncPostStack

        key = api_key or self._key
        return AsyncPostStack(key, _BASE_URL, timeout, max_retries, deadline=deadline, transport=self.transport)

    def simulate(
        self,
        email_id: str,
        event: EventType,
        *,
        recipient: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        prefetch: bool = False,
    ) -> None:
        """Let an e-mail be delivered, bounced, opened … now, at one recipient or at all, webhook calls included.

        With `prefetch` a machine opens it ahead of any person, as mail services do. Raises `NotPossibleError` for one
        that is still scheduled, `KeyError` for an unknown id.
        """
        self.emulator.simulate(
            email_id, event, self.clock.time(), recipient=recipient, metadata=metadata, prefetch=prefetch
        )
        self.clock.advance(0)

    def set_dns(self, domain_id: int, *, unpublished: Sequence[DnsPurpose] = (), readable: bool = True) -> None:
        """Change which records the DNS of a domain has: all that it needs, but for the purposes in `unpublished`.

        What is `verified` changes when the client asks for verification and the clock advances. A DNS that is not
        `readable` proves nothing. Raises `KeyError` for an unknown id, `ValueError` for purposes that there are not.
        """
        self.emulator.set_dns(domain_id, unpublished, self.clock.time(), readable=readable)

    def receive(
        self,
        message: bytes | str | Message[Any, Any] | None = None,
        *,
        from_: str | None = None,
        to: str | Sequence[str] = (),
        cc: Sequence[str] = (),
        reply_to: str | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        headers: Mapping[str, str] | None = None,
        attachments: Sequence[Attachment] = (),
        recipients: Sequence[str] = (),
    ) -> int:
        """Let a mail come in, webhook calls included, and return its id for `inbound_emails.get`.

        Give it as a message (bytes, text, or an `email.message.EmailMessage`), or describe it with the other arguments;
        attachments are those of `poststack.attachments`. It becomes one record for each recipient in To and Cc, or in
        `recipients`, whatever the headers say; the id is the first one's. Raises `ValueError` for what is no mail,
        and for a message with a description beside it.
        """
        if message is None:
            described = {
                "from": from_,
                "to": to if isinstance(to, str) else list(to),
                "cc": list(cc),
                "reply_to": reply_to,
                "subject": subject,
                "text": text,
                "html": html,
                "headers": dict(headers or {}),
                "attachments": list(attachments),
            }
            mail: bytes | dict[str, Any] = described
        elif any((from_, to, cc, reply_to, subject, text, html, headers, attachments)):
            raise ValueError(
                "Give receive() a message or describe one, not both; only `recipients` goes with a message."
            )
        elif isinstance(message, Message):
            mail = message.as_bytes()
        else:
            mail = message.encode() if isinstance(message, str) else message
        received = self.emulator.receive(mail, self.clock.time(), recipients=recipients)
        self.clock.advance(0)
        return received[0].number

    def mailbox(self, address: str) -> list[MailboxMessage]:
        """Return the mail in the mailbox that has this address, or this alias, oldest first: what no filter discarded.

        Raises `KeyError` when there is no such mailbox.
        """
        mailbox = mailbox_at(self.emulator.store, address)
        if mailbox is None:
            raise KeyError("No mailbox has this address, nor an alias of one.")
        return [
            MailboxMessage(
                email.number, email.message.subject or "", email.folder or INBOX, tuple(email.flags), email.unread
            )
            for email in contents_of(self.emulator.store, mailbox)
        ]

    def fail(
        self,
        status: int | None = None,
        *,
        times: int | None = None,
        path: str = "/",
        method: str | None = None,
        delay: float = 0.0,
        retry_after: float | None = None,
        code: str | None = None,
        error: str | None = None,
        reset: bool = False,
        lost_answer: bool = False,
        share: float = 1.0,
        seed: int | None = None,
        idempotency_key: str | None = None,
    ) -> Fault:
        """Let the next requests go wrong: with an error `status`, a `reset` connection, a `lost_answer`, or a `delay`.

        After a lost answer the e-mail *is* accepted. Without `times` it goes on until `clear_faults()`. `share=0.2`
        hits a fifth of the requests, always the same ones with a `seed`; `idempotency_key` only those with such a key.
        Raises `ValueError` for a fault that makes no sense, such as a `status` that is no error.
        """
        return self.emulator.fail(
            status,
            times=times,
            path=path,
            method=method,
            delay=delay,
            retry_after=retry_after,
            code=code,
            error=error,
            reset=reset,
            lost_answer=lost_answer,
            share=share,
            seed=seed,
            idempotency_key=idempotency_key,
        )

    def clear_faults(self) -> None:
        """Let everything go right again."""
        self.emulator.clear_faults()

    def on_webhook(
        self,
        receiver: Callable[[bytes, dict[str, str]], int],
        *,
        secret: str = "whsec_test",  # noqa: S107  # a made-up secret for tests
        events: Sequence[str] = ("*",),
        url: str | None = None,
    ) -> str:
        """Call a function with body and headers (lower-case) of every webhook; it returns the status to answer with.

        Calls happen while the clock advances and are signed with `secret`; an answer that is not 2xx is retried later.
        With `url`, also webhooks that were created through the API with that URL go to the function. Returns the URL.
        Raises `ValueError` for an event type that there is not.
        """
        self._receivers += 1
        address = url or f"https://receiver-{self._receivers}.test/webhooks"
        self.emulator.add_webhook(address, list(events), self.clock.time(), secret=secret)
        self.transport.receive(address, receiver)
        return address

    @property
    def _key(self) -> str:
        keys = self.emulator.settings.api_keys
        return keys[0] if keys else _KEY


@contextmanager
def emulator(settings: Settings | None = None, *, start: datetime | None = None) -> Generator[EmulatorSession]:
    """Run an emulator in memory for the length of a block; its clock starts at `start`, or with the year 2026."""
    session = EmulatorSession(settings, start=start)
    try:
        yield session
    finally:
        session.emulator.close()
