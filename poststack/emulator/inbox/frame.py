"""A message's HTML as a document of its own that can do nothing: for a sandboxed frame.

What keeps it harmless are the headers: no scripts, no forms, no network. The source is changed only so that the mail
looks as it will (its inline pictures come along as data) and its links open elsewhere. Only one thing rests on finding
tags: browsers connect ahead of time for `<link rel=preconnect>` and for frames, whatever the policy says, and such a
connection tells the sender that somebody reads. A tag name ends only in what `_AHEAD` looks for, so none is missed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from poststack.emulator.model import Attachment

__all__ = ["document", "frame_headers", "remote_content"]

_AHEAD = re.compile(r"<(link|iframe|frame|fencedframe|portal|object|embed)(?=[\s/>])", re.IGNORECASE)
# Links, but for those that lead to a place in the mail itself. Of an attribute given twice the first counts.
_ANCHOR = re.compile(r"""<(a|area)(?=[\s/>])(?![^<>]*\shref\s*=\s*["']?#)""", re.IGNORECASE)
_CID = re.compile(r"""(?<=["'(=\s])cid:([^"'()<>\s]+)""", re.IGNORECASE)
_REMOTE = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s*=\s*["']?\s*|url\(\s*["']?\s*)(?:https?:)?//""", re.IGNORECASE
)
_PICTURE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,60}", re.IGNORECASE)
# A picture that is named a thousand times is not put in a thousand times.
_LARGEST_PICTURES = 32 * 1024 * 1024


def frame_headers(*, remote_images: bool) -> Mapping[str, str]:
    """Return the headers that disarm the document; remote pictures, and nothing else, may be allowed."""
    pictures = "data: https: http:" if remote_images else "data:"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
            "base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-DNS-Prefetch-Control": "off",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def remote_content(source: str) -> bool:
    """Return whether the HTML asks for pictures from the network."""
    return _REMOTE.search(source) is not None


def document(source: str, attachments: Sequence[Attachment]) -> str:
    """Return the HTML with inline pictures put in, links that open a new tab, and nothing that connects by itself."""
    source = _AHEAD.sub(r"<x-\1", source)
    source = _ANCHOR.sub(r'<\1 target="_blank" rel="noopener noreferrer"', source)
    inline = {attachment.content_id: attachment for attachment in attachments if attachment.content_id}
    left = _LARGEST_PICTURES
    encoded: dict[str, str] = {}

    def put_in(match: re.Match[str]) -> str:
        nonlocal left
        attachment = inline.get(match[1]) or inline.get(unquote(match[1]))
        if attachment is None or not _PICTURE_TYPE.fullmatch(attachment.content_type):
            return match[0]
        name = attachment.content_id or ""
        if name not in encoded:
            content = base64.b64encode(attachment.content).decode("ascii")
            encoded[name] = f"data:{attachment.content_type.lower()};base64,{content}"
        left -= len(encoded[name])
        return encoded[name] if left >= 0 else match[0]

    return _CID.sub(put_in, source) if inline else source
