"""Which files Brevo takes. It knows a file by its name alone: the ending says the type, and only some are allowed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from poststack.providers.capabilities import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from poststack.providers.message import Attachment, Message

__all__ = ["unsupported_files"]

# Brevo API reference, "Send a transactional email", `attachment`. Beside each ending the type, and others that mean it.
_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "aif": ("audio/aiff",),
    "aifc": ("audio/aiff",),
    "aiff": ("audio/aiff",),
    "avi": ("video/avi", "video/msvideo", "video/vnd.avi"),
    "bmp": ("image/bmp", "image/ms-bmp"),
    "cgm": ("image/cgm",),
    "css": ("text/css",),
    "csv": ("text/csv", "application/csv", "text/comma-separated-values", "application/vnd.ms-excel"),
    "doc": ("application/msword",),
    "docm": ("application/vnd.ms-word.document.macroenabled.12",),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
    "eps": ("application/postscript", "application/eps", "image/eps"),
    "ez": ("application/andrew-inset",),
    "flac": ("audio/flac",),
    "gif": ("image/gif",),
    "htm": ("text/html",),
    "html": ("text/html",),
    "ics": ("text/calendar", "application/ics"),
    "jpeg": ("image/jpeg", "image/jpg"),
    "jpg": ("image/jpeg", "image/jpg"),
    "m4a": ("audio/mp4", "audio/m4a", "audio/mp4a-latm"),
    "m4v": ("video/mp4", "video/m4v"),
    "mkv": ("video/matroska",),
    "mobi": ("application/mobipocket-ebook",),
    "mov": ("video/quicktime",),
    "mp3": ("audio/mpeg", "audio/mp3"),
    "mp4": ("video/mp4",),
    "mpeg": ("video/mpeg",),
    "mpg": ("video/mpeg",),
    "msg": ("application/vnd.ms-outlook",),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet",),
    "odt": ("application/vnd.oasis.opendocument.text",),
    "ogg": ("audio/ogg", "video/ogg", "application/ogg"),
    "pdf": ("application/pdf",),
    "pkpass": ("application/vnd.apple.pkpass",),
    "png": ("image/png",),
    "ppt": ("application/vnd.ms-powerpoint", "application/mspowerpoint"),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation",),
    "pub": ("application/vnd.ms-publisher", "application/mspublisher"),
    "rtf": ("application/rtf", "text/rtf"),
    "shtml": ("text/html",),
    "tar": ("application/tar",),
    "tif": ("image/tiff",),
    "tiff": ("image/tiff",),
    "txt": ("text/plain",),
    "wav": ("audio/wav", "audio/wave", "audio/vnd.wave"),
    "wma": ("audio/ms-wma",),
    "wmv": ("video/ms-wmv",),
    "xls": ("application/vnd.ms-excel", "application/msexcel"),
    "xlsm": ("application/vnd.ms-excel.sheet.macroenabled.12",),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
    "xml": ("text/xml", "application/xml"),
    "zip": ("application/zip", "application/zip-compressed"),
}


def unsupported_files(message: Message) -> Iterator[Unsupported]:
    """Yield what the message's files say and Brevo cannot."""
    for file in message.attachments:
        if _ending(file) not in _TYPES:
            yield Unsupported("attachments", f"takes no files that end like {file.filename[-12:]!r}")
    checks: tuple[tuple[Callable[[Attachment], Attachment], str], ...] = (
        (_with_ascii_name, "takes no file names with letters outside ASCII"),
        (_without_parameters, "knows no parameters of a file's type"),
        (_with_told_type, "tells the type of a file by the end of its name, and here they differ"),
    )
    for change, reason in checks:
        files = tuple(change(file) for file in message.attachments)
        if files != message.attachments:
            yield Unsupported("attachments", reason, replace(message, attachments=files))


def _ending(file: Attachment) -> str:
    _, dot, ending = file.filename.rpartition(".")
    return ending.lower() if dot else ""


def _with_ascii_name(file: Attachment) -> Attachment:
    if file.filename.isascii():
        return file
    stem, _, ending = file.filename.rpartition(".")
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().strip()
    return file._replace(filename=f"{plain or 'file'}.{ending}")


def _without_parameters(file: Attachment) -> Attachment:
    bare, _, parameters = file.content_type.partition(";")
    # How letters are encoded can be seen from the file; that a calendar is an invitation cannot.
    said = re.sub(r"\s*charset=[^;]*;?\s*", "", parameters, flags=re.IGNORECASE).strip()
    return file._replace(content_type=bare.strip()) if said else file


def _with_told_type(file: Attachment) -> Attachment:
    bare = file.content_type.partition(";")[0].strip().lower()
    told = _TYPES.get(_ending(file), ())
    # Many who only have bytes call them that; it contradicts nothing. `x-` was once put before what is registered now.
    if not told or bare == "application/octet-stream" or bare.replace("/x-", "/") in told:
        return file
    return file._replace(content_type=told[0])
