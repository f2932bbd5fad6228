"""How attachments leave the emulator: under names that fit any file system, and never as something a browser runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from poststack.emulator.model import Attachment

__all__ = ["download_headers", "picture_headers", "safe_name", "shows_as_picture"]

_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
# Kept when downloaded; everything else (HTML, SVG, XML, scripts, the unknown) goes out as bytes.
_KEPT = _PICTURES | {
    "application/gzip",
    "application/json",
    "application/msword",
    "application/pdf",
    "application/rtf",
    "application/zip",
    "text/calendar",
    "text/csv",
    "text/plain",
}
_KEPT_FAMILY = re.compile(r"(?:audio|video)/[a-z0-9.+-]+|application/vnd\.(?:ms-|openxmlformats-|oasis\.)[a-z0-9.-]+")
_UNSAFE = re.compile(
    '[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff<>:"/\\\\|?*]'
)
_LONGEST_NAME = 150


def safe_name(filename: str) -> str:
    """Return the name without folders and without characters that some file system or header cannot take."""
    name = _UNSAFE.sub("_", re.split(r"[/\\]", filename)[-1]).strip(" .")
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if dot and len(ending) <= 10 else ""
        name = (stem if ending else name)[: _LONGEST_NAME - len(ending)] + ending
    return name or "attachment"


def shows_as_picture(attachment: Attachment) -> bool:
    """Return whether it is of a kind that is shown in the page: pixels only, never SVG."""
    return _bare_type(attachment) in _PICTURES


def download_headers(attachment: Attachment) -> Mapping[str, str]:
    """Return headers that make every browser save it and none interpret it."""
    bare = _bare_type(attachment)
    kept = bare in _KEPT or _KEPT_FAMILY.fullmatch(bare) is not None
    name = safe_name(attachment.filename)
    plain = name.encode("ascii", "replace").decode("ascii").replace("?", "_").replace("%", "_")
    # RFC 6266: the second form is for all that ASCII cannot say.
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {
        **_locked(),
        "Content-Type": bare if kept else "application/octet-stream",
        "Content-Disposition": disposition,
    }


def picture_headers(attachment: Attachment) -> Mapping[str, str]:
    """Return headers to show it inside the page; only for what `shows_as_picture`."""
    return {**_locked(), "Content-Type": _bare_type(attachment), "Content-Disposition": "inline"}


def _bare_type(attachment: Attachment) -> str:
    return attachment.content_type.partition(";")[0].strip().lower()


def _locked() -> dict[str, str]:
    return {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
