"""Mail that was received on your domains (poststack-api §4.11)."""

from typing import Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "DraftReply",
    "DraftedFrom",
    "DraftedReply",
    "ForwardInbound",
    "InboundAddress",
    "InboundAttachment",
    "InboundAttachments",
    "InboundEmail",
    "InboundEmailAnswer",
    "InboundQuery",
    "InboundThreading",
    "ReplyInbound",
    "ReplyTone",
    "SpamVerdict",
]

SpamVerdict = Literal["spam", "clean"]
ReplyTone = Literal["formal", "friendly", "casual"]


class InboundAddress(TypedDict):
    """Somebody in a `To` or `Cc` header."""

    address: str
    name: str | None


class InboundEmail(TypedDict):
    """A received e-mail, one for each recipient on your domains. Methods take the integer `id`."""

    id: int
    domainId: int | None
    fromAddress: str
    fromName: str | None
    toAddress: str
    """Whom this one was delivered to; the header's addresses are in `toAddresses`."""
    toAddresses: list[InboundAddress] | None
    ccAddresses: list[InboundAddress] | None
    messageId: str | None
    subject: str | None
    htmlBody: str | None
    textBody: str | None
    headers: dict[str, str] | None
    createdAt: str
    mailboxHash: str | None
    """What stands behind the plus: `invoice-42` of `support+invoice-42@example.com`."""
    spamScore: float | None
    spamVerdict: SpamVerdict | None
    strippedReply: str | None
    """The text without what it quotes."""


class InboundEmailAnswer(TypedDict):
    """One received e-mail."""

    inboundEmail: InboundEmail


class InboundQuery(PageQuery, total=False):
    """Filters of a list. `domain` is a name, such as `example.com`."""

    domain: str


class InboundAttachment(TypedDict):
    """A file of a received e-mail. `size` is in bytes."""

    id: int
    filename: str
    contentType: str
    size: int
    createdAt: str


class InboundAttachments(TypedDict):
    """All files of a received e-mail."""

    attachments: list[InboundAttachment]


class DraftReply(TypedDict, total=False):
    """How the reply should sound."""

    tone: ReplyTone


_DraftedFrom = TypedDict("_DraftedFrom", {"from": str})


class DraftedFrom(_DraftedFrom):
    """What is replied to."""

    id: int
    to: str
    subject: str | None
    received_at: str


class InboundThreading(TypedDict):
    """Headers that put the reply into its thread."""

    in_reply_to: str | None
    references: str


class DraftedReply(TypedDict):
    """Parts to make a reply of. `reply` sends it; nothing is sent yet."""

    inbound: NotRequired[DraftedFrom]
    suggested_from: str
    suggested_subject: NotRequired[str]
    salutation: NotRequired[str]
    body_placeholder: NotRequired[str]
    quoted_html: NotRequired[str]
    quoted_text: NotRequired[str]
    threading: NotRequired[InboundThreading]
    suggested_html: str
    suggested_text: str
    signs_automatically: NotRequired[bool]
    """True when `{{signature}}` in the suggestions becomes the mailbox's own signature: write none yourself."""


_Sender = TypedDict("_Sender", {"from": str})


class ReplyInbound(_Sender):
    """A reply. `from` must be on a verified domain."""

    html: NotRequired[str]
    text: NotRequired[str]
    cc: NotRequired[list[str]]
    bcc: NotRequired[list[str]]


class ForwardInbound(_Sender):
    """Whom to forward to: 1 to 50 addresses in `to`, up to 50 in `cc` and in `bcc`. Suppressed ones are left out."""

    to: list[str]
    cc: NotRequired[list[str]]
    bcc: NotRequired[list[str]]
    message: NotRequired[str]
    """A note above the forwarded text."""
