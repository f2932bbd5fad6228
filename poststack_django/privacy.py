"""What is stored of people: their addresses as they are, as fingerprints, or not at all.

A fingerprint is an HMAC under `SECRET_KEY`: the same address always has the same one, so counting, searching and
suppressing work, and nobody reads the address from the database. Another `SECRET_KEY` makes other fingerprints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any, Final, cast

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.encoding import punycode

from poststack_django.settings import get_settings

__all__ = [
    "bare_address",
    "fingerprint",
    "is_fingerprint",
    "redacted",
    "searchable_address",
    "spellings",
    "stored_address",
]

LONGEST_ADDRESS: Final = 254
_PREFIX: Final = "sha256:"
_BRACKETED: Final = re.compile(r"<([^<>]*)>\s*\Z")
_ADDRESS: Final = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")


def bare_address(address: str) -> str:
    """Return what two spellings of one mailbox have in common: no name, lower case, the domain in ASCII."""
    # `parseaddr` gives up on names with unquoted commas; what stands in angle brackets at the end is the address.
    bracketed = _BRACKETED.search(address)
    found = bracketed[1] if bracketed else parseaddr(address)[1]
    # The local part could be case-sensitive by RFC 5321 §2.4; no provider in use makes a difference.
    bare = (found or address).strip().lower()
    local, at, domain = bare.rpartition("@")
    if domain.isascii():
        return bare
    try:
        return local + at + punycode(domain)  # As it is when it is sent.
    except UnicodeError:
        return bare


def fingerprint(address: str) -> str:
    """Return the keyed fingerprint of an address."""
    return _fingerprint(address, None)


def is_fingerprint(stored: str) -> bool:
    """Return whether this is a fingerprint, not an address."""
    return stored.startswith(_PREFIX)


def spellings(address: str) -> list[str]:
    """Return every form in which an address may have been stored: under this and earlier settings and keys.

    Earlier keys are those in `SECRET_KEY_FALLBACKS`.
    """
    keys = [None, *settings.SECRET_KEY_FALLBACKS]
    return [bare_address(address)[:LONGEST_ADDRESS], *(_fingerprint(address, key) for key in keys)]


def stored_address(address: str) -> str:
    """Return an address as the settings want recipients stored; empty if they want none stored."""
    how = get_settings().store_recipients
    if how == "none":
        return ""
    return bare_address(address)[:LONGEST_ADDRESS] if how == "plain" else fingerprint(address)


def searchable_address(address: str) -> str:
    """Return an address as suppressions store it: hashed, too, where recipients are not stored at all."""
    plain = get_settings().store_recipients == "plain"
    return bare_address(address)[:LONGEST_ADDRESS] if plain else fingerprint(address)


def redacted(value: object) -> Any:
    """Return a JSON value in which every address is replaced by its fingerprint, wherever in a text it stands."""
    if isinstance(value, str):
        return _ADDRESS.sub(lambda match: fingerprint(match[0]), value)
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        return {name: redacted(inner) for name, inner in fields.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in cast("list[object]", value)]
    return value


def _fingerprint(address: str, key: str | None) -> str:
    made = salted_hmac("poststack_django.privacy", bare_address(address), secret=key, algorithm="sha256")
    return _PREFIX + made.hexdigest()
