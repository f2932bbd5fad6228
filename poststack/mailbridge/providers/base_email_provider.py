"""Providers in the manner of MailBridge: a class that sends by itself.

Subclass it to bring a provider that was written for MailBridge. A new one is better written as an adapter, a subclass
of `poststack.providers.HttpProvider`: retries, time limits, connections and bulk are then done for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from poststack.mailbridge.dto import BulkEmailDTO, BulkEmailResponseDTO, EmailMessageDto, EmailResponseDTO

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["BaseEmailProvider", "BulkCapableProvider", "TemplateCapableProvider"]


class BaseEmailProvider(ABC):
    """Sends one e-mail with `send`. What is not overridden is built from that."""

    supported_fields: ClassVar[frozenset[str]] = frozenset()
    """Which fields beyond MailBridge's own it sends, such as 'text' and 'metadata'; the others are refused."""

    def __init__(self, **config: Any) -> None:
        self.config: dict[str, Any] = config
        self._validate_config()

    @abstractmethod
    def _validate_config(self) -> None:
        """Raise an error for settings that cannot work."""

    @abstractmethod
    def send(self, message: EmailMessageDto) -> EmailResponseDTO:
        """Send one e-mail, or raise."""

    def send_bulk(self, bulk: BulkEmailDTO) -> BulkEmailResponseDTO:
        """Send each e-mail, and return one response for each, in order."""
        responses: list[EmailResponseDTO] = []
        for message in bulk.messages:
            try:
                responses.append(self.send(message))
            except Exception as error:  # noqa: BLE001  # whatever it raises, the others are sent
                name = type(self).__name__
                responses.append(EmailResponseDTO(False, provider=name, error=str(error), original_error=error))
        return BulkEmailResponseDTO.from_responses(responses)

    async def async_send(self, message: EmailMessageDto) -> EmailResponseDTO:
        """Send one e-mail without blocking the event loop: in a thread, unless overridden."""
        from anyio import to_thread

        return await to_thread.run_sync(self.send, message)

    async def async_send_bulk(self, bulk: BulkEmailDTO) -> BulkEmailResponseDTO:
        """Send each e-mail without blocking the event loop: in a thread, unless overridden."""
        from anyio import to_thread

        return await to_thread.run_sync(self.send_bulk, bulk)

    def supports_templates(self) -> bool:
        """Return whether it sends templates of the provider's."""
        return False

    def supports_bulk_sending(self) -> bool:
        """Return whether several e-mails can travel in one request."""
        return False

    def close(self) -> None:  # noqa: B027  # there is nothing that must be done
        """Release connections."""

    async def async_close(self) -> None:
        """Release connections."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.async_close()


class TemplateCapableProvider(BaseEmailProvider):
    """A provider that sends templates."""

    def supports_templates(self) -> bool:
        """Return that it does."""
        return True


class BulkCapableProvider(BaseEmailProvider):
    """A provider with a way of its own to send many."""

    def supports_bulk_sending(self) -> bool:
        """Return that it has."""
        return True

    @abstractmethod
    def send_bulk(self, bulk: BulkEmailDTO) -> BulkEmailResponseDTO:
        """Send each e-mail, and return one response for each, in order."""
