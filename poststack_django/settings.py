"""The one setting, `POSTSTACK`, as a typed value. It is read when it is needed, so `override_settings` works.

POSTSTACK = {
    "API_KEY": "sk_live_…",            # or the environment variable POSTSTACK_API_KEY
    "WEBHOOK_SECRETS": ["…"],          # or POSTSTACK_WEBHOOK_SECRETS, several separated by commas
}
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

__all__ = ["ClientSettings", "Settings", "get_settings"]

DEFAULT_TIMEOUT: Final = 10.0
# Most application servers end a worker that holds one request for 30 seconds.
DEFAULT_DEADLINE: Final = 25.0
DEFAULT_MAX_RETRIES: Final = 3


@dataclass(frozen=True)
class ClientSettings:
    """What a client is made from. Times are in seconds; equal values share one client."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    deadline: float | None = DEFAULT_DEADLINE
    max_retries: int = DEFAULT_MAX_RETRIES
    factory: Callable[[], Any] | None = None
    """Makes the client instead of all of the above."""


@dataclass(frozen=True)
class Settings:
    """The setting `POSTSTACK`, checked and complete."""

    client: ClientSettings
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    record: bool = True


# Django's error reports show no variables of it, nor of what it calls: they hold keys.
@sensitive_variables()
def get_settings() -> Settings:
    """Return the current settings. Raises `ImproperlyConfigured` naming the key that is wrong."""
    given = _given()
    return Settings(
        client=ClientSettings(
            api_key=_text(given, "API_KEY") or os.environ.get("POSTSTACK_API_KEY") or None,
            base_url=_text(given, "BASE_URL") or os.environ.get("POSTSTACK_BASE_URL") or None,
            timeout=_number(given, "TIMEOUT", DEFAULT_TIMEOUT) or DEFAULT_TIMEOUT,
            deadline=_number(given, "DEADLINE", DEFAULT_DEADLINE),
            max_retries=_max_retries(given),
            factory=_factory(given),
        ),
        webhook_secrets=_secrets(given),
        record=_flag(given, "RECORD", default=True),
    )


_KEYS: Final = (
    "API_KEY",
    "BASE_URL",
    "CLIENT",
    "DEADLINE",
    "MAX_RETRIES",
    "RECORD",
    "TIMEOUT",
    "WEBHOOK_SECRETS",
)


def _given() -> Mapping[str, object]:
    value: object = getattr(settings, "POSTSTACK", None)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"POSTSTACK is a dictionary, not {type(value).__name__}.")
    given = cast("Mapping[str, object]", value)
    for key in given:
        if key not in _KEYS:
            close = get_close_matches(str(key).upper(), _KEYS, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"The keys are {', '.join(_KEYS)}."
            raise ImproperlyConfigured(f"POSTSTACK has an unknown key {key!r}. {hint}")
    return given


def _wrong(key: str, wanted: str, value: object) -> ImproperlyConfigured:
    # The value stays out of the text: it may be a secret.
    return ImproperlyConfigured(f"POSTSTACK[{key!r}] is {wanted}, not {type(value).__name__}.")


def _text(given: Mapping[str, object], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, "text", value)
    return value


def _number(given: Mapping[str, object], key: str, default: float) -> float | None:
    value = given.get(key, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise _wrong(key, "a number of seconds", value)
    if value is not None and not value > 0:
        raise ImproperlyConfigured(f"POSTSTACK[{key!r}] is more than 0 seconds.")
    return value


def _max_retries(given: Mapping[str, object]) -> int:
    value = given.get("MAX_RETRIES", DEFAULT_MAX_RETRIES)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("MAX_RETRIES", "a whole number", value)
    return value


def _flag(given: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(key, "True or False", value)
    return value


def _secrets(given: Mapping[str, object]) -> tuple[str, ...]:
    value = given.get("WEBHOOK_SECRETS")
    if value is None:
        value = [part.strip() for part in os.environ.get("POSTSTACK_WEBHOOK_SECRETS", "").split(",")]
    secrets = [value] if isinstance(value, str) else value
    if not isinstance(secrets, Iterable):
        raise _wrong("WEBHOOK_SECRETS", "a list of texts", value)
    listed = list(cast("Iterable[object]", secrets))
    for secret in listed:
        if secret is not None and not isinstance(secret, str):
            raise _wrong("WEBHOOK_SECRETS", "a list of texts", secret)
    # An unset variable often arrives as "" or None; such a secret must not let anybody sign.
    return tuple(secret for secret in cast("list[str | None]", listed) if secret)


def _factory(given: Mapping[str, object]) -> Callable[[], Any] | None:
    value = given.get("CLIENT")
    if isinstance(value, str):
        try:
            value = cast("object", import_string(value))
        except ImportError as error:
            raise ImproperlyConfigured(f"POSTSTACK['CLIENT'] cannot be imported: {error}") from error
    if value is None or callable(value):
        return value
    raise _wrong("CLIENT", "a function that makes a client, or the dotted path of one", value)
