"""What came with an answer: `client.with_response` returns it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RateLimit", "Response"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RateLimit:
    """What the API says of its limit of calls. What it leaves out, or writes as no number, is `None`."""

    limit: int | None = None
    """How many calls the window allows."""
    remaining: int | None = None
    """How many of them are left."""
    reset: float | None = None
    """When the window ends, as it was sent. The API does not say in which unit; the emulator sends seconds since 1970.
    """

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Return what headers with lower-case names say, `None` when they say nothing."""
        names = ("limit", "remaining", "reset")
        limit, remaining, reset = (_number(headers.get(f"x-ratelimit-{name}")) for name in names)
        if limit is remaining is reset is None:
            return None
        return cls(None if limit is None else int(limit), None if remaining is None else int(remaining), reset)


@dataclass(frozen=True, repr=False)
class Response(Generic[Answer]):
    """The answer to one call, and what came with it."""

    data: Answer
    """What the method returns."""
    status_code: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    attempts: int
    """How often the request was sent: 1, unless attempts before failed."""

    @property
    def request_id(self) -> str | None:
        """What support asks for: the API's id of the last attempt."""
        return self.headers.get("x-request-id")

    @property
    def rate_limit(self) -> RateLimit | None:
        """What is left of the limit of calls, `None` when the API does not say."""
        return RateLimit.of(self.headers)

    def __repr__(self) -> str:
        """Return what identifies the call; the answer can be somebody's mail."""
        return f"Response(status_code={self.status_code}, request_id={self.request_id!r}, attempts={self.attempts})"


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
