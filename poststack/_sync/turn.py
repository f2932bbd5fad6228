# Written by tools/unasync.py from poststack/_async/turn.py. Do not edit.
"""One go at an event: nobody else has it at the same time, and nobody has it again once it is finished."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from poststack.receiving.checking import WebhookAnswer
from poststack.receiving.settling import abandon, finish
from poststack.receiving.stores import Progress

if TYPE_CHECKING:
    from poststack.events import WebhookEvent
    from poststack.receiving.stores import Claim, EventStore

__all__ = ["Turn"]

logger = logging.getLogger("poststack.webhooks")


class Turn:
    """One go at an event, for what deals with events and is no handler of a receiver.

    `name` says who deals with it, the same in every process. Ask `begin`, then say how it ended.
    """

    __module__ = "poststack.receiving"

    def __init__(self, store: EventStore, event: WebhookEvent, name: str) -> None:
        self._store = store
        self._event = event
        self._name = name
        self._claim: Claim | None = None

    def begin(self) -> WebhookAnswer | None:
        """Return `None` when it is your turn, else what to answer: 200 for what is done, 503 to be asked again."""
        try:
            claim = self._store.begin(f"{self._event.id}/{self._name}")
        except Exception:  # any store may be given, and PostStack tries again
            logger.exception("Event %s: the event store failed, so %s was not called.", self._event.id, self._name)
            return WebhookAnswer(503, "The event cannot be stored now.")
        if claim.progress is Progress.DONE:
            logger.info("Event %s: %s has dealt with it before.", self._event.id, self._name)
            return WebhookAnswer(200, "The event has been handled before.")
        if claim.progress is Progress.IN_PROGRESS:
            return WebhookAnswer(503, "The event is being handled.")
        self._claim = claim
        return None

    def finish(self) -> None:
        """Remember that it is done. Nothing is raised."""
        if self._claim is not None:
            finish(self._store, self._claim)

    def abandon(self) -> None:
        """Let the next delivery try. Nothing is raised."""
        if self._claim is not None:
            abandon(self._store, self._claim)
