"""Idempotency keys for providers that know none: which have been begun, and which are done.

A key that was begun and has no end is in doubt: the process may have died between the provider's acceptance and the
note of it. Nothing is sent under such a key again, unless duplicates are allowed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import OrderedDict
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol
from uuid import uuid4

from poststack.mailbridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = [
    "AsyncKeyStore",
    "AsyncRedisKeyStore",
    "KeyClaim",
    "KeyStore",
    "MemoryKeyStore",
    "RedisKeyStore",
    "SqliteKeyStore",
]

RETENTION: Final = 14 * 86_400.0
"""Seconds; as long as PostStack itself remembers keys at least."""
PATIENCE: Final = 30.0
"""Seconds to wait for other processes that use the same file."""


class KeyClaim(NamedTuple):
    """The answer to `begin`: `new` is yours to send, `done` has its id, `in doubt` may have been sent."""

    state: Literal["new", "done", "in doubt"]
    provider: str
    """By whom it was begun."""
    message_id: str | None = None


class KeyStore(Protocol):
    """Remembers for a `MailBridge`. Must be safe to call from several threads."""

    def begin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        ...

    def finish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        ...

    def abandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        ...


class AsyncKeyStore(Protocol):
    """Remembers for an `AsyncMailBridge`."""

    async def abegin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        ...

    async def afinish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        ...

    async def aabandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        ...


class MemoryKeyStore:
    """Remembers in this process: enough against a retry in it, not against its death.

    The oldest are forgotten when there are more than `max_entries`.
    """

    def __init__(self, *, max_entries: int = 50_000) -> None:
        if max_entries < 1:
            raise ValueError("max_entries must be at least 1.")
        self._max_entries = max_entries
        self._entries: OrderedDict[str, KeyClaim] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        with self._lock:
            known = self._entries.get(key)
            if known is not None:
                return known
            self._put(key, KeyClaim("in doubt", provider))
            return KeyClaim("new", provider)

    def finish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        with self._lock:
            begun = self._entries.get(key)
            self._put(key, KeyClaim("done", begun.provider if begun else "", message_id))

    def abandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        with self._lock:
            known = self._entries.get(key)
            # Where duplicates are allowed, one attempt may be refused when another one has been accepted.
            if known is not None and known.state != "done":
                del self._entries[key]

    async def abegin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        return self.begin(key, provider)

    async def afinish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        self.finish(key, message_id)

    async def aabandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        self.abandon(key)

    def _put(self, key: str, claim: KeyClaim) -> None:
        self._entries[key] = claim
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


class SqliteKeyStore:
    """Remembers in a file: for all processes of one machine, and over crashes and restarts.

    The file must be on a local disk. Keys are forgotten `retention` seconds after they were begun. Raises
    `ConfigurationError` when the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str], *, retention: float = RETENTION) -> None:
        if not retention > 0:
            raise ValueError("retention must be a number of seconds, more than 0.")
        self._path = path
        self._retention = retention
        try:
            self._create()
        except sqlite3.Error as error:
            raise ConfigurationError(f"The key store {os.fspath(path)!r} cannot be used: {error}.") from error

    def _create(self) -> None:
        with closing(self._connected()) as database:
            # Readers and the one writer do not wait for each other; each commit is on disk before it is answered.
            _switch_to_wal(database)
            database.execute(
                "CREATE TABLE IF NOT EXISTS keys "
                "(key TEXT PRIMARY KEY, provider TEXT NOT NULL, begun REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0, "
                "message_id TEXT)"
            )
            database.execute("CREATE INDEX IF NOT EXISTS keys_begun ON keys (begun)")

    def begin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        now = time.time()
        with closing(self._connected()) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM keys WHERE begun < ?", (now - self._retention,))
            known = database.execute("SELECT done, provider, message_id FROM keys WHERE key = ?", (key,)).fetchone()
            if known is None:
                database.execute("INSERT INTO keys (key, provider, begun) VALUES (?, ?, ?)", (key, provider, now))
            database.execute("COMMIT")
        if known is None:
            return KeyClaim("new", provider)
        return KeyClaim("done" if known[0] else "in doubt", known[1], known[2])

    def finish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        with closing(self._connected()) as database:
            database.execute("UPDATE keys SET done = 1, message_id = ? WHERE key = ?", (message_id, key))

    def abandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        with closing(self._connected()) as database:
            database.execute("DELETE FROM keys WHERE key = ? AND done = 0", (key,))

    async def abegin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        from anyio import to_thread

        return await to_thread.run_sync(self.begin, key, provider)

    async def afinish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        from anyio import to_thread

        await to_thread.run_sync(self.finish, key, message_id)

    async def aabandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        from anyio import to_thread

        await to_thread.run_sync(self.abandon, key)

    def _connected(self) -> sqlite3.Connection:
        # Opened for each call: a connection belongs to one thread, and must not be carried over a fork.
        database = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        database.execute("PRAGMA synchronous = FULL")
        return database


