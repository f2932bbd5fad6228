"""Keeps idempotency keys for providers that know none: nothing is sent under a key whose end is not known."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from poststack.providers._shielded import ashielded
from poststack.providers.outcome import Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.mailbridge.keys import AsyncKeyStore
    from poststack.providers.message import Message

__all__ = ["AsyncKeeping"]

logger: logging.Logger = logging.getLogger("poststack")


class Known(NamedTuple):
    """What the store says of a message before its call."""

    outcome: Outcome | None = None
    """`None` when it is to be sent now."""
    may_have_been_sent: bool = False
    """Whether an earlier attempt was left in doubt."""


class AsyncKeeping:
    """Claims keys before a call, and notes its end. `minds_keys`: the provider itself tells a repetition."""

    def __init__(self, store: AsyncKeyStore, provider: str, *, minds_keys: bool, allow_duplicates: bool) -> None:
        self._store = store
        self._provider = provider
        self._minds_keys = minds_keys
        self._allow_duplicates = allow_duplicates

    async def begin(self, messages: Sequence[Message]) -> list[Known]:
        """Return what is known of each message. When it is interrupted, what it has claimed is free again."""
        known: list[Known] = []
        try:
            for message in messages:
                known.append(await self._claimed(message.idempotency_key))
        except BaseException:
            claimed = zip(messages, known, strict=False)
            await ashielded(self.afree, [message for message, claim in claimed if claim == Known()])
            raise
        return known

    async def afinish(self, messages: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        """Note what became of messages that were to be sent. What may have been sent stays in doubt."""
        for message, outcome in zip(messages, outcomes, strict=True):
            key, failure = message.idempotency_key, outcome.failure
            if key is None or (failure is not None and failure.may_have_been_sent):
                continue
            try:
                if failure is None:
                    await self._store.afinish(key, outcome.message_id)
                else:
                    await self._store.aabandon(key)
            except Exception:
                # The e-mail is sent, or not; that the note of it failed must not hide which. It stays in doubt.
                logger.exception("The end of an idempotency key could not be noted, so it stays in doubt.")

    async def afree(self, messages: Sequence[Message]) -> None:
        """Forget the claims of messages that were to be sent and certainly were not."""
        await self.afinish(messages, [Outcome(failure=Failure("unavailable", "Not sent.")) for _ in messages])

    async def _claimed(self, key: str | None) -> Known:
        if key is None:
            return Known()
        try:
            claim = await self._store.abegin(key, self._provider)
        except Exception as error:
            logger.exception("The store of idempotency keys did not answer.")
            text = f"The store of idempotency keys did not answer ({type(error).__name__}). Nothing was sent."
            return Known(Outcome(failure=Failure("unavailable", text, cause=error)))
        if claim.state == "new":
            return Known()
        if claim.state == "done":
            return Known(Outcome(claim.message_id, replayed=True))
        # Whoever began it knows the key, and will tell whether it was sent.
        if self._allow_duplicates or (self._minds_keys and claim.provider == self._provider):
            return Known(may_have_been_sent=True)
        text = (
            f"An attempt with this idempotency key was begun at {claim.provider} and its end is not known: it may have "
            "been sent. Look into the provider's log; `abandon` of the key store lets it be sent again."
        )
        return Known(Outcome(failure=Failure("ambiguous", text)))
