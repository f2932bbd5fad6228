"""Forms with files, multipart/form-data (RFC 7578), as one body of bytes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FormFile", "multipart"]

# The WHATWG's HTML standard escapes these three and nothing else; everything other is UTF-8 as it is.
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class FormFile(NamedTuple):
    """A file of a form."""

    field: str
    filename: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"FormFile({self.field!r}, {len(self.content)} bytes)"


def multipart(fields: Iterable[tuple[str, str]], files: Iterable[FormFile] = ()) -> tuple[str, bytes]:
    """Return the media type, with the boundary, and the body. A field with several values comes several times."""
    # 128 random bits are in no content by accident, and nobody who writes one can know them.
    boundary = f"poststack-{secrets.token_hex(16)}"
    start = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts: list[bytes] = []
    for name, value in fields:
        parts.append(f"{start}{_quoted(name)}\r\n\r\n{value}\r\n".encode())
    for file in files:
        head = f"{start}{_quoted(file.field)}; filename={_quoted(file.filename)}\r\nContent-Type: {file.content_type}"
        parts += [f"{head}\r\n\r\n".encode(), file.content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
