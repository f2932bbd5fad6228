"""What shares a limit of calls a second between processes: give it to a client as `rate_limit`.

    from poststack.throttling import RedisRateLimiter

    client = PostStack(rate_limit=RedisRateLimiter("redis://localhost:6379/0", 50))

A number limits one client. An object of the shape `RateLimiter` (`AsyncRateLimiter` for `AsyncPostStack`) is asked
before every attempt, so that all who ask the same one, or the same Redis, keep to one limit together.
"""

from __future__ import annotations

from poststack.throttling.naming import name_of_key
from poststack.throttling.protocols import AsyncRateLimiter, RateLimiter
from poststack.throttling.redis_limiter import AsyncRedisRateLimiter, RedisRateLimiter

__all__ = ["AsyncRateLimiter", "AsyncRedisRateLimiter", "RateLimiter", "RedisRateLimiter", "name_of_key"]
