"""What a limit is called in a Redis, where every process that sends with one key must find the same one."""

from __future__ import annotations

from hashlib import sha256

__all__ = ["name_of_key"]


def name_of_key(api_key: str) -> str:
    """Return the name of the limit of an API key, as the integrations have it: a digest, which does not tell the key.

    RedisRateLimiter("redis://localhost:6379/0", 50, name=name_of_key("sk_live_…"))
    """
    # Keys are long and random, so nobody finds one by trying; 64 bits tell as many apart as one Redis has.
    return sha256(b"poststack rate limit " + api_key.strip().encode()).hexdigest()[:16]
