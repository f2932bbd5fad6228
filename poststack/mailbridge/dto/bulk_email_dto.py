"""Many e-mails with something in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from poststack.mailbridge.dto.email_message_dto import EmailMessageDto
from poststack.mailbridge.errors import InvalidMessageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BulkEmailDTO", "checked_tags", "with_defaults"]


@dataclass
class BulkEmailDTO:
    """E-mails with a common sender and common tags. The messages themselves stay as they are."""

    messages: list[EmailMessageDto] = field(repr=False)
    default_from: str | None = field(default=None, repr=False)
    tags: list[str] | None = None

    def __post_init__(self) -> None:
        if not self.messages:
            raise InvalidMessageError("A bulk needs at least one message.")
        checked_tags(self.tags)
        self.messages = [with_defaults(message, self.default_from, self.tags) for message in self.messages]


def checked_tags(tags: Sequence[str] | None) -> Sequence[str] | None:
    """Return the common tags. Raises `InvalidMessageError` for a text, which would be a tag for each letter."""
    if tags is not None and not _is_list(tags):
        raise InvalidMessageError(f"`tags` is a list of texts, not {type(tags).__name__}.")
    return tags


def with_defaults(message: EmailMessageDto, sender: str | None, tags: Sequence[str] | None) -> EmailMessageDto:
    """Return the message with a sender, if it has none, and with further tags; the same one if nothing changes."""
    if not isinstance(cast("object", message), EmailMessageDto):
        return message  # Told as the outcome of this one, so that it costs no other.
    changes: dict[str, Any] = {}
    if sender and not message.from_email:
        changes["from_email"] = sender
    # What is no list is told of when this message's turn comes.
    if tags and (not message.tags or _is_list(message.tags)):
        changes["tags"] = list(dict.fromkeys([*(message.tags or ()), *tags]))
    if not changes:
        return message
    # Not by way of its class: that may be somebody's own, made of other arguments.
    changed = copy(message)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _is_list(tags: object) -> bool:
    return isinstance(tags, Iterable) and not isinstance(tags, (str, bytes, Mapping))
