"""Files that a form uploads, as attachments: read without holding up the event loop, and no further than the limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from poststack import attachments
from poststack.attachments import LARGEST_ATTACHMENT, LARGEST_EMAIL
from poststack.types import Attachment

__all__ = ["attachment_from_upload", "attachments_from_uploads"]

_AT_A_TIME: Final = 256 * 1024
_DIRECTORIES: Final = re.compile(r"^.*[/\\]", re.DOTALL)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;[ -~]*)?", re.ASCII)


async def attachment_from_upload(
    upload: UploadFile,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    content_id: str | None = None,
) -> Attachment:
    """Read the rest of an uploaded file. Its name and type are what the browser said, unless given.

    Raises `HTTPException`: 413 for a file over 10,000,000 bytes, before reading all of it, and 422 for one without a
    name, such as the empty field of a form.
    """
    attachment, _ = await _read(upload, LARGEST_ATTACHMENT, filename, content_type, content_id)
    return attachment


async def attachments_from_uploads(uploads: Iterable[UploadFile]) -> list[Attachment]:
    """Read several uploaded files, of 10,000,000 bytes each and 25,000,000 together.

    Raises `HTTPException`, as `attachment_from_upload` does.
    """
    found: list[Attachment] = []
    left = LARGEST_EMAIL
    for upload in uploads:
        attachment, size = await _read(upload, left, None, None, None)
        found.append(attachment)
        left -= size
    return found


async def _read(
    upload: UploadFile, left: int, filename: str | None, content_type: str | None, content_id: str | None
) -> tuple[Attachment, int]:
    name = filename or _UNPRINTABLE.sub("", _DIRECTORIES.sub("", upload.filename or "")).strip()
    if not name:
        raise HTTPException(422, "A file has no name, or none was chosen.")
    limit = min(left, LARGEST_ATTACHMENT)
    content = bytearray()
    while len(content) <= limit:
        part = await upload.read(min(_AT_A_TIME, limit + 1 - len(content)))
        if not part:
            break
        content += part
    else:
        together = " together" if limit < LARGEST_ATTACHMENT else ""
        most = LARGEST_EMAIL if together else LARGEST_ATTACHMENT
        raise HTTPException(413, f"The files are too large: an e-mail takes {most:,} bytes{together}.")
    declared = upload.content_type if _MEDIA_TYPE.fullmatch(upload.content_type or "") else None
    make = partial(attachments.from_bytes, content, name, content_type=content_type or declared, content_id=content_id)
    return await run_in_threadpool(make), len(content)  # Encoding the largest file takes some milliseconds.
