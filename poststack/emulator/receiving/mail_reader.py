"""From the bytes of a mail to what it says. Whatever the bytes are, they are read or refused, in bounded time.

The parser is the standard library's, in its older form: the newer one, which knows more of a mail's headers, needs
minutes for some of them and stumbles over others. What cannot be decoded is shown as well as it can be.
"""

from __future__ import annotations

import codecs
import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from typing import NamedTuple, TypeAlias, TypeVar, cast

from poststack.emulator.api.answers import unprocessable
from poststack.emulator.api.content import spam_findings
from poststack.emulator.model import Address, Attachment, SpamFinding
from poststack.emulator.receiving.inbound import InboundMessage

__all__ = ["ReadMail", "checked_mail", "message_id_in", "read_mail"]

T = TypeVar("T")
Part: TypeAlias = "Message[str, str]"

_MIB = 1024 * 1024
_MAX_FILES = 100
_MAX_FILES_TOTAL = 25 * _MIB
_MAX_BODY = 1 * _MIB
_MAX_HEADERS = 1_000
_MAX_HEADER = 64 * 1024
_MAX_ADDRESSES = 1_000
_MAX_NAME = 255
# The parser holds each line against the boundary of each part around it. These are lines enough for the largest mail in
# base64, and more parts in parts than any mail has.
_MAX_LINES = 700_000
_MAX_CONTAINERS = 50
_MAX_COMPARISONS = 5_000_000
_MAX_BOUNDARIES = 20_000

