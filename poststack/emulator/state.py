"""What the pages and the delivery loop of a running emulator share.

The emulator, its clock, and word of changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from poststack.emulator.core import Emulator
from poststack.emulator.model import Email, EventType
from poststack.emulator.store import Store

__all__ = ["AppState"]


class AppState:
    """One running emulator. Read from `store`; change it with the methods here, which know the time.

    Methods that take an e-mail's id raise `KeyError` for an unknown one.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        clock: Callable[[], float] = time.time,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self.emulator: Emulator = emulator
        self.store: Store = emulator.store
        self.stopping: bool = False
        self.allowed_hosts: frozenset[str] = frozenset(name.lower() for name in allowed_hosts)
        self._clock = clock
        self._ahead = 0.0
        self._waiting: set[asyncio.Future[bool]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        """Return seconds since 1970, as far ahead as the clock was moved."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock ahead; what becomes due happens at once."""
        self._ahead += seconds
        self._changed()

    def simulate(
        self,
        email_id: str,
        event: EventType,
        *,
        recipient: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Email:
        """Let an event happen to an e-mail. Raises `NotPossibleError` when it cannot."""
        return self.emulator.simulate(email_id, event, self.now(), recipient=recipient, metadata=metadata)

    def set_unread(self, email_id: str, unread: bool) -> None:
        """Mark an e-mail as read or unread."""
        self.emulator.set_unread(email_id, unread)

    def delete_email(self, email_id: str) -> None:
        """Delete an e-mail with its events and deliveries."""
        self.emulator.delete_email(email_id)

    def delete_emails(self) -> int:
        """Delete all e-mails; return how many."""
        return self.emulator.delete_emails()

    def replay(self, delivery_id: int) -> None:
        """Send a webhook delivery again. Raises `KeyError` for an unknown id."""
        self.emulator.replay(delivery_id, self.now())

    def stop(self) -> None:
        """Let requests that wait for a change give up, because the server is about to stop."""
        self.stopping = True
        self._changed()

    async def wait_for_change(self, revision: int, seconds: float) -> int:
        """Wait until the store's revision is another one, at most so long; return the revision."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.store.revision == revision and not self.stopping:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self.wait_for_word(left):
                break
        return self.store.revision

    async def wait_for_word(self, seconds: float) -> bool:
        """Wait until something changed; return false when nothing did for so long."""
        self._loop = loop = asyncio.get_running_loop()
        # Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes together with the word.
        word: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _tell, word, False)
        self._waiting.add(word)
        try:
            return await word
        finally:
            timer.cancel()
            self._waiting.discard(word)

    def listen(self) -> Callable[[], None]:
        """Start to hear of the emulator's changes, in this event loop; return what ends that."""
        self._loop = asyncio.get_running_loop()
        return self.emulator.subscribe(self._changed)

    def _changed(self) -> None:
        # Changes come from any thread, futures belong to the loop's.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for word in self._waiting:
            _tell(word, True)


def _tell(word: asyncio.Future[bool], changed: bool) -> None:
    if not word.done():
        word.set_result(changed)
