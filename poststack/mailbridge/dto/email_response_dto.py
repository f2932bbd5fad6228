"""What became of one e-mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from poststack.mailbridge.errors import EmailSendError, InvalidMessageError

if TYPE_CHECKING:
    from poststack.providers.outcome import Failure, FailureKind

__all__ = ["EmailResponseDTO"]


@dataclass
class EmailResponseDTO:
    """What became of one e-mail. The first five fields are MailBridge's, in its order."""

    success: bool
    message_id: str | None = None
    provider: str | None = None
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What else the provider said; it can name a recipient."""
    failure: Failure | None = None
    """Why it was not accepted, in terms that are the same for all providers."""
    refused: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Recipients, by address, who get nothing although the others do, and why."""
    replayed: bool = False
    """The idempotency key had been accepted before, so nothing was sent again."""
    request_id: str | None = None
    original_error: BaseException | None = field(default=None, repr=False)

    @property
    def kind(self) -> FailureKind | None:
        """Why it was not accepted, such as 'rate_limited'; `None` when it was."""
        return self.failure.kind if self.failure else None

    @property
    def may_have_been_sent(self) -> bool:
        """Whether it is unknown if it was sent; sending it again could double it."""
        return not self.success and (self.failure is None or self.failure.may_have_been_sent)

    @property
    def transient(self) -> bool:
        """Whether the same e-mail, sent again later, may be accepted, and cannot be doubled by that."""
        return self.failure is not None and self.failure.transient

    def raise_for_failure(self) -> EmailResponseDTO:
        """Return itself if the e-mail was accepted. Raises what `send` would have raised otherwise."""
        if self.success:
            return self
        if isinstance(self.original_error, InvalidMessageError):
            raise self.original_error
        error = EmailSendError(
            self.error or "The e-mail was not accepted.", self.provider, self.original_error, failure=self.failure
        )
        raise error from self.original_error
