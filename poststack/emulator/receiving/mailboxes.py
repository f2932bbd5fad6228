"""Mailboxes with their aliases, filters and shares, as records that outlive a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from poststack.emulator.address_syntax import domain_name
from poststack.emulator.tables import Kind
from poststack.types.mailboxes import FilterAction, FilterField, FilterOperator, ForwardMode, MailboxStatus, ShareAccess

if TYPE_CHECKING:
    from poststack.emulator.store import Store

__all__ = [
    "ALIASES",
    "DEFAULT_QUOTA",
    "MAILBOXES",
    "SHARES",
    "Alias",
    "Filter",
    "Mailbox",
    "Share",
    "address_key",
    "mailbox_at",
    "remove_mailbox",
    "remove_mailboxes_of",
]

DEFAULT_QUOTA = 1024 * 1024 * 1024


@dataclass(frozen=True)
class Filter:
    """One rule for mail that comes in. `id` is public."""

    id: str
    name: str
    field: FilterField
    operator: FilterOperator
    value: str
    action: FilterAction
    argument: str | None
    enabled: bool
    created_at: float


@dataclass
class Mailbox:
    """A mailbox. `id` is the public `mb_…` id, `domain` the number of its domain, `address` is in lower case.

    `password` is what `passwords.hashed` made of it; `test_mode` is that of the key that made the mailbox, and of what
    the mailbox forwards.
    """

    number: int
    id: str
    domain: int
    address: str
    password: str = field(repr=False)
    created_at: float
    updated_at: float
    test_mode: bool = True
    display_name: str | None = None
    quota_bytes: int = DEFAULT_QUOTA
    status: MailboxStatus = "active"
    webhook_enabled: bool = True
    forward_to: list[str] = field(default_factory=list[str], repr=False)
    forward_mode: ForwardMode = "relay"
    forward_keep_copy: bool = True
    signature_html: str | None = field(default=None, repr=False)
    signature_text: str | None = field(default=None, repr=False)
    last_login_at: float | None = None
    filters: list[Filter] = field(default_factory=list[Filter], repr=False)

    @property
    def signs(self) -> bool:
        """Whether what it sends gets a signature."""
        return self.status == "active" and bool(self.signature_html or self.signature_text)


@dataclass(frozen=True)
class Alias:
    """Another address of the mailbox with the number `mailbox`, in lower case."""

    number: int
    domain: int
    address: str
    mailbox: int
    created_at: float


@dataclass(frozen=True)
class Share:
    """Leave for the owner of the mailbox `shared_with` to use another one; both are numbers."""

    number: int
    mailbox: int
    shared_with: int
    access: ShareAccess
    created_at: float


def address_key(address: str) -> str:
    """Return an address in the form in which mailboxes and aliases have theirs: lower case, the domain in ASCII."""
    local, _, domain = address.rpartition("@")
    return f"{local.lower()}@{domain_name(domain) or domain.lower()}"


def mailbox_at(store: Store, address: str) -> Mailbox | None:
    """Return the mailbox that gets what is sent to this address: its own, an alias, or either with a `+suffix`."""
    key = address_key(address)
    local, _, domain = key.rpartition("@")
    for name in (key, f"{local.partition('+')[0]}@{domain}"):
        if (mailbox := store.mailboxes.find("address", name)) is not None:
            return mailbox
        if (alias := store.mailbox_aliases.find("address", name)) is not None:
            return store.mailboxes.get(alias.mailbox)
    return None


def remove_mailbox(store: Store, mailbox: Mailbox) -> None:
    """Forget a mailbox with its aliases and shares. What it received stays with the other received mail."""
    for alias in store.mailbox_aliases.all():
        if alias.mailbox == mailbox.number:
            store.mailbox_aliases.remove(alias)
    for share in store.mailbox_shares.all():
        if mailbox.number in {share.mailbox, share.shared_with}:
            store.mailbox_shares.remove(share)
    store.mailboxes.remove(mailbox)


def remove_mailboxes_of(store: Store, domain: int) -> None:
    """Forget what is on the domain with this number: its mailboxes, and aliases of mailboxes elsewhere."""
    for mailbox in store.mailboxes.all():
        if mailbox.domain == domain:
            remove_mailbox(store, mailbox)
    for alias in store.mailbox_aliases.all():
        if alias.domain == domain:
            store.mailbox_aliases.remove(alias)


def _mailbox_from(*, filters: Sequence[Mapping[str, Any]] = (), **content: Any) -> Mailbox:
    return Mailbox(filters=[Filter(**entry) for entry in filters], **content)


MAILBOXES = Kind(
    "mailbox", _mailbox_from, keys={"id": lambda mailbox: mailbox.id, "address": lambda mailbox: mailbox.address}
)
ALIASES = Kind("mailbox_alias", Alias, keys={"address": lambda alias: alias.address})
SHARES = Kind("mailbox_share", Share, keys={"pair": lambda share: f"{share.mailbox}/{share.shared_with}"})
