"""System checks: wrong settings are found by `manage.py check`, not by the first e-mail.

| id | what is wrong |
|---|---|
| `poststack.E001` | the setting `POSTSTACK` is wrong |
| `poststack.E002` | a mailer cannot be made: a wrong option |
| `poststack.W001` | the webhook address is mounted, and no signing secret is configured: every call is refused |
| `poststack.W002` | a signing secret is so short that it can be guessed |
| `poststack.W003` | `MAILERS` is set, and this version of Django ignores it |
| `poststack.W004` | no API key. A warning: commands of a build, which has no secrets, must run |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core import checks, mail
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.module_loading import import_string

from poststack_django.clients import MissingKeyError
from poststack_django.muted import muted_deprecations
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_mailers", "check_settings", "check_webhooks", "register_all"]

SHORTEST_SECRET: Final = 16


def register_all() -> None:
    """Register every check. The tags are texts: Django 5.2 and 6.0 have no constant for mail."""
    checks.register(check_settings, "mail")
    checks.register(check_mailers, "mail")
    checks.register(check_webhooks, checks.Tags.security)


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Check that `POSTSTACK` can be read and that Django looks at `MAILERS` if it is set."""
    found: list[checks.CheckMessage] = []
    try:
        get_settings()
    except ImproperlyConfigured as error:
        found.append(checks.Error(str(error), id="poststack.E001"))
    if hasattr(settings, "MAILERS") and not hasattr(mail, "mailers"):
        found.append(
            checks.Warning(
                f"Django {django.get_version()} does not know MAILERS and sends by EMAIL_BACKEND.",
                hint="Set EMAIL_BACKEND = 'poststack_django.backends.EmailBackend', or use Django 6.1.",
                id="poststack.W003",
            )
        )
    return found


def check_mailers(**_: Any) -> list[checks.CheckMessage]:
    """Open every mailer that sends through PostStack, which makes its client and sends nothing."""
    found: list[checks.CheckMessage] = []
    try:
        get_settings()
    except ImproperlyConfigured:
        return found  # Reported above.
    for name, backend in _own_backends():
        try:
            backend().open()
        except ImproperlyConfigured as error:
            # Django 6.1 puts the name into the text as well.
            text = str(error).removeprefix(f"{name}: ")
            if isinstance(error, MissingKeyError) or isinstance(error.__cause__, MissingKeyError):
                found.append(checks.Warning(text, obj=name, id="poststack.W004"))
            else:
                found.append(checks.Error(text, obj=name, id="poststack.E002"))
    return found


def check_webhooks(**_: Any) -> list[checks.CheckMessage]:
    """Check the signing secrets of the address that `poststack_django.urls` mounts."""
    if not getattr(settings, "ROOT_URLCONF", None):  # A project of workers and commands only.
        return []
    try:
        view = resolve(reverse("poststack:webhook")).func
        secrets = getattr(view, "view_initkwargs", {}).get("secrets") or get_settings().webhook_secrets
    except (NoReverseMatch, ImproperlyConfigured):
        return []
    if not secrets:
        return [
            checks.Warning(
                "The PostStack webhook is mounted without a signing secret, so every call is refused.",
                hint="Set POSTSTACK = {'WEBHOOK_SECRETS': ['…']}, or POSTSTACK_WEBHOOK_SECRETS in the environment.",
                id="poststack.W001",
            )
        ]
    if any(len(secret) < SHORTEST_SECRET for secret in ([secrets] if isinstance(secrets, str) else secrets)):
        hint = "Use the secret that PostStack made, or rotate the webhook's secret."
        text = f"A PostStack webhook secret has fewer than {SHORTEST_SECRET} characters."
        return [checks.Warning(text, hint=hint, id="poststack.W002")]
    return []


def _own_backends() -> Iterator[tuple[str, Any]]:
    """Yield each configured mailer of this package: its name, and what makes it."""
    mailers: Any = getattr(mail, "mailers", None)
    if mailers is not None and hasattr(settings, "MAILERS"):
        for alias, options in settings.MAILERS.items():
            if _is_own(options.get("BACKEND", "")):
                yield f"MAILERS[{alias!r}]", lambda alias=alias: mailers[alias]
        return
    with muted_deprecations():
        path = settings.EMAIL_BACKEND
    if _is_own(path):
        yield "EMAIL_BACKEND", import_string(path)


def _is_own(path: str) -> bool:
    from poststack_django.backends import EmailBackend

    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, EmailBackend)
