"""Sends through a provider that was written for MailBridge; trusts it with nothing it does not promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from poststack.mailbridge.dto import BulkEmailDTO, EmailMessageDto, EmailResponseDTO
from poststack.mailbridge.errors import EmailSendError, InvalidMessageError, UnsupportedFieldError
from poststack.mailbridge.outgoing import refused_response
from poststack.providers.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.mailbridge.providers.base_email_provider import BaseEmailProvider

__all__ = ["AsyncCustomDelivery"]

_BEYOND: Final = ("text", "metadata", "scheduled_at", "idempotency_key", "track_opens", "track_clicks", "options")


class AsyncCustomDelivery:
    """Sends what a provider of the old kind says that it sends."""

    def __init__(self, provider: BaseEmailProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    async def respond(self, messages: Sequence[EmailMessageDto]) -> list[EmailResponseDTO]:
        """Return one response for each message, in order."""
        refused: dict[int, EmailResponseDTO] = {}
        to_send: list[EmailMessageDto] = []
        for index, message in enumerate(messages):
            error = self.problem(message)
            if error is None:
                to_send.append(message)
            else:
                refused[index] = refused_response(error, self._name)
        sent = iter(await self._sent(to_send))
        return [refused[index] if index in refused else next(sent) for index in range(len(messages))]

    def problem(self, message: EmailMessageDto) -> InvalidMessageError | None:
        """Return what the provider does not say that it can say, `None` if it can say all of the e-mail."""
        if not isinstance(cast("object", message), EmailMessageDto):
            return InvalidMessageError(f"A message is an EmailMessageDto, not {type(message).__name__}.")
        for field in _BEYOND:
            if getattr(message, field) not in (None, "") and field not in self._provider.supported_fields:
                text = f"`{field}`: {self._name} does not list it in `supported_fields`. Nothing was sent."
                return UnsupportedFieldError(text, field, self._name)
        return None

    async def aclose(self) -> None:
        """Release connections."""
        await self._provider.async_close()

    async def _sent(self, messages: list[EmailMessageDto]) -> list[EmailResponseDTO]:
        if not messages:
            return []
        try:
            if len(messages) == 1:
                return [self._checked(await self._provider.async_send(messages[0]))]
            responses = list((await self._provider.async_send_bulk(BulkEmailDTO(messages))).responses)
        except Exception as error:  # noqa: BLE001  # whatever it raises is the response to all of them
            return [self._failed(error) for _ in messages]
        if len(responses) == len(messages):
            return [self._checked(response) for response in responses]
        text = f"{self._name} answered for {len(responses)} of {len(messages)} e-mails, so it is unknown for which."
        return [self._failed(EmailSendError(text, self._name)) for _ in messages]

    def _checked(self, response: EmailResponseDTO) -> EmailResponseDTO:
        if isinstance(cast("object", response), EmailResponseDTO):
            return response
        text = f"{self._name} answered with {type(response).__name__}, so it is unknown whether the e-mail was sent."
        return self._failed(EmailSendError(text, self._name))

    def _failed(self, error: Exception) -> EmailResponseDTO:
        if isinstance(error, InvalidMessageError):
            return refused_response(error, self._name)
        # What it raises says nothing of whether the e-mail has left.
        failure = error.failure if isinstance(error, EmailSendError) else None
        failure = failure or Failure("ambiguous", str(error) or type(error).__name__, cause=error)
        return EmailResponseDTO(False, None, self._name, failure.message, failure=failure, original_error=error)
