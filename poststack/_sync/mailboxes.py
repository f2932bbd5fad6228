# Written by tools/unasync.py from poststack/_async/mailboxes.py. Do not edit.
"""Mailboxes with aliases, filters, signatures and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.mailboxes import (
    Mailbox,
    MailboxAlias,
    MailboxAliasAnswer,
    MailboxAnswer,
    MailboxFilters,
    MailboxShareAnswer,
    MailboxShares,
    MailboxSignature,
    UnreadSummary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poststack._sync.session import Session
    from poststack.types.common import PageQuery
    from poststack.types.mailboxes import (
        CreateMailbox,
        CreateMailboxAlias,
        MailboxQuery,
        SetMailboxFilter,
        SetMailboxSignature,
        ShareAccess,
        UpdateMailbox,
    )

__all__ = ["Mailboxes"]


class Mailboxes:
    """Manage mailboxes on your domains. Every `id` is an `mb_…` id, except that of an alias, which is an integer.

    Only sends honour idempotency keys: a `create`, `create_alias` or `grant_share` that failed without an answer may
    have taken effect. Look before you repeat one.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def create(self, input: CreateMailbox, *, timeout: float | None = None) -> MailboxAnswer:
        """Make a mailbox."""
        return self._session.call(Request("POST", "/mailboxes", MailboxAnswer, body=input), timeout)

    def list(self, params: MailboxQuery | None = None, *, timeout: float | None = None) -> Page[Mailbox]:
        """Return one page of mailboxes."""
        return self._session.call(Request("GET", "/mailboxes", Page[Mailbox], query=params), timeout)

    def iterate(self, params: MailboxQuery | None = None, *, timeout: float | None = None) -> Iterator[Mailbox]:
        """Yield the mailboxes of all pages."""
        return self._session.iterate(Listing("/mailboxes", Mailbox, query=params), timeout)

    def get(self, id: str, *, timeout: float | None = None) -> MailboxAnswer:
        """Return one mailbox."""
        return self._session.call(Request("GET", f"/mailboxes/{segment(id)}", MailboxAnswer), timeout)

    def update(self, id: str, input: UpdateMailbox, *, timeout: float | None = None) -> MailboxAnswer:
        """Change the given fields: name, quota, forwarding, signature, or whether the mailbox is suspended."""
        return self._session.call(Request("PATCH", f"/mailboxes/{segment(id)}", MailboxAnswer, body=input), timeout)

    def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a mailbox."""
        return self._session.call(Request("DELETE", f"/mailboxes/{segment(id)}", Success), timeout)

    def change_password(self, id: str, password: str, *, timeout: float | None = None) -> Success:
        """Give a mailbox another password."""
        return self._session.call(
            Request("POST", f"/mailboxes/{segment(id)}/password", Success, body={"password": password}), timeout
        )

    def create_alias(self, input: CreateMailboxAlias, *, timeout: float | None = None) -> MailboxAliasAnswer:
        """Give a mailbox another address."""
        return self._session.call(Request("POST", "/mailboxes/aliases", MailboxAliasAnswer, body=input), timeout)

    def list_aliases(self, params: PageQuery | None = None, *, timeout: float | None = None) -> Page[MailboxAlias]:
        """Return one page of the aliases of all mailboxes."""
        return self._session.call(Request("GET", "/mailboxes/aliases", Page[MailboxAlias], query=params), timeout)

    def iterate_aliases(
        self, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> Iterator[MailboxAlias]:
        """Yield the aliases of all pages."""
        return self._session.iterate(Listing("/mailboxes/aliases", MailboxAlias, query=params), timeout)

    def delete_alias(self, id: int, *, timeout: float | None = None) -> Success:
        """Remove an alias, by its integer id."""
        return self._session.call(Request("DELETE", f"/mailboxes/aliases/{segment(id)}", Success), timeout)

    def list_filters(self, id: str, *, timeout: float | None = None) -> MailboxFilters:
        """Return the rules for mail that comes into a mailbox, in the order they are run."""
        return self._session.call(Request("GET", f"/mailboxes/{segment(id)}/filters", MailboxFilters), timeout)

    def set_filters(
        self, id: str, rules: Sequence[SetMailboxFilter], *, timeout: float | None = None
    ) -> MailboxFilters:
        """Replace all rules of a mailbox by these, up to 50, run in this order. An empty list removes them."""
        return self._session.call(
            Request("PUT", f"/mailboxes/{segment(id)}/filters", MailboxFilters, body={"rules": rules}), timeout
        )

    def get_signature(self, id: str, *, timeout: float | None = None) -> MailboxSignature:
        """Return what a mailbox signs with."""
        return self._session.call(Request("GET", f"/webmail/{segment(id)}/signature", MailboxSignature), timeout)

    def set_signature(
        self, id: str, signature: SetMailboxSignature, *, timeout: float | None = None
    ) -> MailboxSignature:
        """Change what a mailbox signs with, in HTML, text or both; `None` takes one away."""
        return self._session.call(
            Request("PUT", f"/webmail/{segment(id)}/signature", MailboxSignature, body=signature), timeout
        )

    def unread_summary(self, *, timeout: float | None = None) -> UnreadSummary:
        """Return how much unread mail each mailbox has."""
        return self._session.call(Request("GET", "/mailboxes/unread-summary", UnreadSummary), timeout)

    def list_shares(self, id: str, *, timeout: float | None = None) -> MailboxShares:
        """Return the mailboxes whose owners may use this one."""
        return self._session.call(Request("GET", f"/mailboxes/{segment(id)}/shares", MailboxShares), timeout)

    def grant_share(
        self, id: str, shared_with_mailbox_id: str, access: ShareAccess = "read", *, timeout: float | None = None
    ) -> MailboxShareAnswer:
        """Let the owner of another mailbox use this one. Refused with 409 when that is so already."""
        body = {"sharedWithMailboxId": shared_with_mailbox_id, "access": access}
        return self._session.call(
            Request("POST", f"/mailboxes/{segment(id)}/shares", MailboxShareAnswer, body=body), timeout
        )

    def revoke_share(self, id: str, target_id: str, *, timeout: float | None = None) -> Success:
        """End a share; `target_id` is the `mb_…` id of the other mailbox."""
        return self._session.call(
            Request("DELETE", f"/mailboxes/{segment(id)}/shares/{segment(target_id)}", Success), timeout
        )
