"""A Django message as the API's payload: everything it says is sent, or `ValueError` names what cannot be.

The message is only read. No error text contains what the message says: texts of errors end up in logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.encoding import force_str

from poststack import checked_email
from poststack_django.addresses import address_from, addresses_from, refuse_line_breaks, same_addresses
from poststack_django.extras import add_extras
from poststack_django.files import attachment_from
from poststack_django.headers import headers_from

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["payload_from"]


def payload_from(message: EmailMessage, defaults: Mapping[str, Any] | None = None) -> SendEmail:
    """Return what `emails.send` takes. Raises `ValueError` for anything that the API has no words for.

    Beside what Django knows, the attributes of `poststack_django.extras` are sent; `defaults` are for those.
    """
    _refuse_own_mime(message)
    defaults = defaults or {}
    headers = headers_from(cast("dict[object, object]", message.extra_headers))
    recipients = _recipients(message, headers)
    payload: SendEmail = {
        "from": address_from(headers.pop("From", message.from_email), "from_email"),
        "to": recipients.pop("to"),
    }
    payload.update(cast("SendEmail", recipients))
    if reply_to := _reply_to(message, headers):
        payload["reply_to"] = reply_to
    payload["subject"] = _line(message.subject, "subject")
    _add_bodies(payload, message)
    if headers:
        payload["headers"] = headers
    if message.attachments:
        charset = _charset(message)
        payload["attachments"] = [attachment_from(item, at, charset) for at, item in enumerate(message.attachments)]
    add_extras(payload, message, defaults)
    if "template_id" in payload:
        # The template supplies what the message leaves empty; empty texts would stand in for it.
        fields = cast("dict[str, object]", payload)
        for name in ("subject", "text", "html"):
            if not fields.get(name):
                fields.pop(name, None)
    _refuse_half_characters(payload)
    return checked_email(payload)


def _refuse_half_characters(value: object, field: str = "") -> None:
    """Raise `ValueError` where a text cannot be written as UTF-8: then no message of the call could be sent."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"`{field}` contains half of a surrogate pair. Give whole characters.") from None
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            _refuse_half_characters(name, field or "a name")
            _refuse_half_characters(inner, f"{field}.{name}" if field and name.isidentifier() else field or name)
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            _refuse_half_characters(inner, f"{field}[{index}]")


def _refuse_own_mime(message: EmailMessage) -> None:
    if type(message).message is not EmailMessage.message:
        # Such as those that sign or encrypt: what they do is done to MIME, which is made at PostStack.
        raise ValueError(
            f"{type(message).__name__} overrides message(), which nothing sent through PostStack goes through: what it "
            "does would be lost. Send it through a mailer that uses SMTP."
        )


def _recipients(message: EmailMessage, headers: dict[str, str]) -> dict[str, list[str]]:
    lists = {name: addresses_from(getattr(message, name), name) for name in ("to", "cc", "bcc")}
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


def _reply_to(message: EmailMessage, headers: dict[str, str]) -> str | None:
    header = headers.pop("Reply-To", None)
    if header is not None:
        return address_from(header, "Reply-To")
    found = addresses_from(message.reply_to, "reply_to")
    if len(found) > 1:
        raise ValueError("`reply_to` has several addresses; PostStack takes one.")
    return found[0] if found else None


def _add_bodies(payload: SendEmail, message: EmailMessage) -> None:
    charset = _charset(message)
    subtype = str(message.content_subtype).lower()
    if subtype not in {"plain", "html"}:
        raise ValueError(f"PostStack sends text and HTML; `content_subtype` is {subtype!r}.")
    bodies: dict[str, str] = {}
    alternatives = cast("Iterable[tuple[Any, Any]]", getattr(message, "alternatives", None) or ())
    if message.body or not alternatives:
        bodies["text" if subtype == "plain" else "html"] = _text(message.body or "", charset)
    for content, mimetype in alternatives:
        kind = str(mimetype).partition(";")[0].strip().lower()
        field = {"text/plain": "text", "text/html": "html"}.get(kind)
        if field is None:
            raise ValueError(f"The message has an alternative of type {kind!r}; PostStack sends text and HTML.")
        if field in bodies:
            raise ValueError(f"The message has two bodies of type {kind!r}; PostStack sends one.")
        bodies[field] = _text(content, charset)
    payload.update(cast("SendEmail", bodies))


def _text(content: object, charset: str) -> str:
    try:
        return force_str(cast("str", content), encoding=charset)
    except UnicodeDecodeError:
        raise ValueError(f"A body is bytes that are not {charset}. Give text.") from None


def _line(value: object, field: str) -> str:
    text = str(value)
    refuse_line_breaks(text, field)
    return text


def _charset(message: EmailMessage) -> str:
    return str(message.encoding or settings.DEFAULT_CHARSET)
