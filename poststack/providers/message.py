"""One e-mail in terms that every provider's adapter understands: parsed, checked, and safe to write into a header.

`make_message` is the only way in. What it lets through has no line breaks where they would start a header, addresses
whose domains are ASCII, and no address twice; so no adapter has to look again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import idna

from poststack.mime.addresses import address_parts_from, refuse_line_breaks
from poststack.mime.texts import refuse_half_characters

__all__ = ["Address", "Attachment", "Message", "make_address", "make_message"]

_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2: printable ASCII without the colon.
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# Each has a field of its own, or is what the e-mail is made of (RFC 5322 §3.6, RFC 2045 §3).
_HEADERS_WITH_A_FIELD: Final = {
    "from": "from_email",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "subject": "subject",
}
_STRUCTURAL_HEADERS: Final = frozenset(
    {
        "content-disposition",
        "content-id",
        "content-transfer-encoding",
        "content-type",
        "dkim-signature",
        "mime-version",
        "received",
        "return-path",
    }
)
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;.*)?")


class Address(NamedTuple):
    """A mailbox. `name` is the display name as people read it; the domain of `email` is ASCII (IDNA 2008, UTS 46)."""

    name: str
    email: str

    def __str__(self) -> str:
        """Return it as RFC 5322 writes it, the name quoted where it must be; not encoded, so it may be Unicode."""
        if not self.name:
            return self.email
        if _ATOMS.fullmatch(self.name) or (not self.name.isascii() and not re.search(r'[()<>\[\]:;@\\,."]', self.name)):
            return f"{self.name} <{self.email}>"
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{self.email}>'

    def __repr__(self) -> str:
        return "Address(…)"

    @property
    def is_ascii(self) -> bool:
        """Whether the address itself is ASCII: a local part that is not needs SMTPUTF8 all the way."""
        return self.email.isascii()


class Attachment(NamedTuple):
    """A file. With a `content_id`, without angle brackets, it is inline: `<img src="cid:…">` shows it."""

    filename: str
    content: bytes
    content_type: str = "application/octet-stream"
    content_id: str | None = None

    def __repr__(self) -> str:
        return f"Attachment({len(self.content)} bytes, {self.content_type!r})"


@dataclass(slots=True)
class Message:
    """One e-mail. Made by `make_message`, never changed afterwards: use `dataclasses.replace`.

    `None` means "not said" everywhere: of a template's subject, of tracking, where the account's default applies.
    """

    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    attachments: tuple[Attachment, ...] = ()
    template_id: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scheduled_at: datetime | None = None
    idempotency_key: str | None = None
    track_opens: bool | None = None
    track_clicks: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What only one provider has, in that provider's own terms; written into its request as it is."""

    def __repr__(self) -> str:
        """Return what identifies no person and shows no content."""
        return f"Message({len(self.recipients)} recipients, {len(self.attachments)} attachments)"

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Return all who get it."""
        return self.to + self.cc + self.bcc

    @property
    def content_size(self) -> int:
        """Return how many bytes its bodies, in UTF-8, and its files have, before any encoding for transport."""
        bodies = _utf8_length(self.text) + _utf8_length(self.html)
        return bodies + sum(len(attachment.content) for attachment in self.attachments)


def _utf8_length(text: str | None) -> int:
    if not text:
        return 0
    # Asked of every message of a bulk, so what is known without encoding is not encoded.
    return len(text) if text.isascii() else len(text.encode())


def make_message(
    *,
    sender: object,
    to: Iterable[object],
    cc: Iterable[object] = (),
    bcc: Iterable[object] = (),
    reply_to: Iterable[object] = (),
    subject: str | None = None,
    text: str | None = None,
    html: str | None = None,
    headers: Mapping[str, str] | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    attachments: Iterable[Attachment] = (),
    template_id: str | int | None = None,
    variables: Mapping[str, Any] | None = None,
    scheduled_at: datetime | None = None,
    idempotency_key: str | None = None,
    track_opens: bool | None = None,
    track_clicks: bool | None = None,
    options: Mapping[str, Any] | None = None,
) -> Message:
    """Return the message. Raises `ValueError` for what no provider could send; its text holds no address and no body.

    Addresses are texts such as `Ada <ada@example.com>`, or `(name, address)`. One that comes twice is kept at its first
    place: `to` before `cc` before `bcc`.
    """
    if sender is None or sender == "":
        raise ValueError("The e-mail has no sender: give `from_email`, such as 'Acme <hello@example.com>'.")
    taken: set[str] = set()
    message = Message(
        sender=make_address(sender, "from_email"),
        to=_recipients(to, "to", taken),
        cc=_recipients(cc, "cc", taken),
        bcc=_recipients(bcc, "bcc", taken),
        reply_to=_recipients(reply_to, "reply_to", set()),
        subject=_line(subject, "subject"),
        text=_body(text, "text"),
        html=_body(html, "html"),
        headers=_headers(headers) if headers else (),
        tags=_tags(tags) if tags else (),
        metadata=_metadata(metadata) if metadata else {},
        attachments=_attachments(attachments) if attachments else (),
        template_id=_template_id(template_id),
        variables=_json_object(variables, "template_data") if variables else {},
        scheduled_at=_moment(scheduled_at),
        idempotency_key=_line(idempotency_key, "idempotency_key") or None,
        track_opens=_switch(track_opens, "track_opens"),
        track_clicks=_switch(track_clicks, "track_clicks"),
        options=_json_object(options, "options") if options else {},
    )
    if not message.to:
        raise ValueError("The e-mail has no recipients: `to` needs at least one address, also beside `cc` and `bcc`.")
    if message.template_id is None:
        if not message.subject:
            raise ValueError("The e-mail has no `subject`. Give one, or a `template_id`.")
        if not message.text and not message.html:
            raise ValueError("The e-mail has no `body`. Give one, or a `template_id`.")
        if message.variables:
            raise ValueError("`template_data` needs a `template_id`: without one nothing is filled in.")
    return message


def make_address(value: object, name: str) -> Address:
    """Return an address. `name` is the field in error texts. Raises `ValueError`, never with the address in it."""
    if isinstance(value, Address):
        return value
    if not isinstance(value, (str, tuple, list)):
        raise ValueError(f"`{name}` is an address as text, not {type(value).__name__}.")
    display_name, local_part, domain = address_parts_from(cast("object", value), name)
    if not local_part or not domain:
        raise ValueError(f"`{name}` is not an e-mail address. Write `name@example.com` or `Name <name@example.com>`.")
    if not _PLAIN_LOCAL_PART.fullmatch(local_part):
        escaped = local_part.replace("\\", "\\\\").replace('"', '\\"')
        local_part = f'"{escaped}"'
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError(f"`{name}` has a domain that cannot be written in ASCII.") from None
    return Address(display_name, f"{local_part}@{domain}")


_PLAIN_LOCAL_PART: Final = re.compile(r"[^\s\x00-\x1f()<>\[\]:;@\\,\"]+")


def _recipients(values: Iterable[object], name: str, taken: set[str]) -> tuple[Address, ...]:
    _refuse_no_list(values, name, "addresses")
    found: list[Address] = []
    for index, value in enumerate(values):
        address = make_address(value, f"{name}[{index}]")
        local_part, _, domain = address.email.rpartition("@")
        same = f"{local_part}@{domain.lower()}"
        if same not in taken:
            taken.add(same)
            found.append(address)
    return tuple(found)


def _refuse_no_list(values: object, name: str, of: str) -> None:
    given = values
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ValueError(f"`{name}` is a list of {of}, not {type(given).__name__}.")


def _refuse_no_dictionary(values: object, name: str) -> None:
    if not isinstance(values, Mapping):
        raise ValueError(f"`{name}` is a dictionary, not {type(values).__name__}.")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` is text, not {type(value).__name__}.")
    if not value.isascii():
        refuse_half_characters(value, name)
    return value


def _line(value: object, name: str) -> str | None:
    if value is None:
        return None
    text = _text(value, name)
    refuse_line_breaks(text, name)
    return text


def _body(value: object, name: str) -> str | None:
    return _text(value, name) if value else None


def _headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    _refuse_no_dictionary(headers, "headers")
    found: dict[str, tuple[str, str]] = {}
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("`headers` has a name that is no header name: printable ASCII without spaces and colons.")
        folded = name.lower()
        if folded in _HEADERS_WITH_A_FIELD:
            own = _HEADERS_WITH_A_FIELD[folded]
            raise ValueError(f"`headers` has {name!r}, which has a place of its own: `{own}`.")
        if folded in _STRUCTURAL_HEADERS:
            raise ValueError(f"`headers` has {name!r}, which is written when the e-mail is put together. Leave it out.")
        if folded in found:
            raise ValueError(f"`headers` has {name!r} twice, in different capitals.")
        text = _line(value, f"headers[{name!r}]")
        if text is None:
            raise ValueError(f"`headers[{name!r}]` is text, not None.")
        found[folded] = (name, text)
    return tuple(found.values())


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    _refuse_no_list(tags, "tags", "texts")
    found = [_line(tag, f"tags[{index}]") for index, tag in enumerate(tags)]
    if not all(found):
        raise ValueError("`tags` has an empty tag.")
    return tuple(dict.fromkeys(cast("list[str]", found)))


def _metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    _refuse_no_dictionary(metadata, "metadata")
    for key, value in cast("Mapping[object, object]", metadata).items():
        if not isinstance(key, str) or not key:
            raise ValueError("`metadata` has a key that is no text.")
        refuse_line_breaks(_text(key, "metadata"), "metadata")
        if not isinstance(value, str):
            raise ValueError(f"`metadata[{key!r}]` is text, not {type(value).__name__}. Write it with str().")
        refuse_line_breaks(_text(value, f"metadata[{key!r}]"), f"metadata[{key!r}]")
    return dict(metadata)


def _attachments(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    found = tuple(attachments)
    for index, attachment in enumerate(found):
        for name in ("filename", "content_type", "content_id"):
            _line(getattr(attachment, name), f"attachments[{index}].{name}")
        if not attachment.filename:
            raise ValueError(f"`attachments[{index}]` has no file name.")
        if not _MEDIA_TYPE.fullmatch(attachment.content_type):
            raise ValueError(f"`attachments[{index}]` has a type that is no media type such as 'application/pdf'.")
        if attachment.content_id is not None and not re.fullmatch(r"[!-;=?-~]+", attachment.content_id):
            raise ValueError(f"`attachments[{index}].content_id` is printable ASCII without spaces and brackets.")
    return found


def _template_id(template_id: object) -> str | None:
    if template_id is None:
        return None
    # Nothing and 0 are what a lookup that found nothing returns; as "no template" they would send something else.
    if isinstance(template_id, bool) or not isinstance(template_id, (str, int)) or not template_id:
        raise ValueError("`template_id` is the id of a template, or None.")
    return _line(str(template_id), "template_id")


def _json_object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    _refuse_no_dictionary(values, name)
    if not all(isinstance(key, str) for key in cast("Sequence[object]", list(values))):
        raise ValueError(f"`{name}` has a name that is no text.")
    # Found here, one wrong value cannot keep others from being written into the same request.
    try:
        json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        # The value itself stays out of the text: it can be somebody's data.
        reason = "a text contains half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else str(error)
        raise ValueError(
            f"`{name}` cannot be written as JSON: {reason.rstrip('.')}. Give text, numbers, booleans, lists and "
            "dictionaries only; write dates with isoformat()."
        ) from None
    return dict(values)


def _moment(moment: datetime | None) -> datetime | None:
    if not isinstance(cast("object", moment), (datetime, type(None))):
        raise ValueError(f"`scheduled_at` is a datetime with a time zone, not {type(moment).__name__}.")
    if moment is not None and moment.utcoffset() is None:
        raise ValueError("`scheduled_at` has no time zone. Give datetime(…, tzinfo=timezone.utc), or another zone.")
    return moment


def _switch(value: bool | None, name: str) -> bool | None:
    if not isinstance(cast("object", value), (bool, type(None))):
        raise ValueError(f"`{name}` is True, False or None, not {type(value).__name__}.")
    return value
