"""Mailers from settings, in the same words for every framework: a provider, and its options.

    PROVIDER = "postmark"                                       # or a function that returns a MailBridge or a Failover
    PROVIDER_OPTIONS = {"server_token": "…", "keys": "sqlite:/var/lib/shop/keys.db"}

Options are the arguments of `MailBridge`. A store of keys may be text, so that an environment variable can name it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Hashable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from poststack.mailbridge.errors import ConfigurationError, MailBridgeError

if TYPE_CHECKING:
    from poststack._async.mailer import AsyncMailer
    from poststack._sync.mailer import Mailer

__all__ = ["ProviderChoice", "is_mailer", "key_problem", "provider_choice", "provider_of_environment"]

PROVIDER: Final = "POSTSTACK_PROVIDER"
OPTIONS: Final = "POSTSTACK_PROVIDER_OPTIONS"

ProviderSetting: TypeAlias = "str | Callable[[], Any]"
"""A provider's name, or a function that makes the mailer, or its dotted path."""


class ProviderChoice:
    """A provider and its options. Equal ones may share a mailer. Shows the values of no options: they are secrets."""

    def __init__(self, provider: ProviderSetting, options: Mapping[str, Any] | None = None) -> None:
        self.provider = provider
        self.options: Mapping[str, Any] = dict(options or {})
        self._identity: Hashable = (provider, _frozen(self.options))

    @property
    def is_function(self) -> bool:
        """Whether a function of the project makes the mailer, so that no options apply."""
        return callable(self.provider)

    def mailer(
        self, *, timeout: float, deadline: float | None, max_retries: int, keys: Any = None, transport: Any = None
    ) -> Mailer:
        """Return a new mailer. Options go before these arguments; times are in seconds.

        But no retries are no retries: whoever wants none has a queue that waits. `keys` are for an adapter whose
        provider knows none. Raises `ConfigurationError` for everything that is wrong; its text shows no value.
        """
        from poststack._sync.mailbridge import MailBridge
        from poststack._sync.mailer import Mailer

        if callable(self.provider):
            return cast("Mailer", _called(self.provider, Mailer, "a MailBridge or a Failover"))
        arguments = self._arguments(timeout, deadline, max_retries, keys, transport, asynchronous=False)
        return cast("Mailer", _made(MailBridge, self.provider, arguments))

    def async_mailer(
        self, *, timeout: float, deadline: float | None, max_retries: int, keys: Any = None, transport: Any = None
    ) -> AsyncMailer:
        """Return a new asynchronous mailer; otherwise as `mailer`."""
        from poststack._async.mailbridge import AsyncMailBridge
        from poststack._async.mailer import AsyncMailer

        if callable(self.provider):
            return cast("AsyncMailer", _called(self.provider, AsyncMailer, "an AsyncMailBridge or an AsyncFailover"))
        arguments = self._arguments(timeout, deadline, max_retries, keys, transport, asynchronous=True)
        return cast("AsyncMailer", _made(AsyncMailBridge, self.provider, arguments))

    def has_store_for(self, *, asynchronous: bool) -> bool:
        """Return whether the store of keys in the options, if there is one, suits that kind of mailer."""
        keys = self.options.get("keys")
        return keys is None or isinstance(keys, str) or hasattr(keys, "abegin" if asynchronous else "begin")

    def _arguments(
        self, timeout: float, deadline: float | None, max_retries: int, keys: Any, transport: Any, *, asynchronous: bool
    ) -> dict[str, Any]:
        ours: dict[str, Any] = {"timeout": timeout, "deadline": deadline, "max_retries": max_retries}
        if keys is not None and self._is_adapter():
            ours["keys"] = keys
        merged = {**ours, **self.options}
        if transport is not None:
            merged["transport"] = transport
        if max_retries == 0:
            merged["max_retries"] = 0
        if isinstance(text := merged.get("keys"), str):
            merged["keys"] = _store(text, asynchronous=asynchronous)
        return merged

    def _is_adapter(self) -> bool:
        from poststack.mailbridge.registry import PROVIDERS
        from poststack.providers.base import Provider

        name = str(self.provider).strip().lower()
        return name in list(PROVIDERS) and issubclass(PROVIDERS[name], Provider)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProviderChoice) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        name = getattr(self.provider, "__qualname__", "a function") if callable(self.provider) else self.provider
        return f"ProviderChoice({name!r}, options={sorted(self.options)})"


def provider_choice(
    provider: ProviderSetting | None, options: Mapping[str, Any] | None = None
) -> ProviderChoice | None:
    """Return the choice that settings make; `None` when it is PostStack itself, which the client is for.

    Raises `ConfigurationError` for what is no provider, and for a dotted path that cannot be imported.
    """
    if provider is None or (isinstance(provider, str) and not provider.strip()):
        if options:
            raise ConfigurationError("There are options of a provider, and no provider.")
        return None
    if not isinstance(provider, str) and not callable(cast("object", provider)):
        raise ConfigurationError(
            "A provider is a name such as 'postmark', a function that returns a MailBridge, or the dotted path of one; "
            f"not {type(provider).__name__}."
        )
    if not isinstance(cast("object", options or {}), Mapping):
        raise ConfigurationError(f"The options of a provider are a dictionary, not {type(options).__name__}.")
    if isinstance(provider, str):
        provider = _named(provider.strip())
    if callable(provider) and options:
        raise ConfigurationError("A function makes the mailer, so the options of the provider have no effect.")
    if provider == "poststack" and not options:
        return None
    return ProviderChoice(provider, options)


