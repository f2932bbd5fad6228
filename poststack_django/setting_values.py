"""Reading one key of a settings dictionary. Each raises `ImproperlyConfigured` naming the key, never the value.

The value stays out of every text: it may be a secret, and such texts end up in logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from poststack.mailbridge.errors import ConfigurationError
from poststack.throttling.configured import rate_limit_choice

if TYPE_CHECKING:
    from poststack.mailbridge.configured import ProviderChoice
    from poststack.throttling.configured import RateLimitChoice

__all__ = [
    "api_key",
    "choice",
    "flag",
    "function",
    "mapping",
    "positive_or_none",
    "provider",
    "rate_limit",
    "refuse_rate_limit",
    "refuse_unknown",
    "seconds",
    "secrets",
    "text",
    "text_or_function",
    "texts",
    "whole_number",
]


def refuse_unknown(given: Mapping[str, object], known: Sequence[str], name: str) -> None:
    """Raise for a key that means nothing, with the one that may be meant."""
    for key in given:
        if key not in known:
            close = get_close_matches(str(key).upper(), known, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"The keys are {', '.join(known)}."
            raise ImproperlyConfigured(f"{name} has an unknown key {key!r}. {hint}")


def text(given: Mapping[str, object], key: str) -> str | None:
    """Return a text, `None` when there is none."""
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, "text", value)
    return value


def api_key(given: Mapping[str, object], key: str) -> str | Callable[[Any], str] | None:
    """Return an API key, or the function that finds it."""
    value = given.get(key)
    return cast("Callable[[Any], str]", value) if callable(value) else text(given, key)


def text_or_function(given: Mapping[str, object], key: str) -> str | Callable[[], Any] | None:
    """Return a text, or a function; `None` when there is neither."""
    value = given.get(key)
    return cast("Callable[[], Any]", value) if callable(value) else text(given, key)


def texts(given: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    """Return a list of texts, `None` when there is no list. One text alone is a list of one."""
    value = given.get(key)
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable):
        raise _wrong(key, "a list of texts", value)
    found = list(cast("Iterable[object]", listed))
    for one in found:
        if not isinstance(one, str):
            raise _wrong(key, "a list of texts", one)
    return tuple(cast("list[str]", found))


def rate_limit(rate: object, redis_url: object) -> RateLimitChoice | None:
    """Return the limit of calls a second, that of the environment where none is given; `None` for none."""
    try:
        return rate_limit_choice(rate, redis_url, names=("POSTSTACK['RATE_LIMIT']", "POSTSTACK['RATE_LIMIT_REDIS']"))
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


def refuse_rate_limit(limit: RateLimitChoice, what: str) -> None:
    """Raise: what sends cannot keep to the limit."""
    try:
        limit.refuse_beside(what)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


def choice(given: Mapping[str, object], key: str, choices: Sequence[str], default: str) -> str:
    """Return one of some words."""
    value = given.get(key, default)
    if not isinstance(value, str) or value not in choices:
        raise ImproperlyConfigured(f"POSTSTACK[{key!r}] is one of {', '.join(map(repr, choices))}.")
    return value


def mapping(given: Mapping[str, object], key: str) -> Mapping[str, Any]:
    """Return a dictionary, empty when there is none."""
    value = given.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(key, "a dictionary", value)
    return cast("Mapping[str, Any]", value)


def seconds(given: Mapping[str, object], key: str, default: float | None) -> float | None:
    """Return a number of seconds over 0. `None` is no limit, where the caller has one."""
    value = given.get(key, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise _wrong(key, "a number of seconds", value)
    if value is not None and not value > 0:
        raise ImproperlyConfigured(f"POSTSTACK[{key!r}] is more than 0 seconds.")
    return value


def whole_number(given: Mapping[str, object], key: str, default: int) -> int:
    """Return a whole number."""
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(key, "a whole number", value)
    return value


def positive_or_none(given: Mapping[str, object], key: str) -> int | None:
    """Return a whole number over 0, `None` when there is none."""
    if given.get(key) is None:
        return None
    value = whole_number(given, key, 1)
    if value < 1:
        raise ImproperlyConfigured(f"POSTSTACK[{key!r}] is 1 or more.")
    return value


def flag(given: Mapping[str, object], key: str, *, default: bool) -> bool:
    """Return yes or no."""
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(key, "True or False", value)
    return value


def secrets(given: Mapping[str, object], key: str, environment: str) -> tuple[str, ...]:
    """Return the signing secrets, those of the environment when the key is absent."""
    value = given.get(key)
    if value is None:
        value = [part.strip() for part in environment.split(",")]
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable):
        raise _wrong(key, "a list of texts", value)
    found = list(cast("Iterable[object]", listed))
    for secret in found:
        if secret is not None and not isinstance(secret, str):
            raise _wrong(key, "a list of texts", secret)
    # An unset variable often arrives as "" or None; such a secret must not let anybody sign.
    return tuple(secret for secret in cast("list[str | None]", found) if secret)


def provider(read: Callable[[], ProviderChoice | None], name: str = "") -> ProviderChoice | None:
    """Return the provider that something reads, `None` for PostStack. `name` is that of the setting."""
    try:
        return read()
    except ConfigurationError as error:
        raise ImproperlyConfigured(f"{name}: {error}" if name else str(error)) from error


def function(given: Mapping[str, object], key: str) -> Callable[[], Any] | None:
    """Return a function, given itself or by its dotted path."""
    value = given.get(key)
    if isinstance(value, str):
        try:
            value = cast("object", import_string(value))
        except ImportError as error:
            raise ImproperlyConfigured(f"POSTSTACK[{key!r}] cannot be imported: {error}") from error
    if value is None or callable(value):
        return value
    raise _wrong(key, "a function that makes a client, or the dotted path of one", value)


def _wrong(key: str, wanted: str, value: object) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"POSTSTACK[{key!r}] is {wanted}, not {type(value).__name__}.")
