"""`/inbound`: mail that was received, answering and forwarding it (`poststack-api` §4.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import Reply, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.compose import canonical, compose, without_suppressed
from poststack.emulator.api.fields import optional_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.backend import Backend
from poststack.emulator.downloads import download_headers
from poststack.emulator.model import Address, Message, iso
from poststack.emulator.receiving.inbound import InboundEmail, InboundFile
from poststack.emulator.receiving.mailboxes import mailbox_at
from poststack.emulator.receiving.reception import files_of
from poststack.emulator.receiving.replies import (
    forwarded_html,
    forwarded_text,
    prefixed,
    quoted_html,
    quoted_text,
    salutation,
    stripped_reply,
    thread_headers,
)

__all__ = ["ROUTES", "find_inbound", "inbound_json"]

_TONES = ("formal", "friendly", "casual")
_MAX_FORWARDED = 50
_PLACEHOLDER = "[Write your reply here]"


def inbound_json(email: InboundEmail) -> dict[str, Any]:
    """Write a received mail."""
    message = email.message
    return {
        "id": email.number,
        "domainId": email.domain_id,
        "fromAddress": message.from_.address,
        "fromName": message.from_.name,
        "toAddress": email.to_address,
        "toAddresses": _addresses_json(message.to),
        "ccAddresses": _addresses_json(message.cc),
        "messageId": message.message_id,
        "subject": message.subject,
        "htmlBody": message.html,
        "textBody": message.text,
        "headers": dict(message.headers) or None,
        "createdAt": iso(email.created_at),
        "mailboxHash": email.mailbox_hash,
        "spamScore": message.spam_score,
        "spamVerdict": "spam" if message.is_spam else "clean",
        "strippedReply": stripped_reply(message),
    }


def find_inbound(backend: Backend, arguments: Mapping[str, str]) -> InboundEmail:
    """Return the mail that the path names by its number, or raise a 404."""
    email = backend.store.inbound_emails.get(_number(arguments["id"]))
    if email is None:
        raise not_found("Inbound email", arguments["id"])
    return email


def _addresses_json(addresses: Sequence[Address]) -> list[dict[str, Any]] | None:
    return [{"address": address.address, "name": address.name} for address in addresses] or None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = call.query.get("domain", "").lower()
    found = [email for email in backend.store.inbound_emails.newest() if domain in {"", email.domain}]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [inbound_json(email) for email in page.items], "meta": page_json(page)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"inboundEmail": inbound_json(find_inbound(backend, arguments))})


def _attachments(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    files = files_of(backend.store, find_inbound(backend, arguments))
    return Reply(200, {"attachments": [_file_json(file) for file in files]})


def _file_json(file: InboundFile) -> dict[str, Any]:
    attachment = file.attachment
    return {
        "id": file.number,
        "filename": attachment.filename,
        "contentType": attachment.content_type,
        "size": attachment.size,
        "createdAt": iso(file.created_at),
    }


def _download(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email = find_inbound(backend, arguments)
    file = backend.store.inbound_files.get(_number(arguments["attachment"]))
    if file is None or file.email != email.number:
        raise not_found("Attachment", arguments["attachment"])
    return Reply(200, file.attachment.content, download_headers(file.attachment))


def _draft_reply(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email = find_inbound(backend, arguments)
    tone = optional_text(call.optional_json(), "tone") or "friendly"
    if tone not in _TONES:
        raise unprocessable(f"`tone` must be one of {', '.join(_TONES)}.")
    message = email.message
    opening, text, html = salutation(message, tone), quoted_text(email), quoted_html(email)
    thread, mailbox = thread_headers(message), mailbox_at(backend.store, email.to_address)
    draft = {
        "inbound": {
            "id": email.number,
            "from": message.from_.address,
            "to": email.to_address,
            "subject": message.subject,
            "received_at": iso(email.created_at),
        },
        "suggested_from": email.to_address,
        "suggested_subject": prefixed("Re", message.subject),
        "salutation": opening,
        "body_placeholder": _PLACEHOLDER,
        "quoted_html": html,
        "quoted_text": text,
        "threading": {
            "in_reply_to": thread.get("In-Reply-To"),
            "references": thread.get("References", ""),
        },
        "suggested_html": f"<p>{escape(opening)}</p>\n<p>{_PLACEHOLDER}</p>\n{html}",
        "suggested_text": f"{opening}\n\n{_PLACEHOLDER}\n\n{text}",
        "signs_automatically": mailbox is not None and mailbox.signs,
    }
    return Reply(200, draft)


def _reply(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email, content = find_inbound(backend, arguments), call.json()
    original = email.message
    senders = original.reply_to or ((original.from_,) if original.from_.address else ())
    answered = tuple({sender.address.lower(): sender for sender in senders}.values())
    if not answered:
        raise unprocessable("The received e-mail names no sender, so there is nobody to reply to.")
    payload = {
        **{name: content.get(name) for name in ("from", "html", "text", "cc", "bcc")},
        "to": [parse_address(address.address, "sender of the received e-mail").address for address in answered],
        "subject": prefixed("Re", original.subject),
        "headers": thread_headers(original),
    }
    message = replace(compose(backend, payload, call.caller), to=answered, payload=content)
    return _accepted(backend, call, message, reply_to=email)


def _forward(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email, content = find_inbound(backend, arguments), call.json()
    if not isinstance(content.get("to"), list):
        raise invalid("`to` must be an array of 1 to 50 addresses.")
    note = optional_text(content, "message") or ""
    payload = {
        **{name: content.get(name) for name in ("from", "to", "cc", "bcc")},
        "subject": prefixed("Fwd", email.message.subject),
        "text": forwarded_text(email, note),
        "signature": "none",
        "html": forwarded_html(email, note),
    }
    files = tuple(file.attachment for file in files_of(backend.store, email))
    message = compose(backend, payload, call.caller, max_recipients=_MAX_FORWARDED)
    return _accepted(backend, call, replace(message, attachments=files, payload=content), forward_of=email)


def _accepted(
    backend: Backend,
    call: Call,
    message: Message,
    *,
    reply_to: InboundEmail | None = None,
    forward_of: InboundEmail | None = None,
) -> Reply:
    """Send it, each time anew: these endpoints honour no idempotency key."""
    bodies = len(message.html or "") + len(message.text or "")
    size = len(canonical(message.payload)) + bodies + sum(file.size for file in message.attachments)
    email = backend.lifecycle.accept(
        without_suppressed(backend, replace(message, size=size)),
        "em_" + backend.ids(18),
        call.now,
        test_mode=call.test_mode,
        scheduled_at=None,
        idempotency_key=None,
        fingerprint="",
        reply_to_inbound=None if reply_to is None else reply_to.number,
        forward_of_inbound=None if forward_of is None else forward_of.number,
    )
    return Reply(202, {"id": email.id})


ROUTES = (
    Route("GET", "/inbound", _list),
    Route("GET", "/inbound/{id}", _get),
    Route("GET", "/inbound/{id}/attachments", _attachments),
    Route("GET", "/inbound/{id}/attachments/{attachment}", _download),
    Route("POST", "/inbound/{id}/draft-reply", _draft_reply),
    Route("POST", "/inbound/{id}/reply", _reply),
    Route("POST", "/inbound/{id}/forward", _forward),
)
