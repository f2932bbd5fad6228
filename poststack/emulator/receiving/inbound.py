"""Mail that came in: one record for each recipient, its files apart from it, as records that outlive a restart."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from poststack.emulator.model import Address, Attachment, SpamFinding
from poststack.emulator.tables import Kind

__all__ = ["INBOUND_EMAILS", "INBOUND_FILES", "InboundEmail", "InboundFile", "InboundMessage"]

_SPAM_FROM = 6.0


@dataclass(frozen=True)
class InboundMessage:
    """What a mail says, whoever it was delivered to.

    Names of headers are in lower case; several of one name are joined with a comma. No field but the bodies contains
    line breaks. `from_` has an empty address when the mail names no sender.
    """

    from_: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str | None = None
    message_id: str | None = None
    html: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    spam: tuple[SpamFinding, ...] = field(default=(), repr=False)

    @property
    def spam_score(self) -> float:
        """The sum of what the spam rules found."""
        return round(sum((finding.score for finding in self.spam), 0.0), 2)

    @property
    def is_spam(self) -> bool:
        """Whether the score is so high that a filter would mark the mail."""
        return self.spam_score >= _SPAM_FROM


@dataclass
class InboundEmail:
    """A mail as it was delivered to one recipient. `files` are the numbers of its files; `size` counts them, too.

    With the number of a `mailbox` it is in that one, in the `folder`, with IMAP `flags`.
    """

    number: int
    to_address: str
    message: InboundMessage
    created_at: float
    files: list[int] = field(default_factory=list[int])
    size: int = 0
    unread: bool = True
    mailbox: int | None = None
    folder: str | None = None
    flags: list[str] = field(default_factory=list[str])
    domain_id: int | None = None

    @property
    def domain(self) -> str:
        """The domain it was delivered to, in lower case."""
        return self.to_address.rpartition("@")[2].lower()

    @property
    def mailbox_hash(self) -> str | None:
        """What stands behind the plus in the recipient's address (RFC 5233)."""
        return self.to_address.rpartition("@")[0].partition("+")[2] or None


@dataclass(frozen=True)
class InboundFile:
    """A file of the mail with the number `email`."""

    number: int
    email: int
    created_at: float
    attachment: Attachment


def _email_to_json(email: InboundEmail) -> dict[str, Any]:
    return asdict(email)


def _email_from(message: Mapping[str, Any], **rest: Any) -> InboundEmail:
    content = {known.name: message[known.name] for known in fields(InboundMessage)}
    for name in ("to", "cc", "reply_to"):
        content[name] = tuple(Address(**address) for address in content[name])
    content["from_"] = Address(**content["from_"])
    content["spam"] = tuple(SpamFinding(**finding) for finding in content["spam"])
    return InboundEmail(message=InboundMessage(**content), **rest)


def _file_to_json(file: InboundFile) -> dict[str, Any]:
    attachment = file.attachment
    return {
        "number": file.number,
        "email": file.email,
        "created_at": file.created_at,
        "filename": attachment.filename,
        "content": base64.b64encode(attachment.content).decode("ascii"),
        "content_type": attachment.content_type,
        "content_id": attachment.content_id,
    }


def _file_from(
    number: int, email: int, created_at: float, filename: str, content: str, content_type: str, content_id: str | None
) -> InboundFile:
    attachment = Attachment(filename, base64.b64decode(content), content_type, content_id)
    return InboundFile(number, email, created_at, attachment)


INBOUND_EMAILS = Kind("inbound_email", _email_from, _email_to_json)
INBOUND_FILES = Kind("inbound_file", _file_from, _file_to_json)
