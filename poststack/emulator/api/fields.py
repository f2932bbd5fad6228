"""Reading fields out of a JSON object.

A missing field or a wrong type is a 400, see `poststack-api` on 400 and 422.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from poststack.emulator.api.answers import invalid, unprocessable
from poststack.emulator.model import read_iso

__all__ = [
    "boolean",
    "integer",
    "moment",
    "number",
    "object_of",
    "one_line",
    "optional_text",
    "query_choice",
    "record_number",
    "required_text",
    "short_text",
    "texts",
    "texts_by_name",
    "web_address",
]

# Characters that would end a header line, or a C string, in the middle.
_BREAKS = re.compile(r"[\r\n\0]")
_MAX_URL = 2_000


def required_text(source: Mapping[str, Any], name: str) -> str:
    """Return a text that must be there and not be empty."""
    value = optional_text(source, name)
    if not value:
        raise invalid(f"`{name}` is required.")
    return value


def optional_text(source: Mapping[str, Any], name: str) -> str | None:
    """Return a text; `None` when the field is missing or null."""
    value = source.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"`{name}` must be a string.")
    return value


def texts(source: Mapping[str, Any], name: str) -> list[str]:
    """Return an array of strings; empty when the field is missing or null."""
    value = source.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise invalid(f"`{name}` must be an array of strings.")
    return cast("list[str]", value)


def object_of(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object; empty when the field is missing or null."""
    value = source.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"`{name}` must be an object.")
    return cast("dict[str, Any]", value)


def texts_by_name(source: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return an object whose values are all strings."""
    value = object_of(source, name)
    if not all(isinstance(item, str) for item in value.values()):
        raise invalid(f"The values of `{name}` must be strings.")
    return cast("dict[str, str]", value)


def boolean(source: Mapping[str, Any], name: str) -> bool | None:
    """Return a boolean; `None` when the field is missing or null."""
    value = source.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"`{name}` must be true or false.")
    return value


def integer(source: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number; `None` when the field is missing or null."""
    value = source.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise invalid(f"`{name}` must be a whole number.")
    return value


def number(source: Mapping[str, Any], name: str) -> float | None:
    """Return a number; `None` when the field is missing or null."""
    value = source.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise invalid(f"`{name}` must be a number.")
    try:
        return float(value)
    except OverflowError as error:
        raise invalid(f"`{name}` is too large.") from error


def query_choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """Return the word of a query, `None` when it is missing or empty. Raises a 422 for none of the choices."""
    value = query.get(name) or None
    if value is not None and value not in choices:
        raise unprocessable(f"`{name}` must be one of {', '.join(choices)}.")
    return value


def record_number(text: str) -> int | None:
    """Return the number that a path or a field names a record by; `None` for what is no such number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def one_line(value: str, name: str) -> str:
    """Return the text, which becomes part of a header, if it cannot start another header; else 422."""
    if _BREAKS.search(value):
        raise unprocessable(f"`{name}` must not contain line breaks or NUL characters.")
    return value


def web_address(value: str, name: str) -> str:
    """Return the text if it is an http or https URL of reasonable length; else 422."""
    one_line(value, name)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(value) > _MAX_URL or not value.isprintable() or " " in value:
        raise unprocessable(f"`{name}` must be an http or https address.")
    return value


def short_text(value: str, name: str, limit: int) -> str:
    """Return the text if it is one line of at most `limit` characters; else 422."""
    if len(value) > limit:
        raise unprocessable(f"`{name}` has at most {limit} characters.")
    return one_line(value, name)


def moment(text: str, name: str, *, end_of_day: bool = False) -> float:
    """Read `YYYY-MM-DD` or an ISO 8601 date and time (UTC unless it says otherwise) as seconds since 1970.

    Else 422.
    """
    read = read_iso(text)
    if read is None:
        raise unprocessable(f"`{name}` must be a date and time such as 2026-01-02T03:04:05Z.")
    if end_of_day and len(text.strip()) == len("2026-01-02"):
        read = read.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return read.timestamp()