def provider_of_environment() -> ProviderChoice | None:
    """Return the choice that `POSTSTACK_PROVIDER` and `POSTSTACK_PROVIDER_OPTIONS`, which is JSON, make.

    Raises `ConfigurationError` naming the variable that is wrong.
    """
    try:
        return provider_choice(os.environ.get(PROVIDER), options_from(os.environ.get(OPTIONS, ""), OPTIONS))
    except ConfigurationError as error:
        text = str(error)
        raise ConfigurationError(text if text.startswith("POSTSTACK_") else f"{PROVIDER}: {text}") from error.__cause__


def options_from(value: object, name: str) -> Mapping[str, Any]:
    """Return options that are a dictionary, or the JSON of one. Raises `ConfigurationError` naming the setting."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            raise ConfigurationError(f'{name} is no JSON. Write it as {{"server_token": "…"}}.') from None
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is a dictionary of options, not {type(value).__name__}.")
    return cast("Mapping[str, Any]", value or {})


def is_mailer(client: object, *, asynchronous: bool | None = None) -> bool:
    """Return whether a client is a MailBridge, a Failover, or another mailer; of either kind, or of this one."""
    kinds = {False: ("poststack._sync.mailer", "Mailer"), True: ("poststack._async.mailer", "AsyncMailer")}
    # Where nobody has loaded the class, there is no object of it.
    return any(
        isinstance(client, getattr(sys.modules[module], name))
        for kind, (module, name) in kinds.items()
        if asynchronous in {None, kind} and module in sys.modules
    )


def key_problem(client: object) -> str | None:
    """Return why whoever repeats e-mails, as queues do, must not send through a client; `None` if he may.

    A client of PostStack may be used: that minds idempotency keys.
    """
    if not is_mailer(client):
        return None
    mailer = cast("Mailer", client)
    if mailer.minds_keys():
        return None
    names = " and ".join(mailer.providers)
    from poststack.mailbridge.keys import MemoryKeyStore

    if mailer.keys is None:
        return (
            f"a job may be run twice, and {names} would then send its e-mail twice. Give the mailer a store of "
            "idempotency keys, such as keys=RedisKeyStore(…) or keys=SqliteKeyStore('keys.db') of poststack.mailbridge"
        )
    if isinstance(mailer.keys, MemoryKeyStore):
        return (
            f"its MemoryKeyStore ends with the process, so that {names} would send the e-mail of a killed worker twice."
            " Give it keys=RedisKeyStore(…) or keys=SqliteKeyStore('keys.db') of poststack.mailbridge"
        )
    return None


def _named(provider: str) -> ProviderSetting:
    from poststack.mailbridge.registry import PROVIDERS

    name = provider.lower()
    if name in list(PROVIDERS) or not ("." in provider or ":" in provider):
        return name
    module, _, attribute = provider.replace(":", ".").rpartition(".")
    try:
        found: object = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The function {provider!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"{provider!r} is no function that returns a MailBridge.")
    return cast("Callable[[], Any]", found)


def _made(kind: Any, provider: str, arguments: Mapping[str, Any]) -> object:
    try:
        return cast("object", kind(provider, **arguments))
    except ConfigurationError:
        raise
    except MailBridgeError as error:
        raise ConfigurationError(str(error)) from error


def _called(function: Callable[[], Any], kind: type, what: str) -> object:
    try:
        made: object = function()
    except MailBridgeError as error:
        raise ConfigurationError(str(error)) from error
    except Exception as error:
        # Its text may hold anything that settings hold.
        raise ConfigurationError(f"The function that makes the mailer raised {type(error).__name__}.") from error
    if not isinstance(made, kind):
        raise ConfigurationError(f"The function that makes the mailer returns {what}, not {type(made).__name__}.")
    return made


def _store(text: str, *, asynchronous: bool) -> object:
    from poststack.mailbridge.keys import AsyncRedisKeyStore, RedisKeyStore, SqliteKeyStore

    scheme, separator, rest = text.partition(":")
    if scheme == "sqlite" and rest:
        return SqliteKeyStore(rest)
    if separator and scheme in {"redis", "rediss", "unix"}:
        try:
            redis: Any = import_module("redis.asyncio" if asynchronous else "redis")
            client: Any = redis.Redis.from_url(text)
        except (ImportError, ValueError) as error:
            raise ConfigurationError(f"`keys` names a Redis that cannot be used ({type(error).__name__}).") from error
        return AsyncRedisKeyStore(client) if asynchronous else RedisKeyStore(client)
    raise ConfigurationError("`keys` as text is 'sqlite:' and a path, or the URL of a Redis such as 'redis://…'.")


def _frozen(value: object) -> Hashable:
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(one)) for name, one in cast("Mapping[str, object]", value).items())
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(one) for one in cast("list[object]", value))
    try:
        hash(value)
    except TypeError:
        return id(value)  # The options keep it, so that the number is nobody else's.
    return value
