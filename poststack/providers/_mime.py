"""A message as the bytes of an e-mail (RFC 5322, MIME), 7-bit throughout: relays and click tracking damage 8-bit mail.

Written here and not by the standard library, which encodes long ids in References, in some releases encodes commas
between addresses, and refuses file names with control characters. Lines have at most 998 bytes, and of headers 78
wherever there is a space to break at.
"""

from __future__ import annotations

import base64
import re
import secrets
from binascii import b2a_qp
from dataclasses import replace
from email.charset import Charset
from email.utils import format_datetime
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import quote

from poststack.providers.capabilities import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from poststack.providers.message import Address, Attachment, Message

__all__ = ["header_address", "header_text", "header_value", "mime_bytes", "unsupported_in_mime"]

LONGEST_LINE: Final = 998
"""Bytes, without the line break (RFC 5322 §2.1.1)."""
USUAL_LINE: Final = 78
LONGEST_ADDRESS: Final = 320
"""Characters (RFC 5321 §4.5.3.1: 64 before the @, 255 after it)."""
LONGEST_NAME: Final = 75
"""Characters of a display name that stays as it is."""
LONGEST_ENCODED_WORD: Final = 64
"""Characters. RFC 2047 §2 allows 75, and 76 for a whole line: this leaves room for the header's name."""
LONGEST_TYPE: Final = 900
BINARY: Final = "application/octet-stream"

