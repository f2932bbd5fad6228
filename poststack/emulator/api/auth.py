"""Who may call, and how often: API keys and the rate limiter."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from poststack.emulator.api.answers import RefusalError

__all__ = ["RateLimiter", "authenticate"]

_TEST_PREFIX = "sk_test_"
_LIVE_PREFIX = "sk_live_"


def authenticate(authorization: str | None, accepted: Sequence[str]) -> tuple[str, bool]:
    """Return the key of an `Authorization` header and whether it is a test key; raise a 401 for any other.

    Without configured keys every key that starts with `sk_test_` is right. Keys are compared in constant
    time.
    """
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise RefusalError(401, "Missing API key. Send it as: Authorization: Bearer sk_test_...")
    if accepted:
        given, known = key.encode("utf-8", "replace"), False
        for candidate in accepted:
            known |= hmac.compare_digest(given, candidate.encode())
        if not known:
            raise RefusalError(401, "Invalid API key. The emulator was started with keys of its own.")
    elif not key.startswith(_TEST_PREFIX) or key == _TEST_PREFIX:
        raise RefusalError(401, "Invalid API key. The emulator accepts every key that starts with sk_test_.")
    return key, not key.startswith(_LIVE_PREFIX)


class RateLimiter:
    """Counts the requests of each key in windows of one second. A limit of 0 lets everything pass."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, key: str, now: float) -> dict[str, str]:
        """Count a request and return the `X-RateLimit-*` headers.

        Raise a 429 with them when it is one too many.
        """
        if not self._limit:
            return {}
        window = int(now)
        if window != self._window:
            self._window = window
            self._counts.clear()
        used = self._counts.get(key, 0) + 1
        self._counts[key] = used
        headers = {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(max(0, self._limit - used)),
            "X-RateLimit-Reset": str(window + 1),
        }
        if used > self._limit:
            raise RefusalError(
                429,
                f"More than {self._limit} requests per second.",
                headers={**headers, "Retry-After": "1"},
            )
        return headers
