"""Mailboxes with aliases, filters, signatures and shares (poststack-api §4.10). What goes in is camelCase here."""

from typing import Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "CreateMailbox",
    "CreateMailboxAlias",
    "FilterAction",
    "FilterField",
    "FilterOperator",
    "ForwardMode",
    "Mailbox",
    "MailboxAlias",
    "MailboxAliasAnswer",
    "MailboxAnswer",
    "MailboxFilter",
    "MailboxFilters",
    "MailboxQuery",
    "MailboxShare",
    "MailboxShareAnswer",
    "MailboxShareGrant",
    "MailboxShares",
    "MailboxSignature",
    "MailboxStatus",
    "MailboxUnread",
    "SetMailboxFilter",
    "SetMailboxSignature",
    "ShareAccess",
    "UnreadSummary",
    "UpdateMailbox",
]

MailboxStatus = Literal["active", "suspended", "deleted"]
ForwardMode = Literal["relay", "wrapped"]
FilterField = Literal["from", "to", "cc", "subject", "any_recipient"]
FilterOperator = Literal["contains", "not_contains", "is", "is_not"]
FilterAction = Literal["fileinto", "addflag", "discard", "stop"]
ShareAccess = Literal["read", "write", "admin"]


class Mailbox(TypedDict):
    """A mailbox. `publicId` is the `mb_…` id that methods take; `id` is internal."""

    id: int
    publicId: str
    teamId: int
    domainId: int
    emailAddress: str
    displayName: str | None
    quotaBytes: int
    status: MailboxStatus
    webhookEnabled: bool
    forwardTo: str | None
    """Addresses with commas between them; `None` when nothing is forwarded."""
    forwardMode: ForwardMode
    forwardKeepCopy: bool
    signatureHtml: str | None
    signatureText: str | None
    lastLoginAt: str | None
    createdAt: str
    updatedAt: str


class MailboxAnswer(TypedDict):
    """One mailbox."""

    mailbox: Mailbox


class MailboxQuery(PageQuery, total=False):
    """Filters of a list. `domain_id` is a `dom_…` id or an integer."""

    domain_id: int | str


class CreateMailbox(TypedDict):
    """A new mailbox for `localPart` at a domain, which is a `dom_…` id or an integer."""

    domainId: int | str
    localPart: str
    password: str
    displayName: NotRequired[str]
    quotaBytes: NotRequired[int]
    webhookEnabled: NotRequired[bool]


class UpdateMailbox(TypedDict, total=False):
    """What to change; everything else stays."""

    displayName: str | None
    quotaBytes: int
    status: Literal["active", "suspended"]
    webhookEnabled: bool
    forwardTo: str | None
    """1 to 10 addresses with commas between them; `""` or `None` ends forwarding."""
    forwardMode: ForwardMode
    """`relay`, the default, leaves subject, bodies and attachments alone; `wrapped` is a `Fwd:` with a quote."""
    forwardKeepCopy: bool
    """Whether the mailbox keeps what is forwarded; true unless set."""
    signatureHtml: str | None
    """Appended to what the mailbox sends, without scripts and `<style>`: what you read can be less than you wrote."""
    signatureText: str | None
    """The same for the text. Leave out the `-- ` line, which is added."""


class MailboxAlias(TypedDict):
    """Another address of a mailbox. `delete_alias` takes the integer `id`."""

    id: int
    teamId: int
    domainId: int
    aliasAddress: str
    destinationMailboxId: int
    createdAt: str


class MailboxAliasAnswer(TypedDict):
    """One alias."""

    alias: MailboxAlias


class CreateMailboxAlias(TypedDict):
    """A new alias. `destinationMailboxId` is an `mb_…` id; the domain an integer here."""

    domainId: int
    localPart: str
    destinationMailboxId: str


class SetMailboxFilter(TypedDict):
    """One rule for mail that comes in."""

    name: str
    field: FilterField
    operator: FilterOperator
    value: str
    action: FilterAction
    """`fileinto` moves to the folder `actionArg`, `addflag` sets the IMAP flag `actionArg`, `discard` drops the mail,
    `stop` ends the rules."""
    actionArg: NotRequired[str | None]
    enabled: NotRequired[bool]
    """True unless given."""


class MailboxFilter(TypedDict):
    """One rule as stored. `position` counts from 0."""

    publicId: str
    position: int
    name: str
    field: FilterField
    operator: FilterOperator
    value: str
    action: FilterAction
    actionArg: str | None
    enabled: bool
    createdAt: str
    updatedAt: str


class MailboxFilters(TypedDict):
    """All rules, in the order they are run."""

    rules: list[MailboxFilter]


class SetMailboxSignature(TypedDict, total=False):
    """What to change; `None` takes it away."""

    signatureHtml: str | None
    signatureText: str | None


class MailboxSignature(TypedDict):
    """What a mailbox signs with."""

    signatureHtml: str | None
    signatureText: str | None


class MailboxUnread(TypedDict):
    """Unread mail of one mailbox, `None` when it could not be counted."""

    mailboxId: int
    mailboxPublicId: str
    inboxUnread: int | None


class UnreadSummary(TypedDict):
    """Unread mail of all mailboxes."""

    items: list[MailboxUnread]


class MailboxShare(TypedDict):
    """Who else may use a mailbox. `sharedWithMailboxId` is internal."""

    id: int
    sharedWithMailboxId: int
    sharedWithEmail: str
    access: ShareAccess
    createdAt: str


class MailboxShares(TypedDict):
    """Everybody else who may use a mailbox."""

    shares: list[MailboxShare]


class MailboxShareGrant(TypedDict):
    """A share as stored. Ids of mailboxes are internal."""

    id: int
    mailboxId: int
    sharedWithMailboxId: int
    access: ShareAccess
    createdAt: str
    updatedAt: str


class MailboxShareAnswer(TypedDict):
    """One share."""

    share: MailboxShareGrant
