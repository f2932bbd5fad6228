"""A limit of calls a second that all processes keep to together, in a Redis or a Valkey.

A Redis that is away or slow never holds up e-mail: each process then keeps to the limit by itself, and asks Redis again
some seconds later.
"""

from __future__ import annotations

import time
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, cast

from poststack._seldom import SeldomWarning
from poststack._throttle import Throttle
from poststack.throttling.connecting import connected
from poststack.throttling.redis_line import FASTEST, Line

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

    from poststack.throttling.redis_line import RedisClient, Script

__all__ = ["AsyncRedisRateLimiter", "RedisRateLimiter"]

PREFIX: Final = "poststack:rate:"
PAUSE: Final = 5.0
"""Seconds for which a Redis that failed is not asked."""
THREADS: Final = 8
"""At most so many, for each event loop, wait for a client that is not asynchronous."""


class _Limiter:
    def __init__(self, redis: RedisClient | str, rate: float, *, name: str, prefix: str) -> None:
        given = cast("object", rate)  # Settings come from anywhere.
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given <= FASTEST:
            raise ValueError(f"rate must be more than 0 calls a second, and at most {FASTEST:,.0f}.")
        if not isinstance(cast("object", name), str) or not name:
            raise ValueError("name must be a text that says whose limit this is, the same in every process.")
        if not isinstance(redis, str) and not callable(getattr(redis, "eval", None)):
            raise ValueError("redis must be a URL such as redis://localhost:6379/0, or a client of redis-py or Valkey.")
        self._redis: Any = connected(redis) if isinstance(redis, str) else redis
        self._shown = f"rate={rate}, name={name!r}"
        self._line = Line(prefix + name, rate)
        # How this process goes on by itself.
        self._own = Throttle(rate)
        self._ask_again_at = float("-inf")
        self._failed = False
        self._warning = SeldomWarning(
            "The Redis of the shared rate limit does not answer (%s: %s). Until it does, this process keeps to the "
            "limit by itself, and all processes together may exceed it. Nothing needs to be sent again."
        )

    def _may_ask(self) -> bool:
        now = time.monotonic()
        if now < self._ask_again_at:
            return False
        if self._failed:
            # One tries; the others need not wait for the same silence.
            self._ask_again_at = now + PAUSE
        return True

    def _answered(self, microseconds: Any) -> float:
        wait = max(0.0, int(microseconds) / 1_000_000)
        self._failed = False
        self._ask_again_at = float("-inf")
        return wait

    def _gave_no_answer(self, error: Exception) -> None:
        self._failed = True
        self._ask_again_at = time.monotonic() + PAUSE
        self._warning.log(type(error).__name__, error)

    def _own_place(self, longest: float | None) -> float:
        now = time.monotonic()
        return self._own.reserve(now, None if longest is None else now + longest).wait

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"


class RedisRateLimiter(_Limiter):
    """Keeps all processes that use the same Redis and `name` under `rate` calls a second together.

        client = PostStack(rate_limit=RedisRateLimiter("redis://localhost:6379/0", 50, name="shop"))

    `redis` is a URL, for which redis-py is needed and time-outs are half a second, or a client of redis-py or Valkey:
    give that short time-outs and no retries, for e-mail waits as long as they say. Calls are 1/rate seconds apart, and
    5 % more. The API counts per key, so give each API key a `name` of its own, which is not the key. Names in Redis
    begin with `prefix`, and expire by themselves; threads and forked processes may share one limiter.

    A Redis that does not answer is told by one warning a minute. Then each process keeps to the rate by itself and asks
    again after 5 s. A caller who gives up while it waits leaves its place empty, which costs the others 1/rate seconds:
    those behind it know their places already.

    Raises `ValueError` for a rate that is not over 0, an empty name, or what is neither a URL nor a client, `TypeError`
    for an asynchronous client, and `ModuleNotFoundError` when redis-py is missing.
    """

    def __init__(self, redis: RedisClient | str, rate: float, *, name: str = "default", prefix: str = PREFIX) -> None:
        if _is_asynchronous(redis):
            raise TypeError("RedisRateLimiter needs redis.Redis. For redis.asyncio.Redis take AsyncRedisRateLimiter.")
        super().__init__(redis, rate, name=name, prefix=prefix)

    def reserve(self, longest: float | None) -> float:
        """Take a place and return the seconds to wait for it; none when that is `longest` or more. Never raises."""
        if self._may_ask():
            try:
                return self._answered(self._redis.eval(*self._line.reserve(longest)))
            except Exception as error:  # noqa: BLE001  # any client may be given
                self._gave_no_answer(error)
        return self._own_place(longest)

    def hold(self, seconds: float) -> None:
        """Give nobody a place for so long, and then one after another. Never raises."""
        if self._may_ask():
            try:
                self._answered(self._redis.eval(*self._line.hold(seconds)))
            except Exception as error:  # noqa: BLE001  # any client may be given
                self._gave_no_answer(error)


class AsyncRedisRateLimiter(_Limiter):
    """Does the same for an `AsyncPostStack`, in one line with every `RedisRateLimiter` of the same name.

        client = AsyncPostStack(rate_limit=AsyncRedisRateLimiter("redis://localhost:6379/0", 50, name="shop"))

    `redis` is a URL, or a client. A client of `redis.asyncio` belongs to one event loop of asyncio. A URL, and a
    synchronous client, serve any number of loops, and trio: they are waited for on threads.
    """

    def __init__(self, redis: RedisClient | str, rate: float, *, name: str = "default", prefix: str = PREFIX) -> None:
        super().__init__(redis, rate, name=name, prefix=prefix)
        self._awaited = _is_asynchronous(redis)
        self._threads: RunVar[CapacityLimiter] | None = None

    async def areserve(self, longest: float | None) -> float:
        """Take a place and return the seconds to wait for it; none when that is `longest` or more. Never raises."""
        if self._may_ask():
            try:
                return self._answered(await self._eval(self._line.reserve(longest)))
            except Exception as error:  # noqa: BLE001  # any client may be given
                self._gave_no_answer(error)
        return self._own_place(longest)

    async def ahold(self, seconds: float) -> None:
        """Give nobody a place for so long, and then one after another. Never raises."""
        if self._may_ask():
            try:
                self._answered(await self._eval(self._line.hold(seconds)))
            except Exception as error:  # noqa: BLE001  # any client may be given
                self._gave_no_answer(error)

    async def _eval(self, script: Script) -> Any:
        if self._awaited:
            return await self._redis.eval(*script)
        from anyio import to_thread

        # Given up at once by whoever is cancelled: the thread ends by itself, within the client's time-outs.
        return await to_thread.run_sync(
            self._redis.eval, *script, limiter=self._thread_limiter(), abandon_on_cancel=True
        )

    def _thread_limiter(self) -> CapacityLimiter:
        # Its own: the threads that an application has for its blocking code may all be waiting for this call.
        from anyio import CapacityLimiter
        from anyio.lowlevel import RunVar

        if self._threads is None:
            self._threads = RunVar(f"poststack threads {id(self)}")
        try:
            return self._threads.get()
        except LookupError:
            limiter = CapacityLimiter(THREADS)
            self._threads.set(limiter)
            return limiter


def _is_asynchronous(redis: RedisClient | str) -> bool:
    method = getattr(redis, "execute_command", None) or getattr(redis, "eval", None)
    return iscoroutinefunction(cast("Any", method))
