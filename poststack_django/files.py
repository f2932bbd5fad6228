"""What Django calls an attachment, as the API's attachment. Raises `ValueError` for what the API cannot carry."""

from __future__ import annotations

import mimetypes
from email.message import Message
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.mail import EmailMessage
from django.utils.encoding import force_bytes

from poststack import attachments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.types import Attachment

__all__ = ["attachment_from"]

BINARY: Final = "application/octet-stream"
# Headers of a MIME part that the API has a place for, or that say nothing it does not know.
_SAID: Final = frozenset(
    {
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
        "mime-version",
        "x-attachment-id",
    }
)


def attachment_from(given: object, index: int, charset: str) -> Attachment:
    """Return one item of `message.attachments`, a MIME part or `(filename, content, mimetype)`, for the API.

    `index` is its place in the list, `charset` what text is written in. A file without a name is given one.
    """
    if isinstance(given, Message):
        return _from_part(cast("Any", given), index)
    if not isinstance(given, (tuple, list)) or not 1 <= len(cast("Sequence[object]", given)) <= 3:
        raise ValueError(f"`attachments[{index}]` is a MIME part or (filename, content, mimetype).")
    filename, content, mimetype = (*cast("Sequence[object]", given), None, None)[:3]
    if content is None:
        raise ValueError(f"`attachments[{index}]` has no content.")
    name = str(filename) if filename else None
    kind = str(mimetype) if mimetype else (mimetypes.guess_type(name)[0] if name else None) or BINARY
    data, kind = _bytes_and_type(content, kind, charset)
    return attachments.from_bytes(data, name or _made_up_name(index, kind), content_type=kind)


def _bytes_and_type(content: object, kind: str, charset: str) -> tuple[bytes, str]:
    data, written_in = _bytes_and_charset(content, charset)
    is_text = kind.partition("/")[0].strip().lower() == "text"
    if not is_text or data.isascii() or "charset" in kind.lower():
        return data, kind
    # As Django does: text that is in no known charset is not the text that its type promises.
    return data, f"{kind}; charset={written_in}" if written_in else BINARY


def _bytes_and_charset(content: object, charset: str) -> tuple[bytes, str | None]:
    if isinstance(content, EmailMessage):
        return bytes(content.message().as_bytes()), None
    if isinstance(content, Message):
        return content.as_bytes(), None
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return force_bytes(content, encoding=charset), charset
    data = bytes(cast("bytes", content))
    try:
        data.decode()
    except UnicodeDecodeError:
        return data, None
    return data, "utf-8"


def _from_part(part: Message[Any, Any], index: int) -> Attachment:
    for header in part.keys():  # noqa: SIM118  # a message is no dictionary: iterating it yields other things
        if header.lower() not in _SAID:
            raise ValueError(f"`attachments[{index}]` has a header {header!r}, for which the API has no place.")
    kind = _content_type(part)
    content_id = str(part["Content-ID"]).strip() if part["Content-ID"] else None
    if content_id is None and part.get_content_disposition() == "inline":
        content_id = f"inline-{index + 1}"  # For the API, inline is what has a content id.
    name = part.get_filename() or _made_up_name(index, part.get_content_type())
    return attachments.from_bytes(_payload(part, index), name, content_type=kind, content_id=content_id)


def _payload(part: Message[Any, Any], index: int) -> bytes:
    if part.get_content_maintype() == "message":
        inner = part.get_payload()
        if isinstance(inner, list) and len(cast("list[object]", inner)) == 1 and isinstance(inner[0], Message):
            return inner[0].as_bytes()
    elif not part.is_multipart():
        data = part.get_payload(decode=True)
        if isinstance(data, bytes):
            return data
    raise ValueError(f"`attachments[{index}]` is a {part.get_content_type()}: attach its files one by one.")


def _content_type(part: Message[Any, Any]) -> str:
    parameters = (part.get_params(failobj=[]) or [])[1:]
    kept = [(name, value) for name, value in parameters if name.lower() not in {"name", "boundary"}]
    return "; ".join([part.get_content_type(), *(f"{name}={_quoted(value)}" for name, value in kept)])


def _quoted(value: str) -> str:
    return value if value.replace("-", "").replace("_", "").replace(".", "").isalnum() else f'"{value}"'


def _made_up_name(index: int, kind: str) -> str:
    extension = ".eml" if kind.startswith("message/") else mimetypes.guess_extension(kind.partition(";")[0].strip())
    return f"attachment-{index + 1}{extension or '.bin'}"
