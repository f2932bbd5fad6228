"""A stored e-mail's HTML as a document of its own that can do nothing: for a sandboxed frame.

What keeps it harmless are the headers: no scripts, no forms, no network. The source is changed only so that the mail
looks as it will (its inline pictures come along as data) and its links open elsewhere. Only one thing rests on finding
tags: browsers connect ahead of time for `<link rel=preconnect>` and for frames, whatever the policy says, and such a
connection tells the sender that somebody reads. A tag name ends only in what `_AHEAD` looks for, so none is missed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from poststack.types import Attachment, SendEmail

__all__ = ["FRAME_HEADERS", "StoredFile", "document", "files_of", "has_remote_content"]

FRAME_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers that disarm the document."""

_AHEAD: Final = re.compile(r"<(link|iframe|frame|fencedframe|portal|object|embed)(?=[\s/>])", re.IGNORECASE)
# Links, but for those that lead to a place in the mail itself. Of an attribute given twice the first counts.
_ANCHOR: Final = re.compile(r"""<(a|area)(?=[\s/>])(?![^<>]*\shref\s*=\s*["']?#)""", re.IGNORECASE)
_CID: Final = re.compile(r"""(?<=["'(=\s])cid:([^"'()<>\s]+)""", re.IGNORECASE)
_REMOTE: Final = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s*=\s*["']?\s*|url\(\s*["']?\s*)(?:https?:)?//""", re.IGNORECASE
)
_PICTURE_TYPE: Final = re.compile(r"image/[a-z0-9.+-]{1,60}", re.IGNORECASE)
# A picture that is named a thousand times is not put in a thousand times.
_LARGEST_PICTURES: Final = 32 * 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """An attachment as a list shows it."""

    name: str
    type: str
    size: int
    """In bytes, decoded."""
    inline: bool


def files_of(payload: SendEmail) -> list[StoredFile]:
    """Return the attachments, in order."""
    return [
        StoredFile(
            file["filename"],
            file.get("content_type", ""),
            _decoded_size(file["content"]),
            bool(file.get("content_id")),
        )
        for file in payload.get("attachments", [])
    ]


def has_remote_content(html: str) -> bool:
    """Return whether the HTML asks for pictures from the network, which it does not get."""
    return _REMOTE.search(html) is not None


def document(html: str, attachments: Sequence[Attachment] = ()) -> bytes:
    """Return the HTML, in UTF-8, with inline pictures put in and nothing that connects by itself.

    Serve it with `FRAME_HEADERS`, never without.
    """
    html = _AHEAD.sub(r"<x-\1", html)
    html = _ANCHOR.sub(r'<\1 target="_blank" rel="noopener noreferrer"', html)
    inline = {file["content_id"]: file for file in attachments if "content_id" in file}
    left = _LARGEST_PICTURES

    def put_in(match: re.Match[str]) -> str:
        nonlocal left
        file = inline.get(match[1]) or inline.get(unquote(match[1]))
        kind = "" if file is None else file.get("content_type", "")
        if file is None or not _PICTURE_TYPE.fullmatch(kind):
            return match[0]
        try:
            # Decoded and encoded again: what is put into an attribute is base64 and nothing else.
            content = base64.b64encode(base64.b64decode(file["content"])).decode("ascii")
        except (binascii.Error, ValueError):
            return match[0]
        left -= len(content)
        return f"data:{kind.lower()};base64,{content}" if left >= 0 else match[0]

    # Stored as ASCII, it may hold halves of surrogate pairs, which no encoding has.
    return (_CID.sub(put_in, html) if inline else html).encode("utf-8", "replace")


def _decoded_size(content: str) -> int:
    bare = content.rstrip("=\r\n ")
    return len(bare) * 3 // 4
