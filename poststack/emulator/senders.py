"""Which domains e-mails may come from. No I/O, no clock."""

from __future__ import annotations

from poststack.emulator.address_syntax import domain_name
from poststack.emulator.model import Address
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store

__all__ = ["may_send", "sender_domain_name"]


def sender_domain_name(sender: Address) -> str:
    """Return the name of the domain that an address is of, as domains are found by it."""
    return domain_name(sender.domain) or sender.domain


def may_send(store: Store, settings: Settings, sender: Address) -> bool:
    """Return whether the domain of a sender is verified, or one that nobody added where every domain is accepted."""
    name = sender_domain_name(sender)
    domain = store.domains.find("name", name)
    if domain is not None:
        return domain.status == "verified"
    return settings.domains is None and store.removed_domains.find("name", name) is None
