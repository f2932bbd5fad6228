"""What goes in and out of a MailBridge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from poststack.mailbridge.errors import EmailSendError, InvalidMessageError
from poststack.types import Attachment as ApiAttachment

if TYPE_CHECKING:
    from datetime import datetime

    from poststack.providers.outcome import Failure, FailureKind

__all__ = ["BulkEmailDTO", "BulkEmailResponseDTO", "EmailMessageDto", "EmailResponseDTO", "FileLike", "addressees"]

FileLike: TypeAlias = "PathLike[str] | tuple[str, bytes | str, str] | ApiAttachment"
"""A path; or (file name, content, media type), where text is written in UTF-8; or what `poststack.attachments` makes,
which can be shown inside the HTML."""


@dataclass
class EmailMessageDto:
    """One e-mail. The first 13 fields are MailBridge's, in its order; the others are given by name.

    `body` is HTML unless `html` is false; `text` is the same as plain text, beside it. Addresses are texts such as
    `Ada <ada@example.com>`, or several in a list. Raises `InvalidMessageError`, which is a `ValueError`, when there is
    neither a template nor a subject and a body.
    """

    to: str | list[str] = field(repr=False)
    subject: str | None = field(default=None, repr=False)
    body: str | None = field(default=None, repr=False)
    from_email: str | None = field(default=None, repr=False)
    cc: str | list[str] | None = field(default=None, repr=False)
    bcc: str | list[str] | None = field(default=None, repr=False)
    reply_to: str | list[str] | None = field(default=None, repr=False)
    attachments: Sequence[FileLike] | None = field(default=None, repr=False)
    html: bool = True
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    template_id: str | int | None = None
    template_data: Mapping[str, Any] | None = field(default=None, repr=False)
    tags: Sequence[str] | None = None
    text: str | None = field(default=None, repr=False, kw_only=True)
    metadata: Mapping[str, str] | None = field(default=None, repr=False, kw_only=True)
    scheduled_at: datetime | None = field(default=None, kw_only=True)
    """With a time zone."""
    idempotency_key: str | None = field(default=None, kw_only=True)
    track_opens: bool | None = field(default=None, kw_only=True)
    track_clicks: bool | None = field(default=None, kw_only=True)
    options: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)
    """What only this provider has, as its API writes it."""

    def __post_init__(self) -> None:
        self.to = addressees(self.to)
        if self.cc is not None:
            self.cc = addressees(self.cc)
        if self.bcc is not None:
            self.bcc = addressees(self.bcc)
        if self.template_id is None:
            if not self.subject:
                raise InvalidMessageError("The e-mail has no `subject`. Give one, or a `template_id`.")
            if not self.body and not self.text:
                raise InvalidMessageError("The e-mail has no `body`. Give one, or a `template_id`.")

    def is_template_email(self) -> bool:
        """Return whether a template of the provider's is sent."""
        return self.template_id is not None


@dataclass
class EmailResponseDTO:
    """What became of one e-mail. The first five fields are MailBridge's, in its order."""

    success: bool
    message_id: str | None = None
    provider: str | None = None
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
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
        return self.failure is not None and self.failure.may_have_been_sent

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


@dataclass
class BulkEmailDTO:
    """E-mails with a common sender and common tags. The messages themselves stay as they are."""

    messages: list[EmailMessageDto] = field(repr=False)
    default_from: str | None = field(default=None, repr=False)
    tags: list[str] | None = None

    def __post_init__(self) -> None:
        if not self.messages:
            raise InvalidMessageError("A bulk needs at least one message.")
        self.messages = [with_defaults(message, self.default_from, self.tags) for message in self.messages]


@dataclass
class BulkEmailResponseDTO:
    """One response for each e-mail, in the order in which they were given."""

    total: int
    successful: int
    failed: int
    responses: list[EmailResponseDTO] = field(repr=False)

    @classmethod
    def from_responses(cls, responses: Iterable[EmailResponseDTO]) -> BulkEmailResponseDTO:
        """Return the responses, counted."""
        found = list(responses)
        successful = sum(response.success for response in found)
        return cls(len(found), successful, len(found) - successful, found)

    @property
    def failures(self) -> dict[int, EmailResponseDTO]:
        """Return the responses of those that were not accepted, by their place in the bulk, counted from 0."""
        return {index: response for index, response in enumerate(self.responses) if not response.success}


def addressees(given: str | Iterable[str]) -> list[str]:
    """Return a list of addresses, also for one. Raises `InvalidMessageError` for what is neither."""
    value = cast("object", given)  # Not everybody runs a type checker.
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise InvalidMessageError(f"Addresses are a text or a list of texts, not {type(given).__name__}.")
    return list(cast("Iterable[str]", value))


def with_defaults(message: EmailMessageDto, sender: str | None, tags: Sequence[str] | None) -> EmailMessageDto:
    """Return the message with a sender, if it has none, and with further tags; the same one if nothing changes."""
    if not isinstance(cast("object", message), EmailMessageDto):
        return message  # Told as the outcome of this one, so that it costs no other.
    changes: dict[str, Any] = {}
    if sender and not message.from_email:
        changes["from_email"] = sender
    if tags:
        changes["tags"] = list(dict.fromkeys([*(message.tags or ()), *tags]))
    return replace(message, **changes) if changes else message
