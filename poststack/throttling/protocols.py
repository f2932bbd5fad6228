"""What a client asks before every attempt, when its `rate_limit` is no number."""

from __future__ import annotations

from typing import Protocol

__all__ = ["AsyncRateLimiter", "RateLimiter"]


class RateLimiter(Protocol):
    """Gives places in a line to the calls of a `PostStack`. Must be safe to call from several threads."""

    def reserve(self, longest: float | None) -> float:
        """Take a place and return how many seconds to wait for it.

        When that is `longest` seconds or more, take none and return the wait all the same. What is raised is logged,
        and the call goes on: an e-mail matters more than the order of calls.
        """
        ...

    def hold(self, seconds: float) -> None:
        """Let nobody go for so long: the API has answered 429 with this `Retry-After`."""
        ...


class AsyncRateLimiter(Protocol):
    """Gives places in a line to the calls of an `AsyncPostStack`."""

    async def areserve(self, longest: float | None) -> float:
        """Take a place and return how many seconds to wait for it.

        When that is `longest` seconds or more, take none and return the wait all the same. What is raised is logged,
        and the call goes on: an e-mail matters more than the order of calls.
        """
        ...

    async def ahold(self, seconds: float) -> None:
        """Let nobody go for so long: the API has answered 429 with this `Retry-After`."""
        ...
