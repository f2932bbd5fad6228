"""Whether an address can receive mail (poststack-api §4.15)."""

from typing import Literal

from poststack.types.common import NotRequired, TypedDict

__all__ = ["EmailValidation", "EmailValidationList", "ValidationChecks", "ValidationResult", "ValidationRisk"]

ValidationResult = Literal["deliverable", "undeliverable", "risky", "unknown"]
ValidationRisk = Literal["low", "medium", "high"]


class ValidationChecks(TypedDict):
    """What was looked at. `disposable`, `role` and `free` are true of such addresses."""

    syntax: bool
    mx: bool
    disposable: bool
    role: bool
    free: bool


class EmailValidation(TypedDict):
    """What is known of one address."""

    email: str
    result: ValidationResult
    checks: NotRequired[ValidationChecks]
    risk: NotRequired[ValidationRisk]


class EmailValidationList(TypedDict):
    """What is known of each address."""

    results: list[EmailValidation]
