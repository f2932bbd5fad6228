"""Limits of calls a second from settings, in the same words for every framework.

    RATE_LIMIT = 50                                   # calls a second
    RATE_LIMIT_REDIS = "redis://localhost:6379/0"     # shared by all processes that use the same key

What is not set comes from the environment: `POSTSTACK_RATE_LIMIT`, `POSTSTACK_RATE_LIMIT_REDIS`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from poststack.throttling.naming import name_of_key
from poststack.throttling.redis_limiter import AsyncRedisRateLimiter, RedisRateLimiter

__all__ = ["RATE_LIMIT", "RATE_LIMIT_REDIS", "RateLimitChoice", "rate_limit_choice"]

RATE_LIMIT: Final = "POSTSTACK_RATE_LIMIT"
RATE_LIMIT_REDIS: Final = "POSTSTACK_RATE_LIMIT_REDIS"
_SCHEMES: Final = ("redis://", "rediss://", "unix://")


@dataclass(frozen=True)
class RateLimitChoice:
    """How many calls a second, and in which Redis they are counted; `None`: each client counts its own."""

    rate: float
    redis_url: str | None = field(default=None, repr=False)

    def limiter(self, api_key: str | None) -> float | RedisRateLimiter:
        """Return what a `PostStack` with this key is given as `rate_limit`; `None` is the key of the environment.

        Raises `ValueError` for what is no URL of a Redis, `ModuleNotFoundError` when redis-py is missing.
        """
        if self.redis_url is None:
            return self.rate
        return RedisRateLimiter(self.redis_url, self.rate, name=_name(api_key))

    def async_limiter(self, api_key: str | None) -> float | AsyncRedisRateLimiter:
        """Return what an `AsyncPostStack` is given; otherwise as `limiter`."""
        if self.redis_url is None:
            return self.rate
        return AsyncRedisRateLimiter(self.redis_url, self.rate, name=_name(api_key))

    def refuse_beside(self, what: str) -> None:
        """Raise `ValueError`: `what` sends, and cannot keep to the limit."""
        raise ValueError(
            f"A rate limit is kept by the client of PostStack, and {what} sends instead. Take the rate limit out of "
            f"the settings (and {RATE_LIMIT} out of the environment), or give it to the client that you make."
        )


def rate_limit_choice(
    rate: object, redis_url: object = None, *, names: tuple[str, str] = (RATE_LIMIT, RATE_LIMIT_REDIS)
) -> RateLimitChoice | None:
    """Return the limit that settings make, `None` for none. Each of the two comes from the environment if it is `None`.

    A number may be text. Raises `ValueError` naming the setting that is wrong, and never showing its value.
    """
    called, called_redis = names
    if rate is None:
        rate, called = os.environ.get(RATE_LIMIT), RATE_LIMIT
    if redis_url is None:
        redis_url, called_redis = os.environ.get(RATE_LIMIT_REDIS), RATE_LIMIT_REDIS
    url = _url(redis_url, called_redis)
    number = _number(rate, called)
    if number is None:
        if url is not None:
            raise ValueError(f"{called_redis} says where calls are counted. {names[0]} must say how many a second.")
        return None
    return RateLimitChoice(number, url)


def _number(value: object, name: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} must be a number of calls a second, more than 0.")
    return number


def _url(value: object, name: str) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or not value.strip().startswith(_SCHEMES):
        raise ValueError(f"{name} must be the URL of a Redis, such as redis://localhost:6379/0.")
    return value.strip()


def _name(api_key: str | None) -> str:
    return name_of_key(os.environ.get("POSTSTACK_API_KEY", "") if api_key is None else api_key)
