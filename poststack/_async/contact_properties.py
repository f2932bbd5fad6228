"""Fields of contacts that a team defines for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request, segment
from poststack.types.common import Success
from poststack.types.contact_properties import ContactPropertyAnswer, ContactPropertyList, OptionUsage

if TYPE_CHECKING:
    from poststack._async.session import AsyncSession
    from poststack.types.contact_properties import CreateContactProperty, UpdateContactProperty

__all__ = ["AsyncContactProperties"]


class AsyncContactProperties:
    """Define which properties contacts have. Ids are integers.

    Only sends honour idempotency keys: a `create` that failed without an answer may have taken effect. Look with `list`
    before you repeat it.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def list(self, *, timeout: float | None = None) -> ContactPropertyList:
        """Return all properties."""
        return await self._session.call(Request("GET", "/contact-properties", ContactPropertyList), timeout)

    async def create(self, input: CreateContactProperty, *, timeout: float | None = None) -> ContactPropertyAnswer:
        """Define a property, which contacts then have under its `name`."""
        return await self._session.call(
            Request("POST", "/contact-properties", ContactPropertyAnswer, body=input), timeout
        )

    async def update(
        self, id: int, input: UpdateContactProperty, *, timeout: float | None = None
    ) -> ContactPropertyAnswer:
        """Change the given fields. See `option_usage` before you take an option away."""
        return await self._session.call(
            Request("PATCH", f"/contact-properties/{segment(id)}", ContactPropertyAnswer, body=input), timeout
        )

    async def delete(self, id: int, *, timeout: float | None = None) -> Success:
        """Remove a property."""
        return await self._session.call(Request("DELETE", f"/contact-properties/{segment(id)}", Success), timeout)

    async def option_usage(self, id: int, *, timeout: float | None = None) -> OptionUsage:
        """Return how many contacts hold each option of a `select` property."""
        return await self._session.call(
            Request("GET", f"/contact-properties/{segment(id)}/option-usage", OptionUsage), timeout
        )
