"""Headers that all messages get, and over them a message's own. Raises `ValueError`, never with a value in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack.mime import ADDRESS_HEADERS, headers_from

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["default_headers", "merged_headers"]


def default_headers(given: Mapping[object, object]) -> dict[str, str]:
    """Return headers that every message gets. Whom a message is from and to is for itself to say."""
    headers = headers_from(given)
    for name in ADDRESS_HEADERS:
        if name in headers:
            raise ValueError(f"`headers` has {name!r}, which each message has an attribute for. Set that instead.")
    return headers


def merged_headers(defaults: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults, and over them a message's own headers, whatever the capitals."""
    names = {name.lower() for name in own}
    return {**{name: value for name, value in defaults.items() if name.lower() not in names}, **own}
