"""Forms by which people become contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.signup_forms import SignedUp, SignupForm, SignupFormAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from poststack._async.session import AsyncSession
    from poststack.types.common import PageQuery
    from poststack.types.signup_forms import CreateSignupForm, SubmitSignupForm, UpdateSignupForm

__all__ = ["AsyncSignupForms"]


class AsyncSignupForms:
    """Make forms and take what people fill in. Every `id` is an `sf_…` id.

    Only sends honour idempotency keys: a `create` that failed without an answer may have taken effect, and its retries
    can make a second form. A repeated `submit` finds its contact there already.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> Page[SignupForm]:
        """Return one page of forms."""
        return await self._session.call(Request("GET", "/signup-forms", Page[SignupForm], query=params), timeout)

    def iterate(self, params: PageQuery | None = None, *, timeout: float | None = None) -> AsyncIterator[SignupForm]:
        """Yield the forms of all pages."""
        return self._session.iterate(Listing("/signup-forms", SignupForm, query=params), timeout)

    async def create(self, input: CreateSignupForm, *, timeout: float | None = None) -> SignupFormAnswer:
        """Make a form."""
        return await self._session.call(Request("POST", "/signup-forms", SignupFormAnswer, body=input), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> SignupFormAnswer:
        """Return one form."""
        return await self._session.call(Request("GET", f"/signup-forms/{segment(id)}", SignupFormAnswer), timeout)

    async def update(self, id: str, input: UpdateSignupForm, *, timeout: float | None = None) -> SignupFormAnswer:
        """Change the given fields; `active: False` closes the form."""
        return await self._session.call(
            Request("PATCH", f"/signup-forms/{segment(id)}", SignupFormAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a form; contacts that came by it stay."""
        return await self._session.call(Request("DELETE", f"/signup-forms/{segment(id)}", Success), timeout)

    async def submit(
        self, id: str, input: SubmitSignupForm | Mapping[str, Any], *, timeout: float | None = None
    ) -> SignedUp:
        """Hand in what somebody filled in: `email`, and what else the form asks for.

        Keys that are names of contact properties are stored; others are ignored. Refused with 422 when a value does not
        fit its property.
        """
        return await self._session.call(
            Request("POST", f"/signup-forms/{segment(id)}/submit", SignedUp, body=input), timeout
        )
