"""From what a caller gives to what an adapter takes: files read, everything checked, nothing left out unasked."""

from __future__ import annotations

import base64
import binascii
import inspect
import os
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.attachments import guessed_type
from poststack.mailbridge.dto import BulkEmailDTO, EmailMessageDto
from poststack.mailbridge.dto.bulk_email_dto import checked_tags, with_defaults
from poststack.mailbridge.errors import (
    AttachmentError,
    InvalidMessageError,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.providers.message import Attachment, Message, make_message

if TYPE_CHECKING:
    from poststack.providers.base import Provider

__all__ = ["AsyncWindows", "Windows", "aread_files", "fitting", "message_from", "read_files"]

MOST_AT_ONCE: Final = 1000
"""Messages of a bulk that are in memory at the same time."""
LARGEST_AT_ONCE: Final = 32 * 2**20
"""Bytes of their bodies and files."""


def message_from(
    given: EmailMessageDto, files: Sequence[Attachment], *, default_sender: str | None, provider: str
) -> Message:
    """Return the message. Raises `InvalidMessageError` naming the field that is wrong, without what it holds."""
    if given.text and given.body and not given.html:
        raise InvalidMessageError("`text` and a `body` with html=False are two plain texts. Give one of them.")
    try:
        return make_message(
            sender=given.from_email or default_sender,
            to=given.to,
            cc=given.cc or (),
            bcc=given.bcc or (),
            reply_to=[given.reply_to] if isinstance(given.reply_to, str) else given.reply_to or (),
            subject=given.subject,
            text=given.text or (None if given.html else given.body),
            html=given.body if given.html else None,
            headers=given.headers,
            tags=given.tags or (),
            metadata=given.metadata,
            attachments=files,
            template_id=given.template_id,
            variables=given.template_data,
            scheduled_at=given.scheduled_at,
            idempotency_key=given.idempotency_key,
            track_opens=given.track_opens,
            track_clicks=given.track_clicks,
            options=_options_of(given, provider),
        )
    except InvalidMessageError:
        raise
    except (ValueError, TypeError) as error:
        raise InvalidMessageError(str(error)) from None


def fitting(message: Message, provider: Provider[Any, Any], *, drop: bool, keys_kept: bool) -> Message:
    """Return the message if the provider can say all of it.

    Otherwise raises `UnsupportedFieldError`, or, told to drop, warns and returns it without what it cannot say. Keys
    that are kept elsewhere are none of the provider's business.
    """
    if keys_kept and (key := message.idempotency_key) is not None:
        without = replace(message, idempotency_key=None)
        return replace(fitting(without, provider, drop=drop, keys_kept=False), idempotency_key=key)
    while (problem := next(iter(provider.unsupported(message)), None)) is not None:
        text = f"`{problem.field}`: {provider.spoken_of} {problem.reason}."
        if not drop or problem.without is None:
            raise UnsupportedFieldError(f"{text} Nothing was sent.", problem.field, provider.name)
        warnings.warn(f"{text} It was left out.", UnsupportedFieldWarning, stacklevel=_level_of_the_caller())
        message = problem.without
    return message


def read_files(given: EmailMessageDto) -> list[Attachment]:
    """Return the files of a message. Raises `AttachmentError` for what is no file, or cannot be read."""
    attachments = cast("object", given.attachments)
    if attachments is None:
        return []
    if not isinstance(attachments, Sequence) or isinstance(attachments, (str, bytes)):
        raise AttachmentError("`attachments` is a list of files.")
    return [_read(item, f"attachments[{index}]") for index, item in enumerate(cast("Sequence[object]", attachments))]


async def aread_files(given: EmailMessageDto) -> list[Attachment]:
    """Do the same; files on disk are read in a thread, so that the event loop goes on."""
    if any(isinstance(item, os.PathLike) for item in _items(given.attachments)):
        from anyio import to_thread

        return await to_thread.run_sync(read_files, given)
    return read_files(given)


class Windows:
    """The messages of a bulk in parts, each taken from the iterable when the one before is dealt with."""

    def __init__(
        self,
        messages: Iterable[EmailMessageDto] | BulkEmailDTO,
        default_from: str | None,
        tags: Sequence[str] | None,
    ) -> None:
        self._messages = iter(messages.messages if isinstance(messages, BulkEmailDTO) else _checked(messages))
        self._default_from = default_from
        self._tags = checked_tags(tags)
        self._failed: Exception | None = None

    def take(self) -> list[EmailMessageDto]:
        """Return the next part, an empty one at the end. Raises what the iterable raised, after what it gave before."""
        window = _Window()
        if self._failed is None:
            try:
                for message in self._messages:
                    window.add(with_defaults(message, self._default_from, self._tags))
                    if window.full:
                        break
            except Exception as error:  # noqa: BLE001  # raised below, or by the next call
                self._failed = error
        return window.messages or _end_of_messages(self._failed)


class AsyncWindows:
    """Does the same, also for an asynchronous iterable."""

    def __init__(
        self,
        messages: Iterable[EmailMessageDto] | AsyncIterable[EmailMessageDto] | BulkEmailDTO,
        default_from: str | None,
        tags: Sequence[str] | None,
    ) -> None:
        self._default_from = default_from
        self._tags = checked_tags(tags)
        self._failed: Exception | None = None
        self._messages: AsyncIterator[EmailMessageDto] | None = None
        self._windows: Windows | None = None
        if isinstance(messages, AsyncIterable):
            self._messages = aiter(messages)
        else:
            self._windows = Windows(messages, default_from, tags)

    async def take(self) -> list[EmailMessageDto]:
        """Return the next part, an empty one at the end. Raises what the iterable raised, after what it gave before."""
        if self._messages is None:
            return [] if self._windows is None else self._windows.take()
        window = _Window()
        if self._failed is None:
            try:
                async for message in self._messages:
                    window.add(with_defaults(message, self._default_from, self._tags))
                    if window.full:
                        break
            except Exception as error:  # noqa: BLE001  # raised below, or by the next call
                self._failed = error
        return window.messages or _end_of_messages(self._failed)


def _end_of_messages(failed: Exception | None) -> list[EmailMessageDto]:
    if failed is not None:
        raise failed
    return []


def _level_of_the_caller() -> int:
    """Return the level of the first frame outside this package: a warning is shown once for each place in the code."""
    here = inspect.currentframe()
    level, frame = 1, here and here.f_back
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("poststack."):
        level, frame = level + 1, frame.f_back
    return level


class _Window:
    def __init__(self) -> None:
        self.messages: list[EmailMessageDto] = []
        self._bytes = 0

    def add(self, message: EmailMessageDto) -> None:
        self.messages.append(message)
        self._bytes += _size(message)

    @property
    def full(self) -> bool:
        return len(self.messages) >= MOST_AT_ONCE or self._bytes >= LARGEST_AT_ONCE


def _size(message: object) -> int:
    """Return about how many bytes a message has; what is no message is dealt with later."""
    if not isinstance(message, EmailMessageDto):
        return 0
    bodies = sum(len(text) for text in (message.body, message.text) if isinstance(text, str))
    return bodies + sum(_file_size(item) for item in _items(message.attachments))


def _items(attachments: object) -> Sequence[object]:
    """Return what is in a list of files. What is no list is dealt with later."""
    return cast("Sequence[object]", attachments) if isinstance(attachments, Sequence) else ()


def _checked(messages: Iterable[EmailMessageDto]) -> Iterable[EmailMessageDto]:
    if not isinstance(cast("object", messages), Iterable):
        given = type(messages).__name__
        raise InvalidMessageError(f"A bulk is a list of EmailMessageDto, or another iterable of them, not {given}.")
    return messages


def _file_size(item: object) -> int:
    if isinstance(item, os.PathLike):
        try:
            return os.stat(cast("os.PathLike[str]", item)).st_size
        except OSError:
            return 0
    if isinstance(item, Mapping):
        return len(str(cast("Mapping[str, object]", item).get("content", "")))
    if isinstance(item, tuple) and len(cast("tuple[object, ...]", item)) == 3:
        content = cast("tuple[object, ...]", item)[1]
        return len(content) if isinstance(content, (str, bytes, bytearray)) else 0
    return 0


def _options_of(given: EmailMessageDto, provider: str) -> Mapping[str, Any] | None:
    if not given.options:
        return None
    if not isinstance(cast("object", given.options), Mapping):
        raise InvalidMessageError(f"`options` is a dictionary of providers, not {type(given.options).__name__}.")
    from poststack.mailbridge.registry import PROVIDERS

    for name, options in cast("Mapping[object, object]", given.options).items():
        if name not in list(PROVIDERS) or not isinstance(options, Mapping):
            raise InvalidMessageError(
                "`options` is a dictionary of providers and what only they have, such as "
                f"{{'postmark': {{'MessageStream': 'broadcast'}}}}. The providers are: {', '.join(PROVIDERS)}."
            )
    return given.options.get(provider)


def _read(item: object, name: str) -> Attachment:
    if isinstance(item, Attachment):
        return item
    if isinstance(item, os.PathLike):
        path = cast("os.PathLike[str]", item)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise AttachmentError(f"`{name}` cannot be read: {error.strerror or type(error).__name__}.") from error
        filename = os.path.basename(os.fspath(path))
        return Attachment(filename, content, guessed_type(filename))
    if isinstance(item, Mapping):
        return _from_api(cast("Mapping[str, object]", item), name)
    if isinstance(item, tuple) and len(cast("tuple[object, ...]", item)) == 3:
        name_of_file, given, kind = cast("tuple[object, object, object]", item)
        data = given.encode() if isinstance(given, str) else given
        if isinstance(name_of_file, str) and isinstance(data, (bytes, bytearray)) and isinstance(kind, str):
            return Attachment(name_of_file, bytes(data), kind)
    kind_given = type(cast("Any", item)).__name__
    raise AttachmentError(
        f"`{name}` is a pathlib.Path, (file name, content, media type), or what poststack.attachments makes; not "
        f"{kind_given}. For a path as text write Path(…)."
    )


def _from_api(item: Mapping[str, object], name: str) -> Attachment:
    filename, content = item.get("filename"), item.get("content")
    if not isinstance(filename, str) or not isinstance(content, str):
        raise AttachmentError(f"`{name}` needs `filename` and `content`, as poststack.attachments makes them.")
    try:
        data = base64.b64decode(content, validate=not any(line in content for line in "\r\n"))
    except binascii.Error:
        raise AttachmentError(f"`{name}.content` is not base64.") from None
    kind, content_id = item.get("content_type"), item.get("content_id")
    return Attachment(
        filename,
        data,
        kind if isinstance(kind, str) and kind else guessed_type(filename),
        content_id if isinstance(content_id, str) and content_id else None,
    )
