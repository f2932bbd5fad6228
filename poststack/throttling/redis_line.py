"""One line of places in a Redis: everybody who asks for a place there stands behind everybody who asked before.

The generic cell rate algorithm without a burst. Redis runs each script alone and with its own clock, so neither do two
get one place, nor do the clocks of machines matter. Redis 5 or newer, or Valkey.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from poststack._throttle import MARGIN

__all__ = ["Line", "RedisClient", "Script"]

FASTEST: Final = 1_000_000.0
"""Calls a second: Redis tells microseconds."""

# The key has the moment at which the next place is free, in microseconds since 1970. As a text of digits: Lua would
# write such a number as 1.8e+15. It is kept until that moment, and a little longer for clocks that are set.
_NOW: Final = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2] "
_FREE_AT: Final = "local at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) "
_KEEP: Final = "redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000) + 1000) "
_RESERVE: Final = (
    f"{_NOW}{_FREE_AT}"
    "local longest = tonumber(ARGV[2]) "
    f"if longest < 0 or at - now < longest then local next = at + ARGV[1] {_KEEP} end "
    "return at - now"
)
_HOLD: Final = f"{_NOW}{_FREE_AT} local next = math.max(at, now + ARGV[1]) {_KEEP} return next - now"


class RedisClient(Protocol):
    """`redis.Redis`, `redis.asyncio.Redis`, or one of Valkey's."""

    def eval(self, *args: Any, **kwargs: Any) -> Any:
        """Run a script."""
        ...


class Script(NamedTuple):
    """A script and what it is run with: `client.eval(*script)`."""

    text: str
    keys: int
    key: str
    first: int
    second: int = 0


class Line:
    """The scripts of one line. Those who give places in it may have different rates: each keeps its own distance."""

    def __init__(self, key: str, rate: float) -> None:
        self._key = key
        # At least 1: with no distance at all there would be no order.
        self._interval = max(1, round(1_000_000 * MARGIN / rate))

    def reserve(self, longest: float | None) -> Script:
        """Return what takes a place, unless the wait for it is `longest` seconds or more. It returns the wait."""
        return Script(_RESERVE, 1, self._key, self._interval, -1 if longest is None else _microseconds(longest))

    def hold(self, seconds: float) -> Script:
        """Return what gives nobody a place before so many seconds are over."""
        return Script(_HOLD, 1, self._key, _microseconds(seconds))


def _microseconds(seconds: float) -> int:
    return round(min(max(seconds, 0.0), 1e9) * 1_000_000)
