"""Everything that a MailBridge can raise.

Exception
└── MailBridgeError
├── ConfigurationError        a setting is missing, unknown, or cannot work
├── ProviderNotFoundError     no provider of that name
├── EmailSendError            the provider did not accept the e-mail, or it is unknown whether it did
├── BulkInterruptedError      the iterable of a bulk failed; what was sent before is kept
└── InvalidMessageError       something is wrong with the e-mail; nothing was sent (also a ValueError)
├── AttachmentError       with one of its files
└── UnsupportedFieldError it says something that the provider cannot
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.mailbridge.dto import EmailResponseDTO
    from poststack.providers.outcome import Failure, FailureKind

__all__ = [
    "AttachmentError",
    "BulkInterruptedError",
    "ConfigurationError",
    "EmailSendError",
    "InvalidMessageError",
    "MailBridgeError",
    "MissingSettingError",
    "ProviderNotFoundError",
    "UnsupportedFieldError",
    "UnsupportedFieldWarning",
]


class MailBridgeError(Exception):
    """The base of all of them."""


class ConfigurationError(MailBridgeError, ValueError):
    """A setting is missing, unknown, or cannot work. The text names it and never shows its value."""


class MissingSettingError(ConfigurationError):
    """A setting that the provider needs is not given: perhaps this is a build, which has no secrets."""


class ProviderNotFoundError(MailBridgeError):
    """No provider of that name; the text lists those that there are."""


class InvalidMessageError(MailBridgeError, ValueError):
    """Something is wrong with the e-mail. Nothing was sent. The text holds no address and no content."""


class AttachmentError(InvalidMessageError):
    """Something is wrong with a file. Nothing was sent."""


class UnsupportedFieldError(InvalidMessageError):
    """The e-mail says something that the provider cannot. Nothing was sent; `field` and `provider` name them.

    `MailBridge(…, unsupported="drop")` sends such e-mails without it, with an `UnsupportedFieldWarning`.
    """

    def __init__(self, message: str, field: str = "", provider: str = "") -> None:
        super().__init__(message, field, provider)
        self.field: str = field
        self.provider: str = provider

    def __str__(self) -> str:
        return str(self.args[0])


class UnsupportedFieldWarning(UserWarning):
    """Part of an e-mail was left out, because the provider cannot say it and `unsupported="drop"` was given."""


class EmailSendError(MailBridgeError):
    """The provider did not accept the e-mail, or it is unknown whether it did: look at `may_have_been_sent`."""

    def __init__(
        self,
        message: str,
        provider: str | None = None,
        original_error: BaseException | None = None,
        *,
        failure: Failure | None = None,
    ) -> None:
        super().__init__(message, provider, original_error)
        self.provider: str | None = provider
        self.original_error: BaseException | None = original_error
        self.failure: Failure | None = failure

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), str(self), self.provider, self.failure)

    @property
    def kind(self) -> FailureKind:
        """Why, such as 'rate_limited' or 'invalid_recipient'; see `poststack.providers.FailureKind`."""
        return "ambiguous" if self.failure is None else self.failure.kind

    @property
    def status_code(self) -> int | None:
        """The HTTP status or the SMTP reply code, `None` when there was no answer."""
        return self.failure.status if self.failure else None

    @property
    def code(self) -> str | None:
        """The provider's own code."""
        return self.failure.code if self.failure else None

    @property
    def request_id(self) -> str | None:
        """What the provider's support asks for."""
        return self.failure.request_id if self.failure else None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, when the provider said so."""
        return self.failure.retry_after if self.failure else None

    @property
    def transient(self) -> bool:
        """Whether the same e-mail, sent again later, may be accepted, and cannot be doubled by that."""
        return self.failure is not None and self.failure.transient

    @property
    def may_have_been_sent(self) -> bool:
        """Whether sending it again could double it."""
        return self.failure is None or self.failure.may_have_been_sent


class BulkInterruptedError(MailBridgeError):
    """The iterable of messages raised. `responses` are those of the e-mails before, in order; `__cause__` says why."""

    def __init__(self, message: str, responses: Sequence[EmailResponseDTO] = ()) -> None:
        super().__init__(message)
        self.responses: list[EmailResponseDTO] = list(responses)


def _rebuilt(kind: type[EmailSendError], message: str, provider: str | None, failure: Failure | None) -> EmailSendError:
    # The original error stays behind: it may be anything, also what no queue can write down.
    if failure is not None:
        failure.cause = None
    return kind(message, provider, failure=failure)
