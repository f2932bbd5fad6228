"""Several providers, one after the other, and never two of them for one e-mail."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from poststack._async.mailbridge import AsyncMailBridge
from poststack._async.mailer import AsyncMailer
from poststack.mailbridge.circuit import Circuit
from poststack.mailbridge.dto import EmailResponseDTO
from poststack.mailbridge.errors import ConfigurationError, UnsupportedFieldError
from poststack.providers.base import Provider
from poststack.providers.outcome import NOT_TAKEN_BY_THE_ACCOUNT, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from poststack.mailbridge.dto import EmailMessageDto
    from poststack.mailbridge.errors import InvalidMessageError
    from poststack.mailbridge.keys import AsyncKeyStore

__all__ = ["AsyncFailover"]

logger: logging.Logger = logging.getLogger("poststack")


class AsyncFailover(AsyncMailer):
    """Tries the next provider when the one before certainly did not take the e-mail.

        mailer = AsyncFailover([AsyncMailBridge("postmark", …), AsyncMailBridge("ses", …)])

    That is: it could not be reached, the account may not send or has used up its quota, it was too fast for longer than
    the MailBridge waits, or it cannot say what the e-mail says. An e-mail that may have been sent is reported and goes
    nowhere else, unless `allow_duplicates` is true; one that is refused for its own sake is refused everywhere. After
    `threshold` failures in a row a provider rests for `rest` seconds; then one call tries it again. The provider that
    took an e-mail is in its response. `keys` remembers idempotency keys for all of them together, so that an e-mail
    that is repeated after a crash does not go to another provider.

    Raises `ConfigurationError` for no providers, or for `keys` with one that is no adapter, and `TypeError` for what is
    no AsyncMailBridge.
    """

    __module__ = "poststack.mailbridge"

    def __init__(
        self,
        bridges: Sequence[AsyncMailBridge],
        *,
        allow_duplicates: bool = False,
        threshold: int = 5,
        rest: float = 30.0,
        keys: AsyncKeyStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bridges = list(bridges)
        if not self._bridges:
            raise ConfigurationError("A Failover needs at least one MailBridge.")
        for bridge in self._bridges:
            if not isinstance(bridge, AsyncMailBridge):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"A Failover is made of AsyncMailBridge objects, not {type(bridge).__name__}.")
            if keys is not None and not isinstance(bridge.provider, Provider):
                # It sends by itself, so nobody would know that it had begun when the next one is asked.
                raise ConfigurationError(f"`keys` is for adapters; {bridge.provider_name!r} sends by itself.")
        if keys is not None and not hasattr(keys, "abegin"):
            raise ConfigurationError(
                f"`keys` is a store with a method `abegin`, such as AsyncRedisKeyStore; {type(keys).__name__} has none."
            )
        self._allow_duplicates = allow_duplicates
        self._keys = keys
        self._circuits = [Circuit(threshold=threshold, rest=rest, clock=clock) for _ in self._bridges]

    @property
    def providers(self) -> tuple[str, ...]:
        """Return the names of the providers, in the order in which they are tried."""
        return tuple(bridge.provider_name for bridge in self._bridges)

    @property
    def from_email(self) -> str | None:
        """Return the sender that the first provider has for e-mails that have none."""
        return self._bridges[0].from_email

    @property
    def keys(self) -> AsyncKeyStore | None:
        """Return the store of idempotency keys that it was given."""
        return self._keys

    @property
    def circuits(self) -> list[Circuit]:
        """Return the state of each provider, in the same order."""
        return list(self._circuits)

    def minds_keys(self) -> bool:
        """Return false: a repetition may reach another provider, which knows nothing of the key."""
        return False

    def problem(self, message: EmailMessageDto) -> InvalidMessageError | None:
        """Return what the first provider finds wrong with an e-mail, `None` if one of them can send it. Reads files."""
        problems = [bridge.problem(message, keys_kept=self._keys is not None) for bridge in self._bridges]
        return None if None in problems else problems[0]

    async def respond(
        self, messages: Sequence[EmailMessageDto], *, timeout: float | None = None
    ) -> list[EmailResponseDTO]:
        """Send each e-mail and return one response for each, in order. What goes wrong is a response, never raised."""
        responses: dict[int, EmailResponseDTO] = {}
        pending: list[int] = list(range(len(messages)))
        for bridge, circuit in zip(self._bridges, self._circuits, strict=True):
            if not pending:
                break
            if not circuit.admits():
                continue
            if responses:
                logger.warning("%s is tried for %d e-mails that were not taken.", bridge.provider_name, len(pending))
            answers = await self._answers(bridge, circuit, [messages[index] for index in pending], timeout)
            for index, response in zip(pending, answers, strict=True):
                # What a further provider cannot say is no news of why the one before did not take it.
                if index not in responses or not _is_unsupported(response):
                    responses[index] = response
            pending = [index for index in pending if self._goes_on(responses[index])]
        for index in pending:
            responses.setdefault(index, self._all_rest())
        return [responses[index] for index in range(len(messages))]

    async def close(self) -> None:
        """Release the connections of all providers. Calling it again is harmless."""
        for bridge in self._bridges:
            await bridge.close()

    async def _answers(
        self, bridge: AsyncMailBridge, circuit: Circuit, messages: Sequence[EmailMessageDto], timeout: float | None
    ) -> list[EmailResponseDTO]:
        responses = await bridge.respond(messages, timeout=timeout, keys=self._keys)
        for response in responses:
            if response.success:
                circuit.succeeded()
            elif response.kind in NOT_TAKEN_BY_THE_ACCOUNT or response.may_have_been_sent:
                circuit.failed()
        return responses

    def _goes_on(self, response: EmailResponseDTO) -> bool:
        if response.success:
            return False
        if _is_unsupported(response):
            return True
        if response.may_have_been_sent:
            return self._allow_duplicates
        return response.kind in NOT_TAKEN_BY_THE_ACCOUNT

    def _all_rest(self) -> EmailResponseDTO:
        names = ", ".join(self.providers)
        text = f"No provider is asked at the moment: {names} failed too often just now. Nothing was sent."
        return EmailResponseDTO(False, None, None, text, failure=Failure("unavailable", text))

    def __repr__(self) -> str:
        return f"AsyncFailover({list(self.providers)!r})"


def _is_unsupported(response: EmailResponseDTO) -> bool:
    return isinstance(response.original_error, UnsupportedFieldError)
