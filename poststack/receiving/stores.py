"""Which handlers have dealt with which events, so that a delivery that is repeated does nothing again.

PostStack delivers an event until it is answered with success, so it may come twice, also at the same moment. A store
answers one question, atomically: may I do this now? What it is asked about is a key, made of an event and a handler.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, Protocol

__all__ = ["LEASE", "RETENTION", "AsyncEventStore", "Claim", "EventStore", "MemoryEventStore", "Progress"]

RETENTION: Final = 4 * 86_400.0
"""Seconds. Longer than events are accepted for (three days), and PostStack tries (one)."""
LEASE: Final = 120.0
"""Seconds after which whoever began and was never heard of again is taken for dead."""


class Progress(Enum):
    """What a store knows."""

    NEW = "new"
    """It is yours to do: end it with `finish` or `abandon`."""
    IN_PROGRESS = "in progress"
    """Somebody is at it."""
    DONE = "done"


class Claim(NamedTuple):
    """The answer to `begin`. `token` tells this claim from a later one on the same key."""

    key: str
    progress: Progress
    token: str = ""


class EventStore(Protocol):
    """Remembers for a `WebhookReceiver`. Must be safe to call from several threads."""

    def begin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        ...

    def finish(self, claim: Claim) -> None:
        """Remember that it is done."""
        ...

    def abandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        ...


class AsyncEventStore(Protocol):
    """Remembers for an `AsyncWebhookReceiver`."""

    async def abegin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        ...

    async def afinish(self, claim: Claim) -> None:
        """Remember that it is done."""
        ...

    async def aabandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        ...


def check_seconds(**durations: float) -> None:
    """Raise `ValueError` for a duration that remembers nothing."""
    for name, seconds in durations.items():
        if not 0.001 <= seconds < float("inf"):
            raise ValueError(f"{name} must be a number of seconds, more than 0.")


class _Entry(NamedTuple):
    token: str
    done: bool
    until: float


class MemoryEventStore:
    """Remembers in this process, for both kinds of receiver.

    It knows nothing of other processes, and forgets with its own: with several workers a repeated delivery may reach
    another one. Use a `RedisEventStore` there, or handlers that do no harm twice. The oldest are forgotten when there
    are more than `max_entries`, and each after `retention` seconds.
    """

    def __init__(
        self,
        *,
        max_entries: int = 50_000,
        retention: float = RETENTION,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_entries < 1:
            raise ValueError("max_entries must be at least 1.")
        check_seconds(retention=retention, lease=lease)
        self._max_entries = max_entries
        self._retention = retention
        self._lease = lease
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        now = self._clock()
        with self._lock:
            known = self._entries.get(key)
            if known is not None and known.until > now:
                return Claim(key, Progress.DONE if known.done else Progress.IN_PROGRESS)
            claim = Claim(key, Progress.NEW, secrets.token_hex(8))
            self._put(key, _Entry(claim.token, done=False, until=now + self._lease))
            return claim

    def finish(self, claim: Claim) -> None:
        """Remember that it is done."""
        with self._lock:
            self._put(claim.key, _Entry(claim.token, done=True, until=self._clock() + self._retention))

    def abandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        with self._lock:
            known = self._entries.get(claim.key)
            if known is not None and known.token == claim.token and not known.done:
                del self._entries[claim.key]

    async def abegin(self, key: str) -> Claim:
        """Claim a key, if it is neither done nor in progress."""
        return self.begin(key)

    async def afinish(self, claim: Claim) -> None:
        """Remember that it is done."""
        self.finish(claim)

    async def aabandon(self, claim: Claim) -> None:
        """Let the next one try, unless somebody else has claimed the key meanwhile."""
        self.abandon(claim)

    def _put(self, key: str, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
