"""Reading `addr@domain` and `Name <addr@domain>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from poststack.emulator.address_syntax import address_problem
from poststack.emulator.api.answers import invalid, unprocessable
from poststack.emulator.api.fields import one_line, optional_text, texts
from poststack.emulator.model import Address

__all__ = ["address_list", "parse_address", "reply_addresses"]

# RFC 5321 allows 254 characters for the address; the rest is room for a name.
_MAX_LENGTH = 1_000
_NAMED = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*" *|[^<>]*)<(?P<address>[^<>]*)>')


def parse_address(text: str, field: str) -> Address:
    """Read one address, with a name in front or not. Raises a 422 that names the field."""
    one_line(text, field)
    if len(text) > _MAX_LENGTH:
        raise unprocessable(f"`{field}` holds an address that is too long.")
    match = _NAMED.fullmatch(text.strip())
    address = (match["address"] if match else text).strip()
    problem = address_problem(address)
    if match and "@" in match["name"] and not match["name"].startswith('"'):
        problem = "there is an address before the one in brackets. Give each as an element of its own."
    if problem is not None:
        raise unprocessable(f"`{field}` holds an invalid address: {problem}")
    return Address(address, _unquoted(match["name"]) if match else None)


def address_list(source: Mapping[str, Any], field: str, limit: int) -> tuple[Address, ...]:
    """Read an array of addresses, each kept once.

    Raises a 422 for a bare string, and for more than `limit`.
    """
    if isinstance(source.get(field), str):
        raise unprocessable(f"`{field}` must be an array of addresses, also for a single one.")
    found = texts(source, field)
    if len(found) > limit:
        raise unprocessable(f"`{field}` holds more than {limit} addresses.")
    parsed = [parse_address(text, field) for text in found]
    return tuple({address.address.lower(): address for address in reversed(parsed)}.values())[::-1]


def reply_addresses(source: Mapping[str, Any]) -> tuple[Address, ...]:
    """Read `reply_to`: one address. The API answers with an array all the same."""
    text = optional_text(source, "reply_to")
    if text is None:
        return ()
    if not text:
        raise invalid("`reply_to` must not be empty.")
    return (parse_address(text, "reply_to"),)


def _unquoted(name: str) -> str | None:
    text = name.strip()
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text or None
