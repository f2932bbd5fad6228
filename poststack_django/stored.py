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
    from collections.abc import Mapping

    from poststack.types import SendEmail
    from poststack_django.backends.email import EmailBackend
    from poststack_django.clients import EmailClient
    from poststack_django.models import SentEmail

__all__ = ["backend_of", "client_of", "mailer_of_jobs", "message_from", "message_of", "stored_payload"]


def backend_of(email: SentEmail) -> EmailBackend:
    """Return the mailer that an e-mail was given to, as it is configured now.

    Raises `ImproperlyConfigured` when there is no longer one of this name that sends through PostStack: another one may
    have the key of another account.
    """
    from poststack_django.backends.email import EmailBackend

    if not email.mailer:
        return _unnamed_mailer()
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
    known: dict[str, Any] = {"subject": email.subject, "from": email.from_email}
    known |= payload or {"to": email.to, "cc": email.cc, "bcc": email.bcc}
    known |= {"tags": list(email.tags), "idempotency_key": email.idempotency_key}
    return message_from(known, email.metadata)


def message_from(payload: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> EmailMultiAlternatives:
    """Return a message that says what a call says, for receivers and functions. Raises `ValueError` for bad files."""
    reply_to = payload.get("reply_to")
    message = EmailMultiAlternatives(
        payload.get("subject", ""),
        payload.get("text", ""),
        payload.get("from"),
        payload.get("to"),
        cc=payload.get("cc"),
        bcc=payload.get("bcc"),
        reply_to=[reply_to] if reply_to else None,
        headers=payload.get("headers"),
    )
    if html := payload.get("html"):
        message.attach_alternative(html, "text/html")
    for file in payload.get("attachments", []):
        message.attach(file["filename"], base64.b64decode(file["content"]), file.get("content_type"))
    extras = {name: payload[name] for name in _EXTRAS if name in payload}
    vars(message).update(extras, tags=list(payload.get("tags", [])), metadata=dict(metadata or {}))
    vars(message)["idempotency_key"] = payload.get("idempotency_key", "")
    return message


def mailer_of_jobs() -> EmailBackend:
    """Return what jobs of `poststack_tasks` are sent by: the project's default mailer where that is one of ours.

    Else it is one that has nothing but the settings.
    """
    from poststack_django.backends.email import EmailBackend

    mailers: Any = getattr(mail, "mailers", None)
    if mailers is not None and "default" in getattr(settings, "MAILERS", {}):
        made: object = mailers["default"]
        if isinstance(made, EmailBackend):
            return made
    return _unnamed_mailer()


def _unnamed_mailer() -> EmailBackend:
    from poststack_django.backends.email import EmailBackend

    with muted_deprecations():
        # Refused on Django 6.1 where there are MAILERS, as after a change from one to the other.
        path: str = getattr(settings, "EMAIL_BACKEND", "")
        configured: Any = import_string(path) if path else None
        # One of the project's own, made from ours, may have a client of its own.
        if isinstance(configured, type) and issubclass(configured, EmailBackend):
            return configured()
        return EmailBackend()


_EXTRAS = ("scheduled_at", "signature", "template_id", "tracking", "unsubscribe", "variables")
