"""One request as the handlers see it: path and query decoded, JSON read strictly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from poststack.emulator.api.answers import invalid, unprocessable
from poststack.transports.base import HttpRequest
from poststack.types import ApiKeyPermission

__all__ = ["Call", "Caller"]

_MAX_DEPTH = 64
_MAX_QUERY_FIELDS = 100
_MAX_DIGITS = 18


@dataclass(frozen=True)
class Caller:
    """What the key of a request may do. `domain` is the number of the only domain it sends from, if there is one."""

    permission: ApiKeyPermission = "full_access"
    test_mode: bool = True
    domain: int | None = None


@dataclass(frozen=True)
class Call:
    """A request. `path` is as it came, `segments` are decoded; header names are lower-case.

    `caller` is known once the request is authenticated, and `check` sees the body when it is read.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    now: float
    caller: Caller = field(default_factory=Caller)
    check: Callable[[Mapping[str, Any]], None] | None = field(default=None, repr=False)

    @property
    def test_mode(self) -> bool:
        """Whether it came with a test key."""
        return self.caller.test_mode

    @classmethod
    def read(cls, request: HttpRequest, now: float) -> Call:
        """Take a request apart.

        Raises a 400 for an address that is not a URL or a query that is far too long.
        """
        try:
            address = urlsplit(request.url)
            query = dict(parse_qsl(address.query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS))
        except ValueError as error:
            raise invalid("The address of the request is not a valid URL.") from error
        path = address.path or "/"
        segments = tuple(unquote(part) for part in path.strip("/").split("/"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        return cls(request.method.upper(), path, segments, query, headers, request.body or b"", now)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises a 400 for anything else, and for numbers JSON does not have; what `check` raises.
        """
        try:
            content: Any = json.loads(self.body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
            _check_depth(content)
            if rb"\u" in self.body:
                # An escape can smuggle in half a character, which no e-mail can carry.
                json.dumps(content, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise invalid("The body is not valid JSON in UTF-8.") from error
        if not isinstance(content, dict):
            raise invalid("The body must be a JSON object.")
        found = cast("dict[str, Any]", content)
        if self.check is not None:
            self.check(found)
        return found

    def optional_json(self) -> dict[str, Any]:
        """Return the body as a JSON object, `{}` when there is none."""
        return self.json() if self.body else {}

    def page(self, per_page: int = 20) -> tuple[int, int]:
        """Return page and page size: 1 and `per_page` unless given, at least 1, at most 100 a page."""
        return max(1, self.integer("page", 1)), min(100, max(1, self.integer("per_page", per_page)))

    def flag(self, name: str) -> bool | None:
        """Return whether the query says `true` or `false`, `None` when it says nothing. Raises a 422 for a third."""
        value = self.query.get(name, "").lower()
        if value not in {"", "true", "false"}:
            raise unprocessable(f"`{name}` must be true or false.")
        return value == "true" if value else None

    def limit(self, default: int, most: int) -> int:
        """Return how many items are wanted: what `limit` says, at most so many; the default unless given."""
        return min(most, max(0, self.integer("limit", default)))

    def integer(self, name: str, default: int) -> int:
        """Return a whole number of the query. Raises a 400 for anything else."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.lstrip("+-").isdigit():
            raise invalid(f"`{name}` must be a whole number.")
        # Longer numbers are no page of anything, and Python refuses to read those with thousands of digits.
        if len(text) > _MAX_DIGITS:
            raise invalid(f"`{name}` is at most {10**_MAX_DIGITS - 1:,}.")
        try:
            return int(text)
        except ValueError as error:
            raise invalid(f"`{name}` must be a whole number.") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _check_depth(content: object) -> None:
    level: list[object] = [content]
    for _ in range(_MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _children(item: object) -> list[object]:
    if isinstance(item, dict):
        return list(cast("dict[str, object]", item).values())
    return cast("list[object]", item) if isinstance(item, list) else []
