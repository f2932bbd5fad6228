# Written by tools/unasync.py from poststack/_async/email_validations.py. Do not edit.
"""Whether an address can receive mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request
from poststack.types.email_validations import EmailValidation, EmailValidationList

if TYPE_CHECKING:
    from poststack._sync.session import Session

__all__ = ["EmailValidations"]


class EmailValidations:
    """Look at addresses before writing to them. Nothing is sent, and repeating a call changes nothing."""

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def validate(self, email: str, *, timeout: float | None = None) -> EmailValidation:
        """Return whether an address can receive mail, what was looked at, and how risky it is to write to it."""
        return self._session.call(
            Request("POST", "/email-validations", EmailValidation, body={"email": email}), timeout
        )

    def validate_batch(self, emails: list[str], *, timeout: float | None = None) -> EmailValidationList:
        """Do the same for up to 100 addresses in one request."""
        return self._session.call(
            Request("POST", "/email-validations/batch", EmailValidationList, body={"emails": emails}), timeout
        )
