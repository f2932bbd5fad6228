"""Who may call, and how often: API keys and the rate limiter."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from poststack.emulator.account.api_keys import find_api_key, has_made_form
from poststack.emulator.api.answers import RefusalError
from poststack.emulator.api.call import Caller
from poststack.emulator.backend import Backend

__all__ = ["RateLimiter", "authenticate"]

_TEST_PREFIX = "sk_test_"
_LIVE_PREFIX = "sk_live_"
_KEPT_USE = 1.0


def authenticate(backend: Backend, authorization: str | None, now: float) -> tuple[str, Caller]:
    """Return the key of an `Authorization` header and what it may do; raise a 401 for one that is not accepted.

    Keys that were made through the API are accepted while they are there, beside those of the settings; when there are
    none of these, every other key that starts with `sk_test_` is. Keys are compared in constant time.
    """
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise RefusalError(401, "Missing API key. Send it as: Authorization: Bearer sk_test_...")
    if _is_accepted(key, backend.settings.api_keys):
        return key, Caller(test_mode=not key.startswith(_LIVE_PREFIX))
    made = find_api_key(backend.store.api_keys, key)
    if made is None:
        raise RefusalError(401, _advice(key, backend.settings.api_keys))
    if made.last_used_at is None or now - made.last_used_at >= _KEPT_USE:
        # Not each use is a change: the data file, and the pages that follow changes, have better things to do.
        made.last_used_at = now
        backend.store.api_keys.save(made)
    return key, Caller(made.permission, made.mode == "test", made.domain)


def _is_accepted(key: str, accepted: Sequence[str]) -> bool:
    if not accepted:
        return key.startswith(_TEST_PREFIX) and key != _TEST_PREFIX and not has_made_form(key)
    given, known = key.encode("utf-8", "replace"), False
    for candidate in accepted:
        known |= hmac.compare_digest(given, candidate.encode())
    return known


def _advice(key: str, accepted: Sequence[str]) -> str:
    if has_made_form(key):
        return "Invalid API key. It was revoked or replaced, or the emulator that made it has forgotten it."
    if accepted:
        return "Invalid API key. The emulator was started with keys of its own."
    return "Invalid API key. The emulator accepts every key that starts with sk_test_."


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
