"""A message with the attributes of Django's `EmailMessage`, as the API's payload: everything it says is in it.

Flask-Mailman's messages have the same attributes. A message is only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from poststack import checked_email
from poststack.mime.addresses import address_from, addresses_from, refuse_line_breaks, same_addresses
from poststack.mime.files import attachment_from
from poststack.mime.headers import headers_from
from poststack.mime.texts import refuse_half_characters, text_from

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poststack.types import SendEmail

__all__ = ["EmailMessageLike", "finished_payload", "line_from", "payload_from", "reply_to_from"]


class EmailMessageLike(Protocol):
    """What is read of a message; `alternatives` as well where it has them."""

    subject: Any
    body: Any
    from_email: Any
    to: Any
    cc: Any
    bcc: Any
    reply_to: Any
    attachments: Any
    extra_headers: Any
    content_subtype: Any


def payload_from(message: EmailMessageLike, *, charset: str, default_sender: object = "") -> SendEmail:
    """Return what `emails.send` takes, before `finished_payload`. Raises `ValueError` for what the API cannot say.

    `charset` is what the message's bytes are in; `default_sender` applies where the message has no sender.
    """
    headers = headers_from(cast("dict[object, object]", message.extra_headers))
    recipients = _recipients(message, headers)
    payload: SendEmail = {
        "from": address_from(headers.pop("From", message.from_email or default_sender), "from_email"),
        "to": recipients.pop("to"),
    }
    payload.update(cast("SendEmail", recipients))
    header = headers.pop("Reply-To", None)
    if reply_to := address_from(header, "Reply-To") if header is not None else reply_to_from(message.reply_to):
        payload["reply_to"] = reply_to
    payload["subject"] = line_from("" if message.subject is None else message.subject, "subject")
    _add_bodies(payload, message, charset)
    if headers:
        payload["headers"] = headers
    if message.attachments:
        payload["attachments"] = [attachment_from(item, at, charset) for at, item in enumerate(message.attachments)]
    return payload


def finished_payload(payload: SendEmail) -> SendEmail:
    """Return a payload that can be sent: checked, and without the empty texts that would hide a template's own."""
    if payload.get("template_id"):
        empty = {name for name in ("subject", "text", "html") if not payload.get(name)}
        payload = cast("SendEmail", {name: value for name, value in payload.items() if name not in empty})
    refuse_half_characters(payload)
    return checked_email(payload)


def line_from(value: object, field: str) -> str:
    """Return a text of one line. Raises `ValueError` for a line break or a NUL in it."""
    text = str(value)
    refuse_line_breaks(text, field)
    return text


def reply_to_from(given: Iterable[object]) -> str | None:
    """Return the one address of a list, or None of an empty one. Raises `ValueError` for several."""
    found = addresses_from(given, "reply_to")
    if len(found) > 1:
        raise ValueError("`reply_to` has several addresses; PostStack takes one.")
    return found[0] if found else None


def _recipients(message: EmailMessageLike, headers: dict[str, str]) -> dict[str, list[str]]:
    lists = {name: addresses_from(getattr(message, name) or (), name) for name in ("to", "cc", "bcc")}
    for name, header in (("to", "To"), ("cc", "Cc")):
        # SMTP can show other recipients than it delivers to; the API cannot.
        shown = headers.pop(header, None)
        if shown is not None and not same_addresses(shown, lists[name], header):
            raise ValueError(
                f"The header {header} names other recipients than the message's `{name}`. PostStack shows those it "
                "delivers to; use `bcc` for recipients who stay hidden."
            )
    if not lists["to"]:
        raise ValueError("The message has no `to`: PostStack needs one visible recipient beside `cc` and `bcc`.")
    return {name: addresses for name, addresses in lists.items() if addresses}


def _add_bodies(payload: SendEmail, message: EmailMessageLike, charset: str) -> None:
    subtype = str(message.content_subtype).lower()
    if subtype not in {"plain", "html"}:
        raise ValueError(f"PostStack sends text and HTML; `content_subtype` is {subtype!r}.")
    bodies: dict[str, str] = {}
    alternatives = cast("Iterable[tuple[Any, Any]]", getattr(message, "alternatives", None) or ())
    if message.body or not alternatives:
        bodies["text" if subtype == "plain" else "html"] = text_from(message.body or "", charset, "body")
    for content, mimetype in alternatives:
        kind = str(mimetype).partition(";")[0].strip().lower()
        field = {"text/plain": "text", "text/html": "html"}.get(kind)
        if field is None:
            raise ValueError(f"The message has an alternative of type {kind!r}; PostStack sends text and HTML.")
        if field in bodies:
            raise ValueError(f"The message has two bodies of type {kind!r}; PostStack sends one.")
        bodies[field] = text_from(content, charset, f"alternative {kind}")
    payload.update(cast("SendEmail", bodies))
