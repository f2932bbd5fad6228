"""What the commands share: the mailer or client that they are told to use, and failures in words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from poststack import PostStackError
from poststack.mailbridge.configured import is_mailer
from poststack_django.clients import get_client
from poststack_django.database import is_recording
from poststack_django.muted import muted_deprecations
from poststack_django.other_providers import provider_names

if TYPE_CHECKING:
    from collections.abc import Generator

    from django.core.management.base import CommandParser

    from poststack import PostStack
    from poststack_django.backends import EmailBackend

__all__ = ["add_mailer_option", "client_called", "failures_in_words", "mailer_called", "require_tables"]


def add_mailer_option(parser: CommandParser) -> None:
    """Add `--mailer`."""
    parser.add_argument("--mailer", metavar="ALIAS", help="the mailer in MAILERS whose account is used (Django 6.1)")


def mailer_called(alias: str | None) -> EmailBackend:
    """Return the mailer with this alias, by default the one that the project sends with.

    Raises `CommandError` when there is none, or when it does not send through PostStack.
    """
    from poststack_django.backends import EmailBackend

    mailers: Any = getattr(mail, "mailers", None)
    configured: dict[str, Any] = {} if mailers is None else getattr(settings, "MAILERS", {})
    if alias is not None and alias not in configured:
        known = ", ".join(map(repr, configured)) or "none: mailers came with Django 6.1 and the setting MAILERS"
        raise CommandError(f"There is no mailer {alias!r}. Those of this project are {known}.")
    with failures_in_words(), muted_deprecations():
        if mailers is not None and configured:
            made = cast("object", mailers[alias or "default"])
        else:
            made = cast("object", import_string(settings.EMAIL_BACKEND)())
    if not isinstance(made, EmailBackend):
        raise CommandError(
            f"This project sends through {type(made).__module__}.{type(made).__qualname__}, not through PostStack. Set "
            "'poststack_django.backends.EmailBackend', or choose another mailer with --mailer."
        )
    return made


def client_called(alias: str | None) -> PostStack:
    """Return the client of the mailer with this alias, by default that of the setting `POSTSTACK`.

    Raises `CommandError` when there is none.
    """
    with failures_in_words():
        client = get_client(None if alias is None else mailer_called(alias).configuration)
    if is_mailer(client):
        raise CommandError(
            f"This project sends through {provider_names(client)}, and this command is about an account at PostStack. "
            "Choose a mailer of that with --mailer."
        )
    if not hasattr(client, "webhooks"):
        raise CommandError(
            "The client that POSTSTACK['CLIENT'] makes can only send. For this command, let it make a "
            "poststack.PostStack."
        )
    return cast("PostStack", client)


def require_tables() -> None:
    """Raise `CommandError` when nothing is stored, so that there is nothing to do."""
    if not is_recording():
        raise CommandError(
            "This project stores no e-mails: add 'poststack_django' to INSTALLED_APPS, run migrate, and do not set "
            "POSTSTACK['RECORD'] to False."
        )


@contextmanager
def failures_in_words() -> Generator[None]:
    """Turn what the API and the settings raise into `CommandError`, which shows no traceback."""
    try:
        yield
    except PostStackError as error:
        status = f" (status {error.status_code})" if error.status_code else ""
        raise CommandError(f"PostStack: {error}{status}") from error
    except (ImproperlyConfigured, ValueError) as error:
        raise CommandError(str(error)) from error
