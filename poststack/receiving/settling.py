"""How a claim ends. Nothing is raised, and somebody who is being cancelled still says how it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from poststack.receiving.stores import AsyncEventStore, Claim, EventStore

__all__ = ["aabandon", "abandon", "afinish", "finish"]

PATIENCE: Final = 5.0
"""Seconds that an asynchronous store has: whoever is being cancelled must not hang."""

UNFINISHED: Final = "The event store failed: that %s is done could not be stored."  # At worst it is done once more.
UNABANDONED: Final = "The event store failed: %s can be done again only when its lease has ended."

logger: logging.Logger = logging.getLogger("poststack.webhooks")


def finish(store: EventStore, claim: Claim) -> None:
    """Remember that it is done."""
    try:
        store.finish(claim)
    except Exception:
        logger.exception(UNFINISHED, claim.key)


def abandon(store: EventStore, claim: Claim) -> None:
    """Let the next one try."""
    try:
        store.abandon(claim)
    except Exception:
        logger.exception(UNABANDONED, claim.key)


async def afinish(store: AsyncEventStore, claim: Claim) -> None:
    """Remember that it is done."""
    import anyio

    try:
        with anyio.fail_after(PATIENCE, shield=True):
            await store.afinish(claim)
    except Exception:
        logger.exception(UNFINISHED, claim.key)


async def aabandon(store: AsyncEventStore, claim: Claim) -> None:
    """Let the next one try."""
    import anyio

    try:
        with anyio.fail_after(PATIENCE, shield=True):
            await store.aabandon(claim)
    except Exception:
        logger.exception(UNABANDONED, claim.key)
