"""An e-mail as its recipients read it. What a strict relay would not take is a `ValueError`."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final, cast

from tests.providers.fakes.base import Delivered, FileTaken

ONCE: Final = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
)


def read_mail(data: bytes) -> Delivered:
    """Return what the bytes say. Nobody is in `bcc`: who gets a blind copy is not in an e-mail."""
    _check_lines(data)
    mail = message_from_bytes(data, policy=policy.default)
    found: dict[str, list[str]] = {}
    for name, value in mail.raw_items():
        found.setdefault(str(name).lower(), []).append(str(value).replace("\r\n", "").replace("\n", ""))
    if "bcc" in found or any(len(found.get(name, ())) > 1 for name in ONCE):
        raise ValueError("a Bcc, or a header twice")
    if len(found.get("from", ())) != 1 or len(found.get("to", ())) != 1 or found.get("mime-version") != ["1.0"]:
        raise ValueError("no From, To or MIME-Version")
    if "date" in found:
        parsedate_to_datetime(found["date"][0])
    people = {name: _addresses(found.get(name, [])) for name in ("from", "to", "cc", "reply-to")}
    if len(people["from"]) != 1:
        raise ValueError("not one sender")
    bodies: dict[str, str] = {}
    files: list[FileTaken] = []
    for part in mail.walk():
        if part.is_multipart():
            _check_multipart(part)
            continue
        if part.get_content_disposition() is None:
            kind = part.get_content_type()
            if kind in bodies:
                raise ValueError("two bodies of one type")
            content = cast("bytes", part.get_payload(decode=True))
            bodies[kind] = content.decode(str(part.get_content_charset())).replace("\r\n", "\n")
        else:
            content_id = cast("str | None", part["Content-ID"])
            files.append(
                (
                    str(part.get_filename()),
                    cast("bytes", part.get_payload(decode=True)),
                    part.get_content_type(),
                    None if content_id is None else str(content_id).strip("<>"),
                )
            )
    return Delivered(
        found.get("message-id", [""])[0].strip("<>"),
        people["from"][0],
        people["to"],
        people["cc"],
        [],
        people["reply-to"],
        read_text(found.get("subject", [""])[0]),
        bodies.pop("text/plain", None),
        bodies.pop("text/html", None),
        {name: read_text(values[0]) for name, values in _spelled(mail).items()},
        attachments=files,
    )


def read_addresses(values: list[str]) -> list[tuple[str, str]]:
    """Return names and addresses. Raises `ValueError` for what is no list of addresses in ASCII."""
    pairs = getaddresses(values)
    if len(pairs) < len(values) or any(email.count("@") != 1 or not email.isascii() for _, email in pairs):
        raise ValueError("not an address")
    return [(read_text(name), email) for name, email in pairs]


def read_text(value: str) -> str:
    """Return what encoded words spell."""
    return str(make_header(decode_header(value))) if "=?" in value else value


def _addresses(values: list[str]) -> list[tuple[str, str]]:
    return read_addresses(values) if values else []


def _spelled(mail: EmailMessage) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in mail.raw_items():
        found.setdefault(str(name), []).append(str(value).replace("\r\n", "").replace("\n", ""))
    return found


def _check_lines(data: bytes) -> None:
    bare = data.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare or b"\0" in data or not data.isascii():
        raise ValueError("bare line breaks, NUL, or 8 bits")
    if max(map(len, data.split(b"\r\n"))) > 998:
        raise ValueError("a line of more than 998 bytes")


def _check_multipart(part: EmailMessage) -> None:
    kinds = [inner.get_content_type() for inner in part.iter_parts()]
    kind = part.get_content_type()
    if kind == "multipart/alternative" and kinds not in (
        ["text/plain", "text/html"],
        ["text/plain", "multipart/related"],
    ):
        raise ValueError("the text has to come before the HTML")
    if kind == "multipart/related" and (kinds[0] != "text/html" or len(kinds) == 1):
        raise ValueError("nothing to be related to")
