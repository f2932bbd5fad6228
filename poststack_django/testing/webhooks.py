"""Webhooks as PostStack would send them, for tests of the project's own view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.http import HttpResponse
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from poststack.testing import webhook_call
from poststack_django.result import status_of
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from datetime import datetime

    from django.test import Client

    from poststack_django.models import SentEmail

__all__ = ["SignedWebhook", "mounted_path", "mounted_secrets", "post", "signed_webhook"]


@dataclass(frozen=True)
class SignedWebhook:
    """One call of the webhook. The body is what was signed: send these very bytes."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    event_id: str = ""

    def post(self, client: Client, path: str | None = None) -> HttpResponse:
        """Post it with Django's test client, to the view that `poststack_django.urls` mounts or to a path."""
        return post(client, path or mounted_path(), self.body, self.headers)


def signed_webhook(
    event_type: str = "email.delivered",
    *,
    email_id: str | None = None,
    email: SentEmail | EmailMessage | None = None,
    recipient: str | None = None,
    secret: str | None = None,
    event_id: str | None = None,
    timestamp: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    bad_signature: bool = False,
) -> SignedWebhook:
    """Make a webhook call about an e-mail: a row, a message that was sent, or an id.

        signed_webhook("email.bounced", email=SentEmail.objects.get(), recipient="ada@example.com").post(self.client)

    It is signed with the first secret that the mounted view or `POSTSTACK` has, or with `secret`; `bad_signature` signs
    it with another one. Each call is a new event, happening now, unless you give `event_id` and `timestamp`. `data` is
    added to what the event says. In a `TestCase`, receivers of `tracking` are called within
    `captureOnCommitCallbacks(execute=True)`.
    """
    if email is not None:
        email_id = _id_of(email)
    signing = secret or _first_secret()
    call = webhook_call(
        event_type,
        secret=f"not {signing}" if bad_signature else signing,
        email_id=email_id,
        recipient=recipient,
        event_id=event_id,
        timestamp=timestamp,
        data=data,
    )
    return SignedWebhook(call.body, call.headers, call.event_id)


def mounted_path() -> str:
    """Return where `poststack_django.urls` is mounted. Raises `ImproperlyConfigured` when it is not."""
    try:
        return reverse("poststack:webhook")
    except NoReverseMatch:
        raise ImproperlyConfigured(
            "The PostStack webhook is not mounted. Add path('webhooks/poststack/', include('poststack_django.urls')) "
            "to your urls.py, or give the `path` of your own view."
        ) from None


def mounted_secrets(path: str | None = None) -> list[str]:
    """Return the secrets that the view takes: its own, if it was mounted with some, else those of the settings."""
    try:
        view = resolve(path or reverse("poststack:webhook")).func
    except (NoReverseMatch, Resolver404):
        view = None
    own: Any = getattr(view, "view_initkwargs", {}).get("secrets")
    secrets: list[str] = [own] if isinstance(own, str) else list(own or get_settings().webhook_secrets)
    return [secret for secret in secrets if secret]


def post(client: Client, path: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
    """Post a body as it is. Over HTTPS, as PostStack does: a project may redirect everything else."""
    sent = {name: value for name, value in headers.items() if name.lower() not in {"content-type", "content-length"}}
    answer: Any = client.post(path, body, content_type="application/json", headers=sent, secure=True)
    response: HttpResponse = answer
    return response


def _first_secret() -> str:
    secrets = mounted_secrets()
    if not secrets:
        raise ImproperlyConfigured(
            "There is no webhook secret to sign with. Set POSTSTACK = {'WEBHOOK_SECRETS': ['…']} in the settings of "
            "your tests, or give `secret`."
        )
    return secrets[0]


def _id_of(email: SentEmail | EmailMessage) -> str:
    if isinstance(email, EmailMessage):
        status = status_of(email)
        found = None if status is None else status.id
    else:
        found = email.email_id
    if not found:
        raise ValueError(
            "The e-mail has no id yet, so no event can be about it. Send it first, by a mailer of this package, or "
            "give `email_id`."
        )
    return found
