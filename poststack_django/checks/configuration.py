"""Whether the settings can be read, and the mailers made from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import django
from django.conf import settings
from django.core import checks, mail
from django.core.exceptions import ImproperlyConfigured

from poststack_django.checks.mailers import Mailer, own_mailers, readable_settings
from poststack_django.clients import MissingKeyError
from poststack_django.settings import get_settings

__all__ = ["check_mailers", "check_settings"]

# `send_defaults` is not among them: those of a mailer are added to those of the settings.
_OPTIONS: Final = (
    "allowed_recipients",
    "api_key",
    "base_url",
    "block_event_loop",
    "deadline",
    "max_retries",
    "provider",
    "provider_options",
    "rate_limit",
    "redirect_to",
    "timeout",
)
_ENVIRONMENT: Final = ("API_KEY", "BASE_URL", "WEBHOOK_SECRETS")


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Check that `POSTSTACK` can be read, that Django looks at `MAILERS`, and that no option has two sources."""
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
    given: object = getattr(settings, "POSTSTACK", None)
    if not found and isinstance(given, Mapping):
        for text in _without_effect(cast("Mapping[str, Any]", given), own_mailers()):
            found.append(checks.Info(text, hint="Keep one of the two.", id="poststack.I001"))
    return found


def check_mailers(**_: Any) -> list[checks.CheckMessage]:
    """Open every mailer that sends through PostStack, which makes its client and sends nothing."""
    if readable_settings() is None:
        return []
    return [problem for mailer in own_mailers() if (problem := _problem(mailer)) is not None]


def _problem(mailer: Mailer) -> checks.CheckMessage | None:
    try:
        mailer.make().open()
    except ImproperlyConfigured as error:
        # Django 6.1 puts the name into the text as well.
        text = str(error).removeprefix(f"{mailer.name}: ")
        if isinstance(error, MissingKeyError) or isinstance(error.__cause__, MissingKeyError):
            return checks.Warning(text, obj=mailer.name, id="poststack.W004")
        return checks.Error(text, obj=mailer.name, id="poststack.E002")
    except Exception as error:  # noqa: BLE001  # what a project's own client or backend raises
        # Its text may be anything, also a key.
        text = f"Making the mailer raised {type(error).__name__}."
        hint = (
            "Call the function in POSTSTACK['CLIENT'] or POSTSTACK['PROVIDER'], or make the backend, in `manage.py "
            "shell` to see why."
        )
        return checks.Error(text, hint=hint, obj=mailer.name, id="poststack.E002")
    return None


def _without_effect(given: Mapping[str, Any], mailers: list[Mailer]) -> Iterator[str]:
    for option in _OPTIONS:
        key = option.upper()
        # One mailer with a value of its own is what options are for; when all have one, the setting misleads.
        overridden = mailers and all(option in mailer.options for mailer in mailers)
        if key in given and overridden and any(mailer.options[option] != given[key] for mailer in mailers):
            yield (
                f"POSTSTACK[{key!r}] has no effect on mail: every mailer that sends through PostStack has an option "
                f"{option!r} with another value."
            )
    if given.get("PROVIDER"):
        for key in ("API_KEY", "BASE_URL"):
            if given.get(key):
                yield f"POSTSTACK[{key!r}] is of PostStack, and has no effect beside POSTSTACK['PROVIDER']."
    for key in _ENVIRONMENT:
        variable, value = os.environ.get(f"POSTSTACK_{key}"), given.get(key)
        if variable and value and not callable(value) and _texts(value) != _texts(variable):
            yield f"The environment variable POSTSTACK_{key} has no effect: POSTSTACK[{key!r}] has another value."


def _texts(value: Any) -> list[str]:
    texts = value.split(",") if isinstance(value, str) else [str(one) for one in value]
    return sorted(text.strip() for text in texts)
