"""Remembers in Redis or Valkey, for all processes of an application. redis-py's client is given, never imported."""

from __future__ import annotations

import hashlib
import secrets
from inspect import isawaitable
from typing import Any, Final, Protocol

from poststack.receiving.stores import LEASE, RETENTION, Claim, Progress, check_seconds

__all__ = ["AsyncRedisEventStore", "RedisEventStore"]

_DONE: Final = "done"
# Deleting only what is still one's own: the lease may have ended, and somebody else may have begun.
_ABANDON: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class _Redis(Protocol):
    """`redis.Redis` or `redis.asyncio.Redis`."""

    def set(self, *args: Any, **kwargs: Any) -> Any: ...
    def get(self, *args: Any, **kwargs: Any) -> Any: ...
    def eval(self, *args: Any, **kwargs: Any) -> Any: ...


class _Keys:
    def __init__(self, redis: _Redis, *, prefix: str, retention: float, lease: float) -> None:
        check_seconds(retention=retention, lease=lease)
        self._redis = redis
        self._prefix = prefix
        self._retention = round(retention * 1000)
        self._lease = round(lease * 1000)

    def _name(self, key: str) -> str:
        # A digest: keys have one length then, whatever is in an event's id.
        return self._prefix + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _claim(key: str, token: str, claimed: object, found: object) -> Claim:
    if claimed:
        return Claim(key, Progress.NEW, token)
    # It may be gone by now; whoever had it has just given it up, and PostStack asks again.
    return Claim(key, Progress.DONE if found in {_DONE, _DONE.encode()} else Progress.IN_PROGRESS)


class RedisEventStore(_Keys):
    """Remembers for a `WebhookReceiver`, in all processes: `RedisEventStore(redis.Redis.from_url(…))`.

    What is done is remembered for `retention` seconds. Somebody who began and has not finished after `lease` seconds is
    taken for dead. Names in Redis begin with `prefix`.
    """

    def __init__(
        self, redis: _Redis, *, prefix: str = "poststack:event:", retention: float = RETENTION, lease: float = LEASE
    ) -> None:
        super().__init__(redis, prefix=prefix, retention=retention, lease=lease)

    def begin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        name, token = self._name(key), secrets.token_hex(8)
        claimed = self._redis.set(name, token, nx=True, px=self._lease)
        if isawaitable(claimed):
            getattr(claimed, "close", bool)()
            raise TypeError("RedisEventStore needs redis.Redis. For redis.asyncio.Redis there is AsyncRedisEventStore.")
        return _claim(key, token, claimed, None if claimed else self._redis.get(name))

    def finish(self, claim: Claim) -> None:
        """Remember that it is done."""
        self._redis.set(self._name(claim.key), _DONE, px=self._retention)

    def abandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        self._redis.eval(_ABANDON, 1, self._name(claim.key), claim.token)


class AsyncRedisEventStore(_Keys):
    """Remembers for an `AsyncWebhookReceiver`: `AsyncRedisEventStore(redis.asyncio.Redis.from_url(…))`.

    What is done is remembered for `retention` seconds. Somebody who began and has not finished after `lease` seconds is
    taken for dead. Names in Redis begin with `prefix`; they are those of a `RedisEventStore`, so both may share one.
    """

    def __init__(
        self, redis: _Redis, *, prefix: str = "poststack:event:", retention: float = RETENTION, lease: float = LEASE
    ) -> None:
        super().__init__(redis, prefix=prefix, retention=retention, lease=lease)

    async def abegin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        name, token = self._name(key), secrets.token_hex(8)
        claiming = self._redis.set(name, token, nx=True, px=self._lease)
        if not isawaitable(claiming):
            self._redis.eval(_ABANDON, 1, name, token)
            raise TypeError("AsyncRedisEventStore needs redis.asyncio.Redis. For redis.Redis there is RedisEventStore.")
        claimed = await claiming
        return _claim(key, token, claimed, None if claimed else await self._redis.get(name))

    async def afinish(self, claim: Claim) -> None:
        """Remember that it is done."""
        await self._redis.set(self._name(claim.key), _DONE, px=self._retention)

    async def aabandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        await self._redis.eval(_ABANDON, 1, self._name(claim.key), claim.token)
