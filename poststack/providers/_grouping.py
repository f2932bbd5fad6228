"""Messages into groups of one request each: those that share what can be said only once, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack.providers.capabilities import MANY

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from poststack.providers.message import Message

__all__ = ["grouped"]


def grouped(
    messages: Sequence[Message],
    key: Callable[[Message], Hashable],
    *,
    most: int = MANY,
    most_recipients: int = MANY,
    largest: int = MANY,
    size: Callable[[Message], int] | None = None,
) -> list[list[Message]]:
    """Return the messages in groups of the same key, each in the order given.

    A group has at most `most` messages, `most_recipients` recipients, and `largest` bytes by `size`; a single message
    makes a group whatever it has. Without `size`, what the key stands for counts once for a group, and each message
    with what is its own: about 200 bytes for a recipient, and its variables as text.
    """
    finished: list[list[Message]] = []
    open_groups: dict[Hashable, _Group] = {}
    for message in messages:
        name = key(message)
        group = open_groups.get(name)
        recipients, cost = len(message.recipients), (_own_size(message) if size is None else size(message))
        if group is not None and not (
            len(group.messages) < most
            and group.recipients + recipients <= most_recipients
            and group.bytes + cost <= largest
        ):
            group = None
        if group is None:
            group = open_groups[name] = _Group(message.content_size if size is None else 0)
            finished.append(group.messages)
        group.messages.append(message)
        group.recipients += recipients
        group.bytes += cost
    return finished


class _Group:
    __slots__ = ("bytes", "messages", "recipients")

    def __init__(self, size: int) -> None:
        self.messages: list[Message] = []
        self.recipients = 0
        self.bytes = size


def _own_size(message: Message) -> int:
    said = len(repr(message.variables)) if message.variables else 0
    said += sum(len(name) + len(value) for name, value in message.headers)
    said += sum(len(name) + len(value) for name, value in message.metadata.items())
    return 200 * len(message.recipients) + len(message.subject or "") + said
