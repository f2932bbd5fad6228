"""Files as API attachments: from a path, bytes or an open file, attached or shown inside the HTML.

    from poststack import attachments

    client.emails.send({
        ...,
        "html": '<img src="cid:logo"> Your invoice is attached.',
        "attachments": [
            attachments.from_path("invoice.pdf"),
            attachments.from_path("logo.png", content_id="logo"),
        ],
    })

One file may have 10,000,000 bytes (`LARGEST_ATTACHMENT`), all files of an e-mail 25,000,000 (`LARGEST_EMAIL`): checked
here and again before sending.
"""

from __future__ import annotations

import base64
import mimetypes
import os
from typing import TYPE_CHECKING, Protocol

from poststack._checks import LARGEST_ATTACHMENT, LARGEST_EMAIL, check_attachment_sizes

if TYPE_CHECKING:
    from poststack.types import Attachment

__all__ = ["LARGEST_ATTACHMENT", "LARGEST_EMAIL", "from_bytes", "from_file", "from_path"]

DEFAULT_TYPE = "application/octet-stream"


class ReadableFile(Protocol):
    """Anything opened for reading in binary."""

    def read(self, size: int = ..., /) -> bytes:
        """Return up to so many bytes."""
        ...


def from_path(
    path: str | os.PathLike[str],
    *,
    filename: str | None = None,
    content_type: str | None = None,
    content_id: str | None = None,
) -> Attachment:
    """Read a file. Its name and type are taken from the path unless given.

    Raises `OSError` when it cannot be read and `ValueError` when it is over the limit, before reading all of it.
    """
    with open(path, "rb") as file:
        return from_file(
            file, filename=filename or os.path.basename(path), content_type=content_type, content_id=content_id
        )


def from_file(
    file: ReadableFile,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    content_id: str | None = None,
) -> Attachment:
    """Read the rest of a binary file object. Its `name` is used when no `filename` is given.

    Raises `ValueError` for a file opened as text, one without any name, and one over the limit.
    """
    name = filename or getattr(file, "name", None)
    if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
        raise ValueError("The file has no name. Pass filename='invoice.pdf'.")
    content = bytearray()
    while len(content) <= LARGEST_ATTACHMENT:  # One read of a pipe returns less than there is.
        part = file.read(LARGEST_ATTACHMENT + 1 - len(content))
        if not isinstance(part, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # a file opened as text
            raise ValueError("The file is open as text. Open it with mode 'rb'.")
        if not part:
            break
        content += part
    return from_bytes(content, os.path.basename(os.fspath(name)), content_type=content_type, content_id=content_id)


def from_bytes(
    content: bytes | bytearray | memoryview,
    filename: str,
    *,
    content_type: str | None = None,
    content_id: str | None = None,
) -> Attachment:
    """Attach bytes under a file name. The type is guessed from the name unless given.

    With a `content_id` the file is inline: show it with `<img src="cid:…">`. Raises `ValueError` over the limit.
    """
    check_attachment_sizes([(filename, memoryview(content).nbytes)])
    attachment: Attachment = {
        "filename": filename,
        "content": base64.b64encode(content).decode("ascii"),
        "content_type": content_type or guessed_type(filename),
    }
    if content_id is not None:
        attachment["content_id"] = _bare_content_id(content_id)
    return attachment


def guessed_type(filename: str) -> str:
    """Return the media type that a file's name suggests."""
    guessed, encoding = mimetypes.guess_type(filename)
    # For x.tar.gz the guess is the type inside; what travels is the compressed file.
    return guessed if guessed and not encoding else DEFAULT_TYPE


def _bare_content_id(content_id: str) -> str:
    bare = content_id[1:-1] if content_id.startswith("<") and content_id.endswith(">") else content_id
    if not bare:
        raise ValueError("A content_id is a name such as 'logo', used as <img src=\"cid:logo\">.")
    return bare
