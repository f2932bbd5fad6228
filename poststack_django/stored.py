"""From a stored e-mail back to what sends it: its mailer, its message, its client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import import_string

from poststack_django.clients import with_key_for
from poststack_django.muted import muted_deprecations

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_django.backends.email import EmailBackend
    from poststack_django.clients import EmailClient
    from poststack_django.models import SentEmail

__all__ = ["backend_of", "client_of", "message_of", "stored_payload"]


def backend_of(email: SentEmail) -> EmailBackend:
    """Return the mailer that an e-mail was given to, as it is configured now.

    Raises `ImproperlyConfigured` when there is no longer one of this name that sends through PostStack: another one may
    have the key of another account.
    """
    from poststack_django.backends.email import EmailBackend

    if not email.mailer:
        with muted_deprecations():
            # Refused on Django 6.1 where there are MAILERS, as after a change from one to the other.
            path: str = getattr(settings, "EMAIL_BACKEND", "")
            configured: Any = import_string(path) if path else None
            # One of the project's own, made from ours, may have a client of its own.
            if isinstance(configured, type) and issubclass(configured, EmailBackend):
                return configured()
            return EmailBackend()
    mailers: Any = getattr(mail, "mailers", None)
    made: object = mailers[email.mailer] if email.mailer in getattr(settings, "MAILERS", {}) else None
    if not isinstance(made, EmailBackend):
        raise ImproperlyConfigured(
            f"The e-mail was given to the mailer {email.mailer!r}, which MAILERS no longer has. Add it again; its "
            "BACKEND is one of poststack_django.backends."
        )
    return made


def client_of(email: SentEmail) -> EmailClient:
    """Return the client that the e-mail's mailer sends with, that of its tenant where the key depends on the message.

    Raises `ImproperlyConfigured` when there is none.
    """
    backend = backend_of(email)
    return backend.client_for(with_key_for(message_of(email), backend.configuration))


def stored_payload(email: SentEmail) -> SendEmail | None:
    """Return the call that is stored with the e-mail, `None` when none is."""
    from poststack_django.models import EmailContent
    from poststack_django.records import payload_of

    content = EmailContent.objects.filter(sent_email=email.pk).first()
    return None if content is None else cast("SendEmail", payload_of(content))


def message_of(email: SentEmail, payload: SendEmail | None = None) -> EmailMultiAlternatives:
    """Return a message that says what is known of the e-mail: all of it with the payload, else the envelope.

    It is for receivers of signals and for functions that choose a key, not for sending.
    """
    known: dict[str, Any] = dict(payload or {})
    reply_to = known.get("reply_to")
    message = EmailMultiAlternatives(
        known.get("subject", email.subject),
        known.get("text", ""),
        known.get("from", email.from_email),
        known.get("to", email.to),
        cc=known.get("cc", email.cc),
        bcc=known.get("bcc", email.bcc),
        reply_to=[reply_to] if reply_to else None,
        headers=known.get("headers"),
    )
    if html := known.get("html"):
        message.attach_alternative(html, "text/html")
    for file in known.get("attachments", []):
        message.attach(file["filename"], base64.b64decode(file["content"]), file.get("content_type"))
    extras = {name: known[name] for name in _EXTRAS if name in known}
    vars(message).update(extras, tags=list(email.tags), metadata=dict(email.metadata))
    vars(message)["idempotency_key"] = email.idempotency_key
    return message


_EXTRAS = ("scheduled_at", "signature", "template_id", "tracking", "unsubscribe", "variables")
