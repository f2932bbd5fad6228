"""Signatures of mailboxes: made harmless when they are stored, and put into what the mailbox sends."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

__all__ = ["harmless_html", "signed_html", "signed_text"]

_TAG = re.compile(r"\{\{\s*signature\s*\}\}")
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_DELIMITER = "-- "
_TAG_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9:_-]*")
_NO_ADDRESS = re.compile(r"[\s\x00-\x20]+")


def signed_text(body: str, signature: str | None, fill: Callable[[str], str]) -> str:
    """Return a text with a signature where `{{signature}}` stands, or else below it and a line with two dashes.

    `fill` is applied to the body, not to the signature. Without a signature the tag becomes nothing.
    """
    pieces = [fill(piece) for piece in _TAG.split(body)]
    if len(pieces) > 1 or not signature:
        return (signature or "").join(pieces)
    return f"{pieces[0].rstrip()}\n\n{_DELIMITER}\n{signature}"


def signed_html(body: str, signature: str | None, fill: Callable[[str], str]) -> str:
    """Return HTML with a signature where `{{signature}}` stands, or else at its end; see `signed_text`."""
    pieces = [fill(piece) for piece in _TAG.split(body)]
    if len(pieces) > 1 or not signature:
        return (signature or "").join(pieces)
    content = pieces[0]
    ends = [match.start() for match in _BODY_END.finditer(content)]
    end = ends[-1] if ends else len(content)
    return f"{content[:end]}\n{signature}{content[end:]}"


def harmless_html(source: str) -> str:
    """Return HTML without scripts, styles, comments, event handlers and addresses that are scripts."""
    cleaner = _Cleaner()
    cleaner.feed(source)
    cleaner.close()
    return "".join(cleaner.kept)


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style"}:
            self._inside = tag
        elif not self._inside and _TAG_NAME.fullmatch(tag):
            self.kept.append(f"<{tag}{''.join(_attribute(name, value) for name, value in attrs)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<script/>` begins a script in HTML, so it is not the end of one either.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._inside = ""
        elif not self._inside and _TAG_NAME.fullmatch(tag):
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            # A bare < could become a tag together with what is left of a dropped one.
            self.kept.append(data.replace("<", "&lt;"))

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


def _attribute(name: str, value: str | None) -> str:
    if not _ATTRIBUTE_NAME.fullmatch(name) or name.startswith("on") or name == "srcdoc":
        return ""
    if value is None:
        return f" {name}"
    if _NO_ADDRESS.sub("", value).lower().startswith(("javascript:", "vbscript:", "data:text")):
        return ""
    return f' {name}="{escape(value)}"'
