"""What a strict mail server looks at in an e-mail, and what those who get it read there."""

from __future__ import annotations

import json
import re
from email.parser import Parser
from email.policy import SMTPUTF8
from typing import TYPE_CHECKING, Any, Final, cast

from tests.providers.fakes.base import Delivered, FileTaken

if TYPE_CHECKING:
    from email.message import EmailMessage

    from aiosmtpd.smtp import Envelope

ONCE: Final = (
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "content-type",
    "content-transfer-encoding", "in-reply-to", "references",
)  # fmt: skip


def problem_of(envelope: Envelope, content: bytes) -> str | None:
    """Return why no server should take an e-mail, `None` for one in order."""
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        return "a lone CR or LF"
    if not content.isascii() and "SMTPUTF8" not in envelope.mail_options:
        return "8-bit content without SMTPUTF8"
    head = content.partition(b"\r\n\r\n")[0]
    names = [name.lower() for name in re.findall(r"^([!-9;-~]+):", head.decode(), re.MULTILINE)]
    if twice := [name for name in ONCE if names.count(name) > 1]:
        return f"{twice[0]} twice"
    if missing := [name for name in ("from", "date", "message-id", "mime-version") if name not in names]:
        return f"no {missing[0]}"
    if "bcc" in names:
        return "a Bcc that everybody sees"
    message = _parsed(content)
    for name in ("from", "sender", "to", "cc", "reply-to"):
        header: Any = message[name]
        if header is not None and (not header.addresses or not all(one.domain for one in header.addresses)):
            return f"{name} is no address"
    date: Any = message["date"]
    return None if date.datetime is not None else "the Date is none"


def _parsed(content: bytes) -> EmailMessage:
    return Parser(policy=SMTPUTF8).parsestr(content.decode())


def delivered_from(envelope: Envelope, content: bytes) -> Delivered:
    """Return what somebody reads who gets the e-mail."""
    message = _parsed(content)
    to, cc = _people(message, "to"), _people(message, "cc")
    shown = {address for _, address in to + cc}
    metadata = message["x-metadata"]
    return Delivered(
        str(message["message-id"]).strip("<>"),
        _people(message, "from")[0],
        to,
        cc,
        [("", address) for address in envelope.rcpt_tos if address not in shown],
        _people(message, "reply-to"),
        str(message["subject"]) or None,
        _text(message, "plain"),
        _text(message, "html"),
        {name: str(value) for name, value in message.items() if name.lower() not in (*ONCE, "x-tag", "x-metadata")},
        [str(tag) for tag in message.get_all("x-tag", [])],
        json.loads(str(metadata)) if metadata is not None else {},
        [_file(part) for part in message.walk() if part.get_content_disposition() is not None],
    )


def _people(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    header: Any = message[name]
    return [] if header is None else [(one.display_name, one.addr_spec) for one in header.addresses]


def _text(message: EmailMessage, subtype: str) -> str | None:
    body = message.get_body((subtype,))
    if body is None:
        return None
    text: str = cast("Any", body).get_content()
    return text.replace("\r\n", "\n").removesuffix("\n")


def _file(part: Any) -> FileTaken:
    content_id = part["content-id"]
    data: bytes = part.get_payload(decode=True) or b""
    return part.get_filename(), data, part.get_content_type(), None if content_id is None else content_id.strip("<>")
