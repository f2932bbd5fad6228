"""One client for each configuration and process: connections are reused over all `send_mail()` calls.

A client may be shared by threads and survives a fork, so nothing else is needed for workers of any kind. All clients
that are made here share one transport, so a thousand tenants with keys of their own are one pool of connections.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.views.decorators.debug import sensitive_variables

from poststack import PostStack
from poststack.mailbridge.configured import is_mailer, provider_choice
from poststack.mailbridge.errors import ConfigurationError, MissingSettingError
from poststack_django import setting_values as values
from poststack_django.database import has_tables
from poststack_django.settings import ClientSettings, get_settings

if TYPE_CHECKING:
    from poststack.mailbridge import Mailer
    from poststack.mailbridge.configured import ProviderChoice
    from poststack.throttling.configured import RateLimitChoice
    from poststack.transports.httpcore import HttpcoreTransport
    from poststack.types import SendEmail, SentEmail
    from poststack_django.provider_keys import DatabaseKeyStore

__all__ = [
    "EmailClient",
    "EmailGroup",
    "MissingKeyError",
    "configured",
    "default_keys",
    "get_client",
    "overlaid",
    "with_key_for",
    "without_retries",
]


class EmailGroup(Protocol):
    """The part of a client that sends. One that has `batch`, too, as `PostStack` has, sends many in one call."""

    def send(self, input: SendEmail, /) -> SentEmail:
        """Send one e-mail."""
        ...


class EmailClient(Protocol):
    """What `POSTSTACK["CLIENT"]` must make: a `PostStack`, a `MailBridge`, or anything that sends like one."""

    @property
    def emails(self) -> EmailGroup:
        """Return the group that sends."""
        ...


class MissingKeyError(ImproperlyConfigured):
    """There is no API key: nothing can be sent, and everything else works."""


MOST_CLIENTS: Final = 1_000
"""Clients are small; with more tenants than this, those not used for longest are made anew when they are."""

_clients: OrderedDict[ClientSettings, EmailClient] = OrderedDict()
_of_the_parent: list[EmailClient] = []
_lock = threading.RLock()
_transport: HttpcoreTransport | None = None


def get_client(configuration: ClientSettings | None = None) -> EmailClient:
    """Return this process's client for a configuration, by default that of the settings.

    Do not close it: others use it. Raises `ImproperlyConfigured` when it cannot be made.
    """
    configuration = configuration or get_settings().client
    with _lock:
        client = _clients.get(configuration)
        if client is None:
            client = _clients[configuration] = _make(configuration)
            if len(_clients) > MOST_CLIENTS:
                _clients.popitem(last=False)
        _clients.move_to_end(configuration)
        return client


def overlaid(options: Mapping[str, Any]) -> ClientSettings:
    """Return the settings' configuration with a mailer's own options, those that were given, on top.

    A mailer with options of its own has a client of its own: `POSTSTACK["CLIENT"]` does not apply to it.
    """
    base = get_settings().client
    if not options:
        return base
    own = dict(options)
    named, given = own.pop("provider", None), own.pop("provider_options", None)
    # Whoever names a key, or a provider, means it, and not what the settings say.
    provider = None if "api_key" in own else base.provider
    if named is not None or given is not None:
        chosen = named if named is not None else getattr(base.provider, "provider", None)
        provider = values.provider(lambda: provider_choice(chosen, given), "The option 'provider'")
    own["rate_limit"] = _rate_limit_of(own.pop("rate_limit", None), base, provider)
    return replace(base, factory=None, provider=provider, **own)


def _rate_limit_of(rate: object, base: ClientSettings, provider: ProviderChoice | None) -> RateLimitChoice | None:
    if rate is None:
        # That of the settings is for PostStack. Beside a `CLIENT` there is none, and the mailer has its own client.
        limit = base.rate_limit if base.factory is None else values.rate_limit(None, None)
        return limit if provider is None else None
    limit = values.rate_limit(rate, None if base.rate_limit is None else base.rate_limit.redis_url)
    if limit is not None and provider is not None:
        values.refuse_rate_limit(limit, "the mailer's provider")
    return limit


@sensitive_variables()
def with_key_for(message: Any, configuration: ClientSettings) -> ClientSettings:
    """Return the configuration for one message: where the key is a function, with the key that it returns.

    Raises `ImproperlyConfigured` when that is no key: an e-mail of one tenant is never sent as another.
    """
    find_key = configuration.key_for_message
    if find_key is None:
        return configuration
    key = cast("object", find_key(message))
    if not isinstance(key, str) or not key:
        raise ImproperlyConfigured(
            f"The function that is `api_key` returned {type(key).__name__ if key else 'nothing'} for a message. Return "
            "the PostStack API key of its tenant, or raise an error of your own."
        )
    return replace(configuration, api_key=key)


def without_retries(configuration: ClientSettings) -> ClientSettings:
    """Return the configuration of a client that fails at once: where a queue waits, and not the process."""
    provider = configuration.provider
    makes_its_own = configuration.factory is not None or (provider is not None and provider.is_function)
    return configuration if makes_its_own else replace(configuration, max_retries=0)


@sensitive_variables()
def _make(configuration: ClientSettings) -> EmailClient:
    if configuration.factory is not None:
        made: EmailClient = configuration.factory()
        return made
    if configuration.provider is not None:
        return _mailer(configuration, configuration.provider)
    key = configuration.api_key
    if callable(key):
        # Whoever asks for it has no message at hand, which decides the key.
        raise ImproperlyConfigured("The API key depends on the message, so there is no client without a message.")
    if not key:
        raise MissingKeyError(
            "No PostStack API key. Set POSTSTACK = {'API_KEY': 'sk_…'} in the settings, or POSTSTACK_API_KEY in the "
            "environment."
        )
    try:
        return PostStack(
            key,
            configuration.base_url,
            configuration.timeout,
            configuration.max_retries,
            deadline=configuration.deadline,
            transport=_shared_transport(),
            rate_limit=None if configuration.rate_limit is None else configuration.rate_limit.limiter(key),
        )
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(str(error)) from error


def _mailer(configuration: ClientSettings, provider: ProviderChoice) -> EmailClient:
    with configured():
        return provider.mailer(
            timeout=configuration.timeout,
            deadline=configuration.deadline,
            max_retries=configuration.max_retries,
            keys=default_keys(),
        )


def default_keys() -> DatabaseKeyStore | None:
    """Return the store of keys for mailers that are given none: the database, where the app is installed."""
    if not has_tables():
        return None
    from poststack_django.provider_keys import DatabaseKeyStore

    return DatabaseKeyStore()


@contextmanager
def configured() -> Generator[None]:
    """Turn what is wrong with a provider's settings into `ImproperlyConfigured`; a secret that a build has not, too."""
    try:
        yield
    except MissingSettingError as error:
        raise MissingKeyError(str(error)) from error
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from error


def _shared_transport() -> HttpcoreTransport:
    global _transport  # noqa: PLW0603  # one for the process, made when it is first needed
    if _transport is None:
        from poststack.transports.httpcore import HttpcoreTransport

        _transport = HttpcoreTransport()
    return _transport


def _unlock() -> None:
    global _lock  # noqa: PLW0603  # a thread that held it when the process was forked does not exist in the child
    _lock = threading.RLock()
    # PostStack's opens connections of its own in the child. The others are kept: who knows what it does to the parent's
    # connections when they are collected.
    for configuration in [one for one in _clients if one.provider is not None]:
        _of_the_parent.append(_clients.pop(configuration))


if hasattr(os, "register_at_fork"):  # Not on Windows, where nothing forks.
    os.register_at_fork(after_in_child=_unlock)


def _forget_clients(*, setting: str, **_: Any) -> None:
    # Tests change settings; connections to the servers of earlier tests are of no use to later ones.
    if setting != "POSTSTACK":
        return
    with _lock:
        for client in _clients.values():
            if is_mailer(client):
                cast("Mailer", client).close()
        _clients.clear()
        if _transport is not None:
            _transport.close()


setting_changed.connect(_forget_clients, dispatch_uid="poststack_django.clients")
