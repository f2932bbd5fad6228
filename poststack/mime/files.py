"""What mail libraries call an attachment, as the API's. Raises `ValueError` for what the API cannot carry."""

from __future__ import annotations

import mimetypes
from email.message import Message
from typing import TYPE_CHECKING, Any, Final, cast

from poststack import attachments
from poststack.mime.texts import bytes_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poststack.types import Attachment

__all__ = ["attachment_from", "file_from"]

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
    """Return a MIME part, or `(filename, content, mimetype)` of which the last two may be absent, for the API.

    `index` is its place in the message's list, `charset` what text is written in. A file without a name is given one.
    """
    if isinstance(given, Message):
        return _from_part(cast("Any", given), index)
    if not isinstance(given, (tuple, list)) or not 1 <= len(cast("Sequence[object]", given)) <= 3:
        raise ValueError(f"`attachments[{index}]` is a MIME part or (filename, content, mimetype).")
    filename, content, mimetype = (*cast("Sequence[object]", given), None, None)[:3]
    return file_from(filename, content, mimetype, index=index, charset=charset)


def file_from(
    filename: object,
    content: object,
    mimetype: object = None,
    *,
    index: int,
    charset: str,
    disposition: str = "attachment",
    headers: Mapping[str, object] | None = None,
) -> Attachment:
    """Return a file for the API: inline, with a content id, when its disposition or a `Content-ID` header says so."""
    if content is None:
        raise ValueError(f"`attachments[{index}]` has no content.")
    _refuse_other_headers([str(name) for name in headers or ()], index)
    given = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    shown = Message()
    shown["Content-Disposition"] = given.get("content-disposition", disposition)
    name = str(filename) if filename else shown.get_filename()
    kind = given.get("content-type") or (
        str(mimetype) if mimetype else (mimetypes.guess_type(name)[0] if name else None) or BINARY
    )
    data, kind = _bytes_and_type(content, kind, index, charset)
    content_id = _content_id(given.get("content-id"), shown.get_content_disposition(), index)
    return attachments.from_bytes(data, name or _made_up_name(index, kind), content_type=kind, content_id=content_id)


def _refuse_other_headers(names: Sequence[str], index: int) -> None:
    for name in names:
        if name.lower() not in _SAID:
            shown = f" {name!r}" if name.isprintable() else ""
            raise ValueError(f"`attachments[{index}]` has a header{shown}, for which the API has no place.")


def _bytes_and_type(content: object, kind: str, index: int, charset: str) -> tuple[bytes, str]:
    data, written_in = _bytes_and_charset(content, index, charset)
    is_text = kind.partition("/")[0].strip().lower() == "text"
    if not is_text or data.isascii() or "charset" in kind.lower():
        return data, kind
    # As mail libraries do: text that is in no known charset is not the text that its type promises.
    return data, f"{kind}; charset={written_in}" if written_in else BINARY


def _bytes_and_charset(content: object, index: int, charset: str) -> tuple[bytes, str | None]:
    if not isinstance(content, Message) and callable(make := getattr(content, "message", None)):
        content = make()  # A mail library's own message, to be forwarded.
    if isinstance(content, Message):
        return content.as_bytes(), None
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return bytes_from(content, charset, f"attachments[{index}]"), charset
    data = bytes(cast("bytes", content))
    try:
        data.decode()
    except UnicodeDecodeError:
        return data, None
    return data, "utf-8"


def _from_part(part: Message[Any, Any], index: int) -> Attachment:
    _refuse_other_headers(part.keys(), index)
    kind = _content_type(part)
    content_id = _content_id(part["Content-ID"], part.get_content_disposition(), index)
    name = part.get_filename() or _made_up_name(index, part.get_content_type())
    return attachments.from_bytes(_payload(part, index), name, content_type=kind, content_id=content_id)


def _content_id(given: object, disposition: str | None, index: int) -> str | None:
    if given:
        return str(given).strip(" ")
    # For the API, inline is what has a content id.
    return f"inline-{index + 1}" if disposition == "inline" else None


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
