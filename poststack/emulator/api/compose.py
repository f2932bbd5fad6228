"""From a send payload to the message it stands for.

Every rule on the content of an e-mail (`poststack-api` §3.1).
"""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from poststack.emulator.api.addresses import address_list, parse_address, reply_addresses
from poststack.emulator.api.answers import invalid, unprocessable
from poststack.emulator.api.call import Caller
from poststack.emulator.api.content import fill, spam_findings
from poststack.emulator.api.fields import (
    boolean,
    object_of,
    one_line,
    optional_text,
    required_text,
    texts,
    texts_by_name,
)
from poststack.emulator.api.senders import sender_domain
from poststack.emulator.model import Address, Attachment, Message, Template
from poststack.emulator.receiving.mailboxes import mailbox_at
from poststack.emulator.receiving.signatures import signed_html, signed_text

if TYPE_CHECKING:
    from poststack.emulator.account.domains import Domain
    from poststack.emulator.backend import Backend

__all__ = ["attachments_of", "canonical", "compose", "headers_of", "without_suppressed"]

_MIB = 1024 * 1024
# The API says 10 MB and 25 MB of decoded bytes; the larger reading of MB is the one accepted here.
_MAX_ATTACHMENT = 10 * _MIB
_MAX_ATTACHMENTS_TOTAL = 25 * _MIB
# The API states none of these; they keep what one e-mail can hold within reason.
_MAX_ATTACHMENT_COUNT = 500
_MAX_HEADERS = 200
_MAX_TAGS = 100
_MAX_TAG = 256
_MAX_SUBJECT = 998
# An e-mail has each of these once (RFC 5322 §3.6, RFC 2045 §3): a second one would contradict it.
_FIELD_OF_HEADER: Mapping[str, str] = {
    "from": "from",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "subject": "subject",
}
_STRUCTURAL_HEADERS = frozenset(
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
_HEADER_NAME = re.compile(r"[!-9;-~]{1,200}")
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;[ -~]*)?", re.ASCII)


