"""Groups of contacts: picked by hand, or by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.contacts import Contact
from poststack.types.segments import (
    AddedContacts,
    SegmentAnswer,
    SegmentBroadcasts,
    SegmentGrowth,
    SegmentList,
    SegmentSize,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.common import PageQuery
    from poststack.types.segments import AddContacts, CreateSegment, SegmentPreview, UpdateSegment

__all__ = ["AsyncSegments"]


class AsyncSegments:
    """Group contacts for broadcasts. Every `id` is a `seg_…` id.

    Only sends honour idempotency keys: a `create` that failed without an answer may have taken effect, and its retries
    can make a second segment.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateSegment, *, timeout: float | None = None) -> SegmentAnswer:
        """Make a segment: with `rules` it fills itself, without them by `add_contacts`."""
        return await self._session.call(Request("POST", "/segments", SegmentAnswer, body=input), timeout)

    async def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> SegmentList:
        """Return all segments. The API ignores `params`."""
        return await self._session.call(Request("GET", "/segments", SegmentList, query=params), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> SegmentAnswer:
        """Return one segment with its first 100 contacts."""
        return await self._session.call(Request("GET", f"/segments/{segment(id)}", SegmentAnswer), timeout)

    async def update(self, id: str, input: UpdateSegment, *, timeout: float | None = None) -> SegmentAnswer:
        """Change the name or the rules."""
        return await self._session.call(
            Request("PATCH", f"/segments/{segment(id)}", SegmentAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a segment; its contacts stay."""
        return await self._session.call(Request("DELETE", f"/segments/{segment(id)}", Success), timeout)

    async def add_contacts(self, id: str, input: AddContacts, *, timeout: float | None = None) -> AddedContacts:
        """Add 1 to 1,000 contacts by their `con_…` ids. Refused with 400 when none of them exists."""
        return await self._session.call(
            Request("POST", f"/segments/{segment(id)}/contacts", AddedContacts, body=input), timeout
        )

    async def remove_contact(self, id: str, contact_id: str, *, timeout: float | None = None) -> Success:
        """Take a contact out of a segment."""
        return await self._session.call(
            Request("DELETE", f"/segments/{segment(id)}/contacts/{segment(contact_id)}", Success), timeout
        )

    async def preview_rules(self, input: SegmentPreview, *, timeout: float | None = None) -> SegmentSize:
        """Return how many contacts rules would choose. Nothing is stored."""
        return await self._session.call(Request("POST", "/segments/preview", SegmentSize, body=input), timeout)

    async def members(self, id: str, params: PageQuery | None = None, *, timeout: float | None = None) -> Page[Contact]:
        """Return one page of a segment's contacts: 50 unless `per_page` says otherwise, at most 100."""
        return await self._session.call(
            Request("GET", f"/segments/{segment(id)}/members", Page[Contact], query=params), timeout
        )

    def iterate_members(
        self, id: str, params: PageQuery | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[Contact]:
        """Yield the contacts of all pages of a segment."""
        return self._session.iterate(Listing(f"/segments/{segment(id)}/members", Contact, query=params), timeout)

    async def growth(self, id: str, days: int | None = None, *, timeout: float | None = None) -> SegmentGrowth:
        """Return how many members a segment had on each of the last `days`: 30 unless given, at most 365."""
        return await self._session.call(
            Request("GET", f"/segments/{segment(id)}/growth", SegmentGrowth, query={"days": days}), timeout
        )

    async def broadcasts(self, id: str, *, timeout: float | None = None) -> SegmentBroadcasts:
        """Return the broadcasts to a segment."""
        return await self._session.call(
            Request("GET", f"/segments/{segment(id)}/broadcasts", SegmentBroadcasts), timeout
        )
