"""The mailboxes of one emulator: what mail they have, and what they make of mail that comes in."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from poststack.emulator.api.answers import RefusalError
from poststack.emulator.api.call import Caller
from poststack.emulator.api.compose import compose, without_suppressed
from poststack.emulator.model import Address, Message
from poststack.emulator.receiving.mail_filters import INBOX, filed
from poststack.emulator.receiving.replies import forwarded_html, forwarded_text, prefixed

if TYPE_CHECKING:
    from poststack.emulator.backend import Backend
    from poststack.emulator.receiving.inbound import InboundEmail, InboundFile
    from poststack.emulator.receiving.mailboxes import Mailbox
    from poststack.emulator.store import Store

__all__ = ["contents_of", "take_in", "unread_counts"]

_logger = logging.getLogger("poststack.emulator")

_SEEN = "\\seen"
_MAX_SUBJECT = 998
# Names the mailboxes that forwarded a mail already, so that none does it twice.
_LOOP_HEADER = "X-Loop"
_MAX_HOPS = 20


def take_in(backend: Backend, mailbox: Mailbox, email: InboundEmail, files: Sequence[InboundFile], now: float) -> None:
    """Put a mail where the filters of the mailbox say, and forward it. A suspended or full mailbox takes none."""
    if mailbox.status != "active":
        return
    place = filed(mailbox.filters, email.message, email.to_address)
    if place.discarded:
        return
    forwarded = _forward(backend, mailbox, email, files, now)
    used = sum(kept.size for kept in contents_of(backend.store, mailbox))
    if used + email.size > mailbox.quota_bytes or (forwarded and not mailbox.forward_keep_copy):
        return
    email.mailbox, email.folder, email.flags = mailbox.number, place.folder, place.flags
    if any(flag.lower() == _SEEN for flag in place.flags):
        email.unread = False
    backend.store.inbound_emails.save(email)


def contents_of(store: Store, mailbox: Mailbox) -> list[InboundEmail]:
    """Return the mail in all folders of a mailbox, oldest first."""
    return [email for email in store.inbound_emails.all() if email.mailbox == mailbox.number]


def unread_counts(store: Store) -> Counter[int | None]:
    """Return how much unread mail is in the inboxes, by the numbers of mailboxes."""
    return Counter(email.mailbox for email in store.inbound_emails.all() if email.unread and email.folder == INBOX)


def _forward(backend: Backend, mailbox: Mailbox, email: InboundEmail, files: Sequence[InboundFile], now: float) -> bool:
    """Send the mail on, one e-mail for each address; return whether any left."""
    passed = email.message.headers.get(_LOOP_HEADER.lower(), "").replace(",", " ").lower().split()
    if mailbox.address in passed or len(passed) >= _MAX_HOPS:
        return False
    headers = {_LOOP_HEADER: " ".join([*passed, mailbox.address])}
    sent = False
    for address in mailbox.forward_to:
        try:
            message = without_suppressed(backend, _forwarded(backend, mailbox, email, files, address, headers))
        except RefusalError as refusal:
            _logger.warning("A mailbox did not forward a mail: %s", refusal.error)
            continue
        sent = True
        backend.lifecycle.accept(
            message,
            "em_" + backend.ids(18),
            now,
            test_mode=mailbox.test_mode,
            scheduled_at=None,
            idempotency_key=None,
            fingerprint="",
        )
    return sent


def _forwarded(
    backend: Backend,
    mailbox: Mailbox,
    email: InboundEmail,
    files: Sequence[InboundFile],
    address: str,
    headers: dict[str, str],
) -> Message:
    original = email.message
    if mailbox.forward_mode == "wrapped":
        subject, html, text = prefixed("Fwd", original.subject), forwarded_html(email, ""), forwarded_text(email, "")
    else:
        subject, html, text = (original.subject or "")[:_MAX_SUBJECT], original.html, original.text or ""
    content = {"subject": subject, "html": html, "text": text, "headers": headers, "signature": "none"}
    message = compose(backend, {"from": mailbox.address, "to": [address], **content}, Caller())
    attachments = tuple(file.attachment for file in files)
    return replace(
        message,
        from_=Address(mailbox.address, mailbox.display_name),
        reply_to=original.reply_to or ((original.from_,) if original.from_.address else ()),
        # As they came, though they hold what would be a placeholder in an e-mail of one's own.
        html=html,
        text=text,
        attachments=attachments,
        size=message.size + sum(attachment.size for attachment in attachments),
    )
