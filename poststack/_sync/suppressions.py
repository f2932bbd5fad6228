# Written by tools/unasync.py from poststack/_async/suppressions.py. Do not edit.
"""Addresses that the API no longer sends to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.suppressions import Suppression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack._sync.session import Session
    from poststack.types.common import PageQuery
    from poststack.types.suppressions import AddSuppression

__all__ = ["Suppressions"]


class Suppressions:
    """Read and edit the suppression list. Hard bounces, complaints and unsubscribes are added by the API."""

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> Page[Suppression]:
        """Return one page of suppressed addresses."""
        return self._session.call(Request("GET", "/suppressions", Page[Suppression], query=params), timeout)

    def iterate(self, params: PageQuery | None = None, *, timeout: float | None = None) -> Iterator[Suppression]:
        """Yield the suppressed addresses of all pages."""
        return self._session.iterate(Listing("/suppressions", Suppression, query=params), timeout)

    def add(self, input: AddSuppression, *, timeout: float | None = None) -> Success:
        """Stop sending to an address."""
        return self._session.call(Request("POST", "/suppressions", Success, body=input), timeout)

    def remove(self, email: str, *, timeout: float | None = None) -> Success:
        """Allow sending to an address again."""
        return self._session.call(Request("DELETE", f"/suppressions/{segment(email)}", Success), timeout)