_UTF8: Final = Charset("utf-8")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/?^_`{|}~-]+)*")
_PLAIN_WORDS: Final = re.compile(r"[!-~]+( [!-~]+)*")
_PRINTABLE: Final = re.compile(r"[\t -~]*")
_PRINTABLE_LINES: Final = re.compile(rb"[\t\r\n -~]*")
_PLAIN_FILE_NAME: Final = re.compile(r"[!#-\[\]-~]([ !#-\[\]-~]{0,58}[!#-\[\]-~])?")
_SEMICOLON: Final = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')  # not inside quotes
_PIECES: Final = re.compile(r"(?:%..|[^%]){1,18}")


class _Part(NamedTuple):
    """Something with headers of its own, each in a line, and a body without a line break after it."""

    headers: tuple[str, ...]
    body: bytes

    def __bytes__(self) -> bytes:
        return "".join(f"{header}\r\n" for header in self.headers).encode() + b"\r\n" + self.body


def mime_bytes(message: Message, *, message_id: str | None, date: datetime | None) -> bytes:
    """Return the e-mail, without any Bcc. Line breaks are CRLF; at its very end there is one if its text ends so.

    A Message-ID or Date among the message's headers replaces these, which are left out when they are `None`. What
    `unsupported_in_mime` yields must have been dealt with.
    """
    own = {name.lower() for name, _ in message.headers}
    head: list[tuple[str, str]] = []
    if date is not None and "date" not in own:
        head.append(("Date", format_datetime(date)))
    head.append(("From", header_address(message.sender)))
    for name, addresses in (("Reply-To", message.reply_to), ("To", message.to), ("Cc", message.cc)):
        if addresses:
            head.append((name, ", ".join(map(header_address, addresses))))
    head.append(("Subject", header_text(message.subject or "")))
    if message_id is not None and "message-id" not in own:
        head.append(("Message-ID", message_id if message_id.startswith("<") else f"<{message_id}>"))
    head += [*_custom_headers(message), ("MIME-Version", "1.0")]
    lines = "".join(f"{_folded(name, value)}\r\n" for name, value in head)
    # Only an address can still hold what is not ASCII, and then the server has to know SMTPUTF8 (RFC 6532).
    return lines.encode() + bytes(_whole(message))


def unsupported_in_mime(message: Message) -> Iterator[Unsupported]:
    """Yield what an e-mail cannot hold without going beyond its longest line or its 7 bits."""
    files = tuple(file if _can_be_written(file) else file._replace(content_type=BINARY) for file in message.attachments)
    if files != message.attachments:
        reason = f"takes e-mails as files in 7 bits and as message/rfc822 only; give others the type {BINARY!r}"
        yield Unsupported("attachments", reason, replace(message, attachments=files))
    if any(len(file.content_type) > LONGEST_TYPE or not _PRINTABLE.fullmatch(file.content_type) for file in files):
        yield Unsupported("attachments", f"takes media types in at most {LONGEST_TYPE} characters, all of them ASCII")
    lines = [line for header in _custom_headers(message) for line in _folded(*header).split("\r\n")]
    if any(len(line) > LONGEST_LINE for line in lines):
        yield Unsupported("headers", f"takes lines of at most {LONGEST_LINE} characters, broken at spaces only")
    if any(
        len(address.email) > LONGEST_ADDRESS for address in (message.sender, *message.recipients, *message.reply_to)
    ):
        yield Unsupported("to", f"takes addresses of at most {LONGEST_ADDRESS} characters")


def header_address(address: Address) -> str:
    """Return an address as a header has it: names with commas in quotes, those outside ASCII as encoded words."""
    name = address.name
    if not name:
        return address.email
    if _ATOMS.fullmatch(name) and len(name) <= LONGEST_NAME and "=?" not in name:
        return f"{name} <{address.email}>"
    # In quotes "=?…?=" would, against the RFC, be read by many as what it spells.
    if not _PLAIN_WORDS.fullmatch(name) or "=?" in name or len(name) > LONGEST_NAME:
        return f"{_encoded(name)} <{address.email}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address.email}>'


def header_text(text: str) -> str:
    """Return a text that means nothing but itself, such as a subject, in ASCII (RFC 2047)."""
    if not text or (_PLAIN_WORDS.fullmatch(text) and "=?" not in text and max(map(len, text.split())) < USUAL_LINE):
        return text
    return _encoded(text)


def header_value(value: str) -> str:
    """Return the value of a header that may be structured: ids, addresses, encoded words of the caller's own."""
    return value.strip(" \t") if _PRINTABLE.fullmatch(value) else _encoded(value)


def _custom_headers(message: Message) -> list[tuple[str, str]]:
    return [(name, header_value(value)) for name, value in message.headers]


def _encoded(text: str) -> str:
    words = _UTF8.header_encode_lines(text, repeat(LONGEST_ENCODED_WORD))
    return " ".join(word for word in cast("Iterable[str | None]", words) if word)


def _folded(name: str, value: str) -> str:
    """Return a header, broken before spaces. What unfolds it gets the very same spaces back."""
    lines, line = list[str](), f"{name}:"
    for word in re.findall(r"[ \t]*[^ \t]+", f" {value}"):
        if len(line) + len(word) > USUAL_LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line += word
    return "\r\n".join([*lines, line])


def _whole(message: Message) -> _Part:
    texts: list[_Part] = []
    if message.text or not message.html:
        texts.append(_text_part(message.text or "", "plain"))
    if message.html:
        # Without HTML there is nothing that could show an image, so it is a file like the others.
        images = [_file_part(file) for file in message.attachments if file.content_id is not None]
        html = _text_part(message.html, "html")
        texts.append(_multipart('related; type="text/html"', [html, *images]) if images else html)
    body = _multipart("alternative", texts) if len(texts) > 1 else texts[0]
    files = [_file_part(file) for file in message.attachments if not (message.html and file.content_id is not None)]
    return _multipart("mixed", [body, *files]) if files else body


def _text_part(text: str, subtype: str) -> _Part:
    data = re.sub(r"\r\n?|\n", "\r\n", text).encode()
    if _PRINTABLE_LINES.fullmatch(data) and max(map(len, data.split(b"\r\n"))) <= LONGEST_LINE:
        encoding, body = "7bit", data
    elif sum(byte >= 0x80 for byte in data[:3000]) * 6 > len(data[:3000]):
        encoding, body = "base64", _base64(data)
    else:
        # It takes the line breaks of the text as an example for its own, so there has to be one.
        encoding, body = "quoted-printable", b2a_qp(data + b"\r\n", istext=True).removesuffix(b"\r\n")
    headers = (f'Content-Type: text/{subtype}; charset="utf-8"', f"Content-Transfer-Encoding: {encoding}")
    return _Part(headers, body)


def _file_part(file: Attachment) -> _Part:
    kind = ";\r\n ".join(part.strip() for part in _SEMICOLON.split(file.content_type) if part.strip())
    disposition = "attachment" if file.content_id is None else "inline"
    headers = [f"Content-Type: {kind}", f"Content-Disposition: {disposition};\r\n {_file_name(file.filename)}"]
    if file.content_id is not None:
        headers.append(f"Content-ID: <{file.content_id}>")
    if _bare_type(file).startswith("message/"):
        # No other encoding is allowed for these (RFC 2046 §5.2.1).
        content = file.content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return _Part((*headers, "Content-Transfer-Encoding: 7bit"), content)
    return _Part((*headers, "Content-Transfer-Encoding: base64"), _base64(file.content))


def _multipart(kind: str, parts: Sequence[_Part]) -> _Part:
    # "=_" occurs in neither base64 nor quoted-printable, and nobody can guess the rest.
    boundary = f"=_{secrets.token_hex(16)}"
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), bytes(part)) for part in parts)
    headers = (f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"',)
    return _Part(headers, body + b"--%s--" % boundary.encode())


def _file_name(name: str) -> str:
    """Return the parameter of a header (RFC 2183; RFC 2231 for what is not plain, in pieces when it is long)."""
    if _PLAIN_FILE_NAME.fullmatch(name):
        return f'filename="{name}"'
    pieces: list[str] = _PIECES.findall(quote(name, safe=""))
    if len(pieces) == 1:
        return f"filename*=utf-8''{pieces[0]}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return ";\r\n ".join(f"filename*{index}*={piece}" for index, piece in enumerate(pieces))


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _can_be_written(file: Attachment) -> bool:
    kind, content = _bare_type(file), file.content
    if not kind.startswith(("message/", "multipart/")):
        return True
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    in_7_bits = content.isascii() and b"\x00" not in content and not any(b"\r" in line for line in lines)
    return kind == "message/rfc822" and in_7_bits and max(map(len, lines)) <= LONGEST_LINE


def _bare_type(file: Attachment) -> str:
    return file.content_type.partition(";")[0].strip().lower()
