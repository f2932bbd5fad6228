"""A Django message as the API's payload: everything it says is sent, or `ValueError` names what cannot be.

The message is only read. No error text contains what the message says: texts of errors end up in logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMessage

from poststack import mime
from poststack_django.extras import add_extras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.types import SendEmail

__all__ = ["payload_from"]


def payload_from(message: EmailMessage, defaults: Mapping[str, Any] | None = None) -> SendEmail:
    """Return what `emails.send` takes. Raises `ValueError` for anything that the API has no words for.

    Beside what Django knows, the attributes of `poststack_django.extras` are sent; `defaults` are for those.
    """
    _refuse_own_mime(message)
    payload = mime.payload_from(message, charset=str(message.encoding or settings.DEFAULT_CHARSET))
    add_extras(payload, message, defaults or {})
    return mime.finished_payload(payload)


def _refuse_own_mime(message: EmailMessage) -> None:
    if type(message).message is not EmailMessage.message:
        # Such as those that sign or encrypt: what they do is done to MIME, which is made at PostStack.
        raise ValueError(
            f"{type(message).__name__} overrides message(), which nothing sent through PostStack goes through: what it "
            "does would be lost. Send it through a mailer that uses SMTP."
        )
