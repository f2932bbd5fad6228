"""Clients of redis-py for URLs: one for each URL and process, whose silence does not last."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Final

__all__ = ["connected"]

PATIENCE: Final = 0.5
"""Seconds to connect, and for each answer."""


@lru_cache(maxsize=64)
def connected(url: str) -> Any:
    """Return the client for a URL; it connects when it is used, and anew after a fork.

    Raises `ValueError` for what is no URL of a Redis, without showing it: it may have a password.
    """
    try:
        # By name: redis-py describes its types in part only.
        redis, retrying, backoff = (import_module(name) for name in ("redis", "redis.retry", "redis.backoff"))
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A rate limit in a Redis needs redis-py. Install it with: pip install 'poststack[redis]'", name=error.name
        ) from None
    try:
        # A connection that was closed while nobody used it is opened again, once. Silence is not waited for twice.
        once_more: Any = retrying.Retry(backoff.NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE, retry=once_more)
    except (ValueError, TypeError):
        raise ValueError("That is no URL of a Redis. Write it like redis://localhost:6379/0.") from None
