"""Which providers there are. One list for both clients and the whole process."""

from __future__ import annotations

import difflib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, cast

from poststack.mailbridge.errors import ConfigurationError, MissingSettingError, ProviderNotFoundError
from poststack.mailbridge.providers.base_email_provider import BaseEmailProvider
from poststack.providers.base import Provider

__all__ = ["PROVIDERS", "AnyProvider", "make_provider", "register", "unregister"]

AnyProvider = Provider[Any, Any] | BaseEmailProvider
"""An adapter, or a class in the manner of MailBridge that sends by itself."""
ProviderClass = type[Provider[Any, Any]] | type[BaseEmailProvider]

_BUILT_IN: Final = {
    "poststack": ("poststack.providers.poststack", "PostStackProvider"),
    "sendgrid": ("poststack.providers.sendgrid", "SendGrid"),
    "postmark": ("poststack.providers.postmark", "Postmark"),
    "mailgun": ("poststack.providers.mailgun", "Mailgun"),
    "brevo": ("poststack.providers.brevo", "Brevo"),
    "ses": ("poststack.providers.ses", "Ses"),
    "smtp": ("poststack.providers.smtp", "Smtp"),
    "capture": ("poststack.providers.capture", "Capture"),
}


class Providers(Mapping[str, ProviderClass]):
    """Names and classes. The built-in ones are imported when they are first asked for."""

    def __init__(self) -> None:
        self._own: dict[str, ProviderClass] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> ProviderClass:
        own = self._own.get(name)
        if own is not None:
            return own
        module, class_name = _BUILT_IN[name]
        return cast("ProviderClass", getattr(import_module(module), class_name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*_BUILT_IN, *self._own]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def add(self, name: str, provider: ProviderClass, *, replace: bool) -> None:
        """Add one. Raises `ConfigurationError` for a name that is taken, unless it is to be replaced."""
        with self._lock:
            if name in list(self) and not replace and self._own.get(name) is not provider:
                raise ConfigurationError(
                    f"There is a provider {name!r} already. Choose another name, or pass replace=True."
                )
            self._own[name] = provider

    def remove(self, name: str) -> None:
        """Remove one that was added; a built-in one of the same name is back then."""
        with self._lock:
            self._own.pop(name, None)


PROVIDERS: Final = Providers()


def register(name: str, provider: ProviderClass, *, replace: bool = False) -> None:
    """Add a provider under a name.

    Raises `TypeError` for what is no provider's class, `ConfigurationError` for a name that is taken.
    """
    given = cast("object", provider)
    if not inspect.isclass(given) or not issubclass(given, (Provider, BaseEmailProvider)):
        raise TypeError("A provider is a subclass of poststack.providers.Provider or of BaseEmailProvider.")
    for attribute in ("name", "title") if issubclass(provider, Provider) else ():
        if not isinstance(getattr(provider, attribute, None), str):
            raise TypeError(f"{provider.__name__} has no `{attribute}`, which says in errors whose they are.")
    PROVIDERS.add(name.strip().lower(), provider, replace=replace)


def unregister(name: str) -> None:
    """Remove a provider that was added."""
    PROVIDERS.remove(name.strip().lower())


def make_provider(name: str, config: Mapping[str, Any], *, from_email: str | None = None) -> AnyProvider:
    """Return a provider with its settings; those that are `None` count as not given.

    Raises `ProviderNotFoundError`, and `ConfigurationError` for settings that are missing, unknown or wrong, or when
    what the provider needs is not installed.
    """
    if not isinstance(cast("object", name), str):
        raise ConfigurationError(f"The first argument is the name of a provider, not {type(name).__name__}.")
    folded = name.strip().lower()
    if folded not in list(PROVIDERS):
        raise ProviderNotFoundError(f"There is no provider {name!r}. There are: {', '.join(PROVIDERS)}.")
    kind = PROVIDERS[folded]
    given = {setting: value for setting, value in config.items() if value is not None}
    if from_email is not None and issubclass(kind, BaseEmailProvider):
        given["from_email"] = from_email  # Those look for it among their settings.
    _check_names(folded, kind, given)
    try:
        return kind(**given)
    except ConfigurationError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigurationError(str(error)) from error
    except ImportError as error:
        raise ConfigurationError(f"The provider {folded!r} needs something that is not installed: {error}") from error


def _check_names(name: str, kind: Callable[..., object], given: Mapping[str, Any]) -> None:
    parameters = inspect.signature(kind).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for setting in given:
        if setting not in known:
            close = difflib.get_close_matches(setting, known, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            has = ", ".join(known)
            raise ConfigurationError(f"The provider {name!r} has no setting {setting!r}.{meant} It has: {has}.")
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in given]
    if missing:
        raise MissingSettingError(f"The provider {name!r} needs the setting {', '.join(map(repr, missing))}.")