_BREAKS = re.compile(r"[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]+")
_CONTAINER = re.compile(rb"^content-type:\s{0,80}(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_ENCODED = re.compile(r"=\?[^?\s]{1,80}\?[bq]\?[^?\s]*\?=(?:\s+=\?[^?\s]{1,80}\?[bq]\?[^?\s]*\?=)*", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_CONTENT_ID = re.compile(r"<?([^<>\s]{1,500})>?")
# Encodings that are no charsets, and slow on long texts.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})
# The text that spam filters are tried out with, see https://spamassassin.apache.org/gtube/
_GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


class ReadMail(NamedTuple):
    """A mail and its files."""

    message: InboundMessage
    files: tuple[Attachment, ...] = ()

    @property
    def size(self) -> int:
        """What it takes to keep it, in bytes or nearly so."""
        message = self.message
        headers = sum(len(name) + len(value) for name, value in message.headers.items())
        return headers + len(message.html or "") + len(message.text or "") + sum(file.size for file in self.files)


def read_mail(raw: bytes) -> ReadMail:
    """Read a mail as SMTP transports it. Raises a 422 for one that is too large or too deeply nested."""
    lines, containers = max(raw.count(b"\n"), raw.count(b"\r")), len(_CONTAINER.findall(raw))
    if (
        lines > _MAX_LINES
        or containers > _MAX_CONTAINERS
        or lines * containers > _MAX_COMPARISONS
        or raw.count(b"\n--") > _MAX_BOUNDARIES
    ):
        raise unprocessable("The mail has too many lines and parts for the emulator to read it in good time.")
    try:
        mail = message_from_bytes(raw.lstrip(b"\r\n"))
    except RecursionError as error:
        raise unprocessable("The mail is nested too deeply.") from error
    headers = _headers(mail)
    text, html, files = _parts(mail)
    sender = _addresses(mail, "from")
    return checked_mail(
        InboundMessage(
            from_=sender[0] if sender else Address(""),
            to=_addresses(mail, "to"),
            cc=_addresses(mail, "cc"),
            reply_to=_addresses(mail, "reply-to"),
            subject=headers.get("subject"),
            message_id=message_id_in(headers.get("message-id", "")),
            html=html,
            text=text,
            headers=headers,
        ),
        files,
    )


def checked_mail(message: InboundMessage, files: tuple[Attachment, ...]) -> ReadMail:
    """Return a mail with the spam check done. Raises a 422 for one that is larger than the emulator keeps."""
    if any(len(body or "") > _MAX_BODY for body in (message.text, message.html)):
        raise unprocessable(f"The text or the HTML of a received mail has more than {_MAX_BODY} characters.")
    if len(files) > _MAX_FILES or sum(file.size for file in files) > _MAX_FILES_TOTAL:
        raise unprocessable(f"A received mail has more than {_MAX_FILES} files, or more than 25 MiB of them.")
    return ReadMail(replace(message, spam=_spam(message.subject or "", message.html, message.text)), files)


def message_id_in(header: str) -> str | None:
    """Return the first id in a header, in its angle brackets."""
    found = _MESSAGE_ID.search(header)
    return None if found is None else found[0]


def _spam(subject: str, html: str | None, text: str | None) -> tuple[SpamFinding, ...]:
    found = spam_findings(subject, html, text)
    if _GTUBE in (text or "") or _GTUBE in (html or ""):
        found += (SpamFinding("GTUBE", 15.0, "The text that spam filters are tried out with"),)
    return found


def _headers(mail: Part) -> dict[str, str]:
    headers: dict[str, list[str]] = {}
    raw = list(mail.raw_items())
    if len(raw) > _MAX_HEADERS or any(len(value) > _MAX_HEADER for _, value in raw):
        raise unprocessable(
            f"The mail has more than {_MAX_HEADERS} headers, or one with more than {_MAX_HEADER} characters."
        )
    for name, value in raw:
        headers.setdefault(_text_of(name).strip().lower(), []).append(_decoded(value))
    return {name: ", ".join(values) for name, values in headers.items()}


def _addresses(mail: Part, name: str) -> tuple[Address, ...]:
    values = [_text_of(value) for key, value in mail.raw_items() if key.lower() == name]
    # Read before names are decoded, so that none can bring a comma or a bracket of its own.
    unreadable: list[tuple[str, str]] = []
    found = _attempt(lambda: getaddresses([_BREAKS.sub(" ", value) for value in values]), unreadable)
    pairs = [(_decoded(name).strip(), _BREAKS.sub(" ", address).strip()) for name, address in found[:_MAX_ADDRESSES]]
    return tuple(Address(address, name or None) for name, address in pairs if address)


def _decoded(value: str) -> str:
    """Return a header on one line, with its encoded words decoded (RFC 2047)."""
    line = _BREAKS.sub(" ", re.sub(r"\r?\n(?=[ \t])", "", _text_of(value)))
    return _BREAKS.sub(" ", _ENCODED.sub(lambda match: _words(match[0]), line)).strip()


def _words(encoded: str) -> str:
    try:
        pieces = decode_header(encoded)
    except (HeaderParseError, ValueError):
        return encoded
    return "".join(_text_in(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces)


def _text_of(raw: str) -> str:
    """Return what the parser, to which all is ASCII, could not read: UTF-8, or else the usual charset of the West."""
    if raw.isascii():
        return raw
    try:
        return _text_in(raw.encode("utf-8", "surrogateescape"), None)
    except UnicodeEncodeError:
        return raw.encode("utf-8", "replace").decode()


def _text_in(content: bytes, charset: str | None) -> str:
    for candidate in (charset, "utf-8"):
        try:
            if candidate and codecs.lookup(candidate).name.replace("_", "-") not in _NO_CHARSETS:
                return content.decode(candidate).encode("utf-8", "replace").decode()
        except (LookupError, ValueError):
            continue
    return content.decode("windows-1252", "replace")


def _parts(mail: Part) -> tuple[str | None, str | None, tuple[Attachment, ...]]:
    """Return the first text, the first HTML, and everything else as files."""
    bodies: dict[str, str] = {}
    files: list[Attachment] = []
    for part in _leaves(mail):
        kind = part.get_content_type()
        name = _filename(part)
        attached = name is not None or _attempt(part.get_content_disposition, None) == "attachment"
        if kind in {"text/plain", "text/html"} and not attached and kind not in bodies:
            charset = _attempt(part.get_content_charset, None)
            bodies[kind] = re.sub(r"\r\n?", "\n", _text_in(_content(part), charset))
        elif content := _content(part):
            files.append(_file(part, kind, name, content, len(files) + 1))
        elif attached:
            files.append(_file(part, kind, name, b"", len(files) + 1))
    return bodies.get("text/plain"), bodies.get("text/html"), tuple(files)


def _leaves(mail: Part) -> Iterator[Part]:
    waiting = [mail]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting.extend(reversed(cast("list[Part]", part.get_payload())))
        else:
            yield part


def _content(part: Part) -> bytes:
    if part.is_multipart():
        # A mail in a mail is one file.
        return b"\n".join(_attempt(each.as_bytes, b"") for each in cast("list[Part]", part.get_payload()))
    nothing: object = b""
    content = _attempt(lambda: cast("object", part.get_payload(decode=True)), nothing)
    return content if isinstance(content, bytes) else b""


def _file(part: Part, kind: str, name: str | None, content: bytes, number: int) -> Attachment:
    kind = kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"
    content_id = _CONTENT_ID.fullmatch(_decoded(str(part.get("content-id", ""))))
    ending = ".eml" if kind == "message/rfc822" else mimetypes.guess_extension(kind) or ".bin"
    return Attachment(name or f"attachment-{number}{ending}", content, kind, content_id[1] if content_id else None)


def _filename(part: Part) -> str | None:
    name = _attempt(part.get_filename, None)
    return None if name is None else _decoded(str(name))[:_MAX_NAME].strip() or None


def _attempt(action: Callable[[], T], instead: T) -> T:
    try:
        return action()
    except Exception:  # noqa: BLE001  # what the standard library trips over: KeyError, TypeError, RecursionError …
        return instead
