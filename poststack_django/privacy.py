"""What is stored of people: their addresses as they are, as fingerprints, or not at all.

A fingerprint is an HMAC under `SECRET_KEY`: the same address always has the same one, so counting, searching and
suppressing work, and nobody reads the address from the database. Another `SECRET_KEY` makes other fingerprints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any, Final, cast

from django.utils.crypto import salted_hmac
from django.utils.encoding import punycode

from poststack_django.settings import get_settings

__all__ = ["bare_address", "fingerprint", "redacted", "searchable_address", "stored_address"]

LONGEST_ADDRESS: Final = 254
_PREFIX: Final = "sha256:"
_ADDRESS: Final = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")


def bare_address(address: str) -> str:
    """Return what two spellings of one mailbox have in common: no name, lower case, its domain in ASCII."""
    # The local part could be case-sensitive by RFC 5321 §2.4; no provider in use makes a difference.
    bare = (parseaddr(address)[1] or address).strip().lower()
    if bare.isascii():
        return bare
    # The API is given domains in ASCII; people ask for them as they are written.
    local, at, domain = bare.rpartition("@")
    try:
        return f"{local}{at}{punycode(domain)}"
    except UnicodeError:
        return bare


def fingerprint(address: str) -> str:
    """Return the keyed fingerprint of an address."""
    digest = salted_hmac("poststack_django.privacy", bare_address(address), algorithm="sha256").hexdigest()
    return _PREFIX + digest


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
