"""A call of the API, back to the Django message that it came from: Django's tests look at messages."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from django.core.mail import EmailMultiAlternatives

__all__ = ["message_from"]


def message_from(payload: dict[str, Any]) -> EmailMultiAlternatives:
    """Return the message that says what the payload says. A field that it has no place for is an error."""
    fields = dict(payload)
    fields.pop("idempotency_key")
    text, html = fields.pop("text", None), fields.pop("html", None)
    reply_to = fields.pop("reply_to", None)
    message = EmailMultiAlternatives(
        fields.pop("subject"),
        html if text is None else text,
        fields.pop("from"),
        fields.pop("to"),
        cc=fields.pop("cc", []),
        bcc=fields.pop("bcc", []),
        reply_to=[] if reply_to is None else [reply_to],
        headers=fields.pop("headers", {}),
    )
    if text is None:
        message.content_subtype = "html"
    elif html is not None:
        message.attach_alternative(html, "text/html")
    for attachment in fields.pop("attachments", []):
        message.attach(attachment["filename"], b64decode(attachment["content"]), attachment["content_type"])
    assert not fields, f"no place for {sorted(fields)}"
    return message
