"""What a provider can say, as data: checked before anything is sent, and printed as the table of the docs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from poststack.providers.message import Message

__all__ = ["MANY", "Capabilities", "Unsupported", "taken_options", "unsupported"]

MANY: Final = 1_000_000


@dataclass(frozen=True)
class Capabilities:
    """What one provider can say about an e-mail. Numbers are the most that it takes; 0 and `False` mean not at all."""

    recipients: int = MANY
    """In `to`, `cc` and `bcc` together."""
    size: int = 10_000_000
    """Bytes of bodies and files, before encoding."""
    reply_to: int = MANY
    text_alone: bool = True
    headers: bool = True
    tags: int = MANY
    metadata: bool = True
    attachments: bool = True
    inline_images: bool = True
    templates: bool = True
    template_attachments: bool = True
    template_headers: bool = True
    scheduling: timedelta | None = None
    """How far ahead."""
    idempotency: timedelta | None = None
    """How long the provider itself refuses to send one key twice."""
    track_opens: bool = True
    track_clicks: bool = True
    non_ascii_local_parts: bool = False
    options: bool = True
    batches: bool = True
    """Whether several e-mails can travel in one request."""


@dataclass(slots=True)
class Unsupported:
    """Something that a message says and a provider cannot."""

    field: str
    """As the argument of `send` is called."""
    reason: str
    """Ends a sentence that begins with the provider: 'takes 1 tag, not 2'."""
    without: Message | None = None
    """The message without it; `None` when nothing sensible is left."""


def unsupported(message: Message, can: Capabilities, now: datetime) -> Iterator[Unsupported]:
    """Yield what the message says beyond the capabilities. `now` is aware."""
    if message.options and not can.options:
        yield Unsupported("options", "has no options of its own", replace(message, options={}))
    if len(message.recipients) > can.recipients:
        count = len(message.recipients)
        yield Unsupported("to", f"takes {can.recipients} recipients for one e-mail, not {count}; send several e-mails")
    if message.content_size > can.size:
        yield Unsupported(
            "attachments" if message.attachments else "body",
            f"takes e-mails of at most {can.size:,} bytes, and this one has {message.content_size:,}; send a link",
        )
    if len(message.reply_to) > can.reply_to:
        kept = message.reply_to[: can.reply_to]
        yield Unsupported("reply_to", _at_most(can.reply_to, "reply-to address"), replace(message, reply_to=kept))
    if len(message.tags) > can.tags:
        yield Unsupported("tags", _at_most(can.tags, "tag"), replace(message, tags=message.tags[: can.tags]))
    if not can.non_ascii_local_parts and not all(address.is_ascii for address in _all_addresses(message)):
        yield Unsupported("to", "takes no addresses with letters outside ASCII before the @")
    yield from _unsupported_content(message, can)
    yield from _unsupported_timing(message, can, now)


def taken_options(message: Message, names: Iterable[str]) -> Iterator[Unsupported]:
    """Yield that `options` says what has a field of its own; `names` are those of a provider's request."""
    taken = [name for name in names if name in message.options]
    if taken:
        kept = {name: value for name, value in message.options.items() if name not in taken}
        reason = f"gets {', '.join(map(repr, taken))} from other arguments of the e-mail"
        yield Unsupported("options", reason, replace(message, options=kept))


def _unsupported_content(message: Message, can: Capabilities) -> Iterator[Unsupported]:
    has_template = message.template_id is not None
    if has_template and not can.templates:
        yield Unsupported("template_id", "has no stored templates")
    if message.text and not message.html and not has_template and not can.text_alone:
        yield Unsupported("body", "sends no text without HTML")
    if message.headers and (not can.headers or (has_template and not can.template_headers)):
        beside = " beside a template" if can.headers else ""
        yield Unsupported("headers", f"takes no headers{beside}", replace(message, headers=()))
    if message.metadata and not can.metadata:
        yield Unsupported("metadata", "keeps no metadata", replace(message, metadata={}))
    if message.attachments and (not can.attachments or (has_template and not can.template_attachments)):
        beside = " beside a template" if can.attachments else ""
        yield Unsupported("attachments", f"takes no attachments{beside}", replace(message, attachments=()))
    elif not can.inline_images and any(attachment.content_id for attachment in message.attachments):
        # Dropped is what makes them inline: the files themselves stay.
        files = tuple(attachment._replace(content_id=None) for attachment in message.attachments)
        yield Unsupported("attachments", "shows no images inside the HTML", replace(message, attachments=files))


def _unsupported_timing(message: Message, can: Capabilities, now: datetime) -> Iterator[Unsupported]:
    if message.scheduled_at is not None:
        at_once = replace(message, scheduled_at=None)
        if can.scheduling is None:
            yield Unsupported("scheduled_at", "cannot send later", at_once)
        elif message.scheduled_at - now > can.scheduling:
            hours = can.scheduling / timedelta(hours=1)
            yield Unsupported("scheduled_at", f"sends at most {hours:g} hours ahead", at_once)
    for name, possible in (("track_opens", can.track_opens), ("track_clicks", can.track_clicks)):
        if getattr(message, name) is not None and not possible:
            change: dict[str, Any] = {name: None}
            yield Unsupported(name, "decides that for the whole account", replace(message, **change))
    if message.idempotency_key is not None and can.idempotency is None:
        yield Unsupported(
            "idempotency_key",
            "sends an e-mail twice when asked twice; give MailBridge a store, such as keys=SqliteKeyStore('keys.db')",
            replace(message, idempotency_key=None),
        )


def _all_addresses(message: Message) -> Iterator[Any]:
    yield message.sender
    yield from message.recipients
    yield from message.reply_to


def _at_most(count: int, what: str) -> str:
    return f"takes no {what}" if count == 0 else f"takes at most {count} {what}{'s' if count > 1 else ''}"
