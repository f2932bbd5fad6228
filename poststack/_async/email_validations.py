"""Whether an address can receive mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request
from poststack.types.email_validations import EmailValidation, EmailValidationList

if TYPE_CHECKING:
    from poststack._async.session import AsyncSession

__all__ = ["AsyncEmailValidations"]


class AsyncEmailValidations:
    """Look at addresses before writing to them. Nothing is sent, and repeating a call changes nothing."""

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def validate(self, email: str, *, timeout: float | None = None) -> EmailValidation:
        """Return whether an address can receive mail, what was looked at, and how risky it is to write to it."""
        return await self._session.call(
            Request("POST", "/email-validations", EmailValidation, body={"email": email}), timeout
        )

    async def validate_batch(self, emails: list[str], *, timeout: float | None = None) -> EmailValidationList:
        """Do the same for up to 100 addresses in one request."""
        return await self._session.call(
            Request("POST", "/email-validations/batch", EmailValidationList, body={"emails": emails}), timeout
        )
