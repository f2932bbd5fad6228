"""People to write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.contacts import Contact, ContactAnswer, ImportedContacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from os import PathLike

    from poststack._async.session import AsyncSession
    from poststack._saving import BinaryFile
    from poststack.types.contacts import ContactQuery, CreateContact, ImportContacts, UpdateContact

__all__ = ["AsyncContacts"]


class AsyncContacts:
    """Keep the people that broadcasts and workflows write to. Every `id` is a `con_…` id.

    Only sends honour idempotency keys, but an address is there once: repeating a `create` is refused with 409, and
    repeating an import skips what it had added.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateContact, *, timeout: float | None = None) -> ContactAnswer:
        """Add a contact. Refused with 409 when there is one with this address."""
        return await self._session.call(Request("POST", "/contacts", ContactAnswer, body=input), timeout)

    async def list(self, params: ContactQuery | None = None, *, timeout: float | None = None) -> Page[Contact]:
        """Return one page of contacts."""
        return await self._session.call(Request("GET", "/contacts", Page[Contact], query=params), timeout)

    def iterate(self, params: ContactQuery | None = None, *, timeout: float | None = None) -> AsyncIterator[Contact]:
        """Yield the contacts of all pages."""
        return self._session.iterate(Listing("/contacts", Contact, query=params), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> ContactAnswer:
        """Return one contact."""
        return await self._session.call(Request("GET", f"/contacts/{segment(id)}", ContactAnswer), timeout)

    async def get_by_email(self, email: str, *, timeout: float | None = None) -> ContactAnswer:
        """Return the contact with an address. Refused with 404 when there is none."""
        return await self._session.call(Request("GET", f"/contacts/by-email/{segment(email)}", ContactAnswer), timeout)

    async def update(self, id: str, input: UpdateContact, *, timeout: float | None = None) -> ContactAnswer:
        """Change the given fields of a contact."""
        return await self._session.call(
            Request("PATCH", f"/contacts/{segment(id)}", ContactAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a contact."""
        return await self._session.call(Request("DELETE", f"/contacts/{segment(id)}", Success), timeout)

    async def unsubscribe(self, id: str, *, timeout: float | None = None) -> ContactAnswer:
        """Leave a contact out of all broadcasts. Harmless to repeat; `update` takes it back."""
        return await self._session.call(Request("POST", f"/contacts/{segment(id)}/unsubscribe", ContactAnswer), timeout)

    async def import_(self, input: ImportContacts, *, timeout: float | None = None) -> ImportedContacts:
        """Add 1 to 10,000 contacts. Addresses that are there already are skipped, not updated."""
        return await self._session.call(Request("POST", "/contacts/import", ImportedContacts, body=input), timeout)

    async def export_csv(self, *, segment_id: str | None = None, timeout: float | None = None) -> str:
        """Return all contacts, or those of a segment, as CSV. Refused with 404 when there is no such segment.

        It is held in memory whole, and may have 128 MiB at most: `save_csv` writes more to a file.
        """
        return await self._session.call(
            Request("GET", "/contacts/export", str, query={"segment_id": segment_id}), timeout
        )

    async def save_csv(
        self, file: str | PathLike[str] | BinaryFile, *, segment_id: str | None = None, timeout: float | None = None
    ) -> int:
        """Write all contacts, or those of a segment, to `file` as CSV in UTF-8, and return how many bytes that is.

        A path's file is there once it is whole, in place of one that was there before; whatever fails, that one stays.
        A file that is open for writing bytes is written to from where it stands; when something fails, it is put back
        there, if it can be. An answer that is cut off is fetched again from the start, but not into a file that cannot
        be put back.

        Needs little memory, however many contacts there are. Raises `OSError` for what cannot be written. Refused with
        404 when there is no such segment.
        """
        from poststack._async.saving import save

        return await save(
            self._session, Request("GET", "/contacts/export", bytes, query={"segment_id": segment_id}), file, timeout
        )