def compose(
    backend: Backend, payload: Mapping[str, Any], caller: Caller, *, max_recipients: int | None = None
) -> Message:
    """Return the message of a send payload, or raise the refusal the API would answer with.

    `Caller()` is for what the emulator sends by itself: it may send from every domain that is verified.
    """
    limit = max_recipients or backend.settings.max_recipients
    sender = parse_address(required_text(payload, "from"), "from")
    domain = sender_domain(backend, sender, caller)
    to = address_list(payload, "to", limit)
    if not to:
        raise invalid("`to` must hold at least one address.")
    cc, bcc = (address_list(payload, name, limit) for name in ("cc", "bcc"))
    subject, html, text, template = _content(backend, payload, sender)
    track_opens, track_clicks = _tracking(payload, domain)
    attachments = attachments_of(payload)
    shown = _without_files(payload)
    return Message(
        from_=sender,
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=reply_addresses(payload),
        subject=subject,
        html=html,
        text=text,
        headers=_own_headers(payload),
        tags=_tags(payload),
        attachments=attachments,
        template_id=None if template is None else template.id,
        unsubscribe=boolean(payload, "unsubscribe") or False,
        track_opens=track_opens,
        track_clicks=track_clicks,
        spam=spam_findings(subject, html, text),
        payload=shown,
        size=len(canonical(shown)) + len(html or "") + len(text or "") + sum(file.size for file in attachments),
    )


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Return the JSON that is the same for payloads that mean the same."""
    return json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def without_suppressed(backend: Backend, message: Message) -> Message:
    """Drop suppressed recipients. Raises a 422 when none is left."""
    suppressed = [address.address for address in message.recipients if backend.store.suppression(address.address)]
    if not suppressed:
        return message
    left = message.without(suppressed)
    if not left.recipients:
        raise unprocessable(
            "All recipients are suppressed. DELETE /suppressions/{email} lets an address receive mail again."
        )
    return left


def _tracking(payload: Mapping[str, Any], domain: Domain | None) -> tuple[bool | None, bool | None]:
    tracking = object_of(payload, "tracking")
    opens, clicks = boolean(tracking, "opens"), boolean(tracking, "clicks")
    if domain is None:
        return opens, clicks
    return domain.open_tracking if opens is None else opens, domain.click_tracking if clicks is None else clicks


def _signatures(backend: Backend, payload: Mapping[str, Any], sender: Address) -> tuple[str | None, str | None]:
    """Return what the mailbox that an e-mail comes from signs with, in HTML and in text."""
    wanted = optional_text(payload, "signature")
    if wanted not in {None, "auto", "none"}:
        raise unprocessable("`signature` must be auto or none.")
    mailbox = None if wanted == "none" else mailbox_at(backend.store, sender.address)
    if mailbox is None or not mailbox.signs:
        return None, None
    return mailbox.signature_html, mailbox.signature_text


def _content(
    backend: Backend, payload: Mapping[str, Any], sender: Address
) -> tuple[str, str | None, str | None, Template | None]:
    subject, html, text = (optional_text(payload, name) for name in ("subject", "html", "text"))
    template = _template(backend, payload)
    variables = texts_by_name(payload, "variables")
    if template is not None:
        # The template supplies what is missing; inline fields win.
        subject = template.subject if subject is None else subject
        html = template.html if html is None else html
        text = template.text if text is None else text
    if subject is None:
        raise invalid("`subject` is required.")
    if html is None and text is None:
        raise invalid("`html` or `text` is required.")
    if template is not None or variables:
        subject = fill(subject, variables, escape=False)
    signature_html, signature_text = _signatures(backend, payload, sender)

    def filled(body: str, *, escape: bool) -> str:
        return fill(body, variables, escape=escape) if template is not None or variables else body

    # Who gives the tag a value of their own signs by themselves.
    own = "signature" in variables
    if html is not None:
        fill_html = partial(filled, escape=True)
        html = fill_html(html) if own else signed_html(html, signature_html, fill_html)
    if text is not None:
        fill_text = partial(filled, escape=False)
        text = fill_text(text) if own else signed_text(text, signature_text, fill_text)
    if len(subject) > _MAX_SUBJECT:
        raise unprocessable(f"`subject` is longer than {_MAX_SUBJECT} characters.")
    return one_line(subject, "subject"), html, text, template


def _template(backend: Backend, payload: Mapping[str, Any]) -> Template | None:
    template_id = optional_text(payload, "template_id")
    if template_id is None:
        return None
    template = backend.store.templates.find("id", template_id)
    if template is None:
        raise unprocessable("Template not found")
    if not template.published:
        raise unprocessable("Template not published")
    return template


def headers_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """Read `headers`. Raises a 422 for names that are none, and values that could start another header."""
    headers = texts_by_name(payload, "headers")
    if len(headers) > _MAX_HEADERS:
        raise unprocessable(f"`headers` holds more than {_MAX_HEADERS} headers.")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise unprocessable("`headers` holds a name that is not a header name.")
        one_line(value, "headers")
    return headers


def _own_headers(payload: Mapping[str, Any]) -> dict[str, str]:
    headers = headers_of(payload)
    for name in headers:
        if name.lower() in _FIELD_OF_HEADER:
            raise unprocessable(f"`headers` holds {name}. Use `{_FIELD_OF_HEADER[name.lower()]}`.")
        if name.lower() in _STRUCTURAL_HEADERS:
            raise unprocessable(f"`headers` holds {name}, which PostStack writes itself. Leave it out.")
    return headers


def _tags(payload: Mapping[str, Any]) -> tuple[str, ...]:
    tags = texts(payload, "tags")
    if len(tags) > _MAX_TAGS or any(len(tag) > _MAX_TAG for tag in tags):
        raise unprocessable(f"`tags` holds more than {_MAX_TAGS} tags, or one above {_MAX_TAG} characters.")
    return tuple(one_line(tag, "tags") for tag in tags)


def attachments_of(payload: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Read `attachments`, decoded. Raises a 422 for what is no base64, and for more than the API takes."""
    entries = payload.get("attachments")
    if entries is None:
        return ()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in cast("list[object]", entries)):
        raise invalid("`attachments` must be an array of objects.")
    found = cast("list[dict[str, Any]]", entries)
    if len(found) > _MAX_ATTACHMENT_COUNT:
        raise unprocessable(f"More than {_MAX_ATTACHMENT_COUNT} attachments.")
    attachments = tuple(_attachment(entry) for entry in found)
    if sum(attachment.size for attachment in attachments) > _MAX_ATTACHMENTS_TOTAL:
        raise unprocessable("The attachments are larger than 25 MB in total.")
    return attachments


def _attachment(entry: Mapping[str, Any]) -> Attachment:
    filename = one_line(required_text(entry, "filename"), "filename")
    encoded = optional_text(entry, "content")
    if encoded is None:
        raise invalid("`content` of an attachment is required, in base64.")
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise unprocessable("`content` of an attachment is not base64.") from error
    if len(content) > _MAX_ATTACHMENT:
        raise unprocessable("An attachment is larger than 10 MB.")
    content_type = optional_text(entry, "content_type") or mimetypes.guess_type(filename)[0]
    content_id = optional_text(entry, "content_id")
    if content_type is not None and not _CONTENT_TYPE.fullmatch(content_type):
        raise unprocessable("`content_type` of an attachment is not a media type.")
    if content_id is not None and (not content_id or re.search(r"[<>\s\0]", content_id)):
        raise unprocessable("`content_id` of an attachment must be a word without angle brackets.")
    return Attachment(filename, content, content_type or "application/octet-stream", content_id)


def _without_files(payload: Mapping[str, Any]) -> dict[str, Any]:
    entries = payload.get("attachments")
    if not entries:
        return dict(payload)
    files = [
        {**entry, "content": f"({len(entry['content'])} characters of base64)"}
        for entry in cast("list[dict[str, Any]]", entries)
    ]
    return {**payload, "attachments": files}
