"""Whether addresses and domains are well-formed, by the rules of the email-validator package."""

from __future__ import annotations

from functools import lru_cache

try:
    from email_validator import EmailNotValidError, validate_email
except ImportError as _error:  # pragma: no cover  # exercised by the test environment without extras
    raise ImportError(
        'The emulator needs email-validator: pip install "poststack[emulator]"', name="email_validator"
    ) from _error

__all__ = ["address_problem", "domain_name"]

_MAX_DOMAIN = 255
# RFC 5321 §4.5.3.1.1. The package minds it only where it is strict.
_MAX_LOCAL_PART = 64
_LOCAL_ENDINGS = ("@localhost", ".localhost", ".local", ".test", ".invalid", "@local", "@test")


@lru_cache(maxsize=4_096)
def domain_name(text: str) -> str | None:
    """Return a domain name in lower case and ASCII, so that equal ones look equal; `None` when it is no such name."""
    address = f"x@{text}"
    ending = ".example" if address.lower().endswith(_LOCAL_ENDINGS) else ""
    if len(text) > _MAX_DOMAIN or "@" in text:
        return None
    try:
        valid = validate_email(address + ending, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return valid.ascii_domain.lower().removesuffix(ending)


@lru_cache(maxsize=4_096)
def address_problem(address: str) -> str | None:
    """Return what is wrong with the syntax of an address, `None` when nothing is."""
    # Development happens at `someone@shop.test` and `root@localhost`, which the package refuses by name;
    # with a label more they are names like any other, and the syntax is checked all the same.
    checked = f"{address}.example" if address.lower().endswith(_LOCAL_ENDINGS) else address
    if len(address.rpartition("@")[0].encode()) > _MAX_LOCAL_PART:
        return f"The part before the @ is longer than {_MAX_LOCAL_PART} bytes."
    try:
        validate_email(checked, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        return str(error)
    return None
