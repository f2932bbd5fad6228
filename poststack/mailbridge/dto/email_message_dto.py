"""One e-mail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from poststack.mailbridge.errors import InvalidMessageError
from poststack.types import Attachment as ApiAttachment

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["EmailMessageDto", "FileLike", "addressees"]

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


def addressees(given: str | Iterable[str]) -> list[str]:
    """Return a list of addresses, also for one. Raises `InvalidMessageError` for what is neither."""
    value = cast("object", given)  # Not everybody runs a type checker.
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise InvalidMessageError(f"Addresses are a text or a list of texts, not {type(given).__name__}.")
    return list(cast("Iterable[str]", value))