def _switch_to_wal(database: sqlite3.Connection) -> None:
    """Switch, also when several processes do so at the same moment: SQLite does not wait for the others there."""
    ends_at = time.monotonic() + PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends_at:
                raise
            time.sleep(0.01)
        else:
            return


class RedisClient(Protocol):
    """The part of redis-py's client that is used."""

    def set(self, name: str, value: str, *, nx: bool = ..., px: int = ...) -> Any:
        """Set a value; `None` when it exists and `nx` is given."""
        ...

    def get(self, name: str) -> Any:
        """Return a value as bytes or text, `None` for none."""
        ...

    def delete(self, *names: str) -> Any:
        """Delete values."""
        ...


class AsyncRedisClient(Protocol):
    """The part of redis-py's asynchronous client that is used."""

    def set(self, name: str, value: str, *, nx: bool = ..., px: int = ...) -> Awaitable[Any]:
        """Set a value; `None` when it exists and `nx` is given."""
        ...

    def get(self, name: str) -> Awaitable[Any]:
        """Return a value as bytes or text, `None` for none."""
        ...

    def delete(self, *names: str) -> Awaitable[Any]:
        """Delete values."""
        ...


class _RedisKeys:
    def __init__(self, *, prefix: str, retention: float) -> None:
        self._prefix = prefix
        self._milliseconds = int(retention * 1000)
        if self._milliseconds < 1:
            raise ValueError("retention must be a number of seconds, more than 0.")


class RedisKeyStore(_RedisKeys):
    """Remembers in a Redis, for all processes that use it. Give a client of redis-py, of a Redis that keeps its data.

    A Redis that evicts keys, or loses its last second in a crash, forgets what was sent.
    """

    def __init__(self, client: RedisClient, *, prefix: str = "poststack:keys:", retention: float = RETENTION) -> None:
        super().__init__(prefix=prefix, retention=retention)
        self._client = client

    def begin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        name, begun = self._prefix + key, _begun(provider)
        if self._client.set(name, begun, nx=True, px=self._milliseconds):
            return KeyClaim("new", provider)
        return _claim(self._client.get(name), begun)

    def finish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        self._client.set(self._prefix + key, f"done:{message_id or ''}", px=self._milliseconds)

    def abandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        name = self._prefix + key
        # Where duplicates are allowed, one attempt may be refused when another one has been accepted.
        if _claim(self._client.get(name)).state != "done":
            self._client.delete(name)


class AsyncRedisKeyStore(_RedisKeys):
    """Does the same with an asynchronous client of redis-py."""

    def __init__(
        self, client: AsyncRedisClient, *, prefix: str = "poststack:keys:", retention: float = RETENTION
    ) -> None:
        super().__init__(prefix=prefix, retention=retention)
        self._client = client

    async def abegin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        name, begun = self._prefix + key, _begun(provider)
        if await self._client.set(name, begun, nx=True, px=self._milliseconds):
            return KeyClaim("new", provider)
        return _claim(await self._client.get(name), begun)

    async def afinish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        await self._client.set(self._prefix + key, f"done:{message_id or ''}", px=self._milliseconds)

    async def aabandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        name = self._prefix + key
        if _claim(await self._client.get(name)).state != "done":
            await self._client.delete(name)


def _begun(provider: str) -> str:
    return f"begun:{uuid4().hex}:{provider}"


def _claim(value: Any, own: str | None = None) -> KeyClaim:
    text = value.decode() if isinstance(value, bytes) else str(value or "")
    state, _, rest = text.partition(":")
    if state == "done":
        return KeyClaim("done", "", rest or None)
    provider = rest.partition(":")[2]
    # redis-py repeats a command whose answer was lost, and the repetition finds what the first one has set.
    if text == own:
        return KeyClaim("new", provider)
    # Also when it expired between the two commands: that it was there is known, and what became of it is not.
    return KeyClaim("in doubt", provider)
