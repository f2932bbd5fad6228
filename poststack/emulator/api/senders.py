"""Who an e-mail may come from: a verified domain, and one that the caller's key is for (`poststack-api` §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack.emulator.account.domains import Domain
from poststack.emulator.api.answers import RefusalError, unprocessable
from poststack.emulator.api.call import Caller
from poststack.emulator.model import Address
from poststack.emulator.senders import may_send, sender_domain_name

if TYPE_CHECKING:
    from poststack.emulator.backend import Backend

__all__ = ["check_scope", "sender_domain"]


def check_scope(backend: Backend, sender: Address, caller: Caller) -> None:
    """Raise a 403 for a sender that the caller's key is not for."""
    if caller.domain is not None:
        domain = backend.store.domains.find("name", sender_domain_name(sender))
        if domain is None or domain.number != caller.domain:
            raise RefusalError(403, "API key does not have permission to send from this domain")


def sender_domain(backend: Backend, sender: Address, caller: Caller) -> Domain | None:
    """Return the domain that an e-mail comes from; `None` for one that nobody added, where every domain is accepted.

    Raises a 422 for a domain that is not verified, and a 403 for one that the caller's key is not for.
    """
    check_scope(backend, sender, caller)
    if not may_send(backend.store, backend.settings, sender):
        raise unprocessable("Domain not verified")
    return backend.store.domains.find("name", sender_domain_name(sender))
