"""What an application is configured with: `app.config` first, then the environment, then the extension's arguments.

Errors name the setting and never show its value: it may be a secret, and such texts end up in logs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from poststack.mailbridge.configured import options_from, provider_choice
from poststack.receiving import MAX_AGE, webhook_secrets
from poststack.throttling.configured import rate_limit_choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.mailbridge.configured import ProviderChoice
    from poststack.receiving import EventStore
    from poststack.throttling.configured import RateLimitChoice

__all__ = [
    "DEADLINE",
    "MAX_RETRIES",
    "PREFIX",
    "TIMEOUT",
    "WEBHOOK_PATH",
    "Sender",
    "Settings",
    "flag",
    "read_settings",
]

PREFIX: Final = "POSTSTACK_"
TIMEOUT: Final = 10.0
# Application servers end a worker that holds one request for 30 seconds.
DEADLINE: Final = 25.0
MAX_RETRIES: Final = 3
WEBHOOK_PATH: Final = "/webhooks/poststack"

Sender: TypeAlias = "str | tuple[str, str]"
"""An address, with or without a name, or name and address."""

logger = logging.getLogger("poststack.flask")


@dataclass(frozen=True)
class Settings:
    """Checked settings of one application. Times are in seconds."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    provider: str | Callable[[], Any] | None = None
    """Another provider than PostStack, or a function that makes the mailer, or its dotted path."""
    provider_options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    timeout: float = TIMEOUT
    max_retries: int = MAX_RETRIES
    deadline: float | None = DEADLINE
    rate_limit: float | None = None
    """Calls a second: of this application's client, or of all processes that count in the Redis."""
    rate_limit_redis: str | None = field(default=None, repr=False)
    suppress_send: bool | None = None
    """`None` means while the application is testing."""
    default_sender: Sender | None = field(default=None, repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    webhook_path: str | None = WEBHOOK_PATH
    """`None` mounts nothing."""
    webhook_max_age: float | None = MAX_AGE
    """`None` takes every age."""
    event_store: EventStore | None = field(default=None, repr=False)
    """`None` remembers in memory."""

    @property
    def other_provider(self) -> ProviderChoice | None:
        """Return what sends instead of PostStack. Raises `ValueError` for what cannot."""
        return provider_choice(self.provider, self.provider_options)

    @property
    def limit(self) -> RateLimitChoice | None:
        """Return how many calls a second PostStack is asked to answer. Raises `ValueError` for what limits nothing."""
        return rate_limit_choice(self.rate_limit, self.rate_limit_redis)


def flag(name: str, value: object) -> bool:
    """Return a truth value, also from the words of the environment."""
    word = str(value).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{name} must be true or false.")


def read_settings(config: Mapping[str, object], defaults: Settings) -> Settings:
    """Return the settings of an application with this configuration. Raises `ValueError` naming the one that is wrong.

    `POSTSTACK_TIMEOUT`, say, is looked for in the configuration, there also as `TIMEOUT` in the dictionary `POSTSTACK`,
    which is what `from_prefixed_env` makes of `FLASK_POSTSTACK__TIMEOUT`, and then in the environment.
    """
    sources = _Sources(config, defaults)
    sources.warn_of_misspelt()
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        value = sources.find(name)
        if value is not ...:
            values[name.lower()] = read(name, value)
    if "default_sender" not in values and (sender := config.get("MAIL_DEFAULT_SENDER")):
        values["default_sender"] = _sender("MAIL_DEFAULT_SENDER", sender)
    return Settings(**values)


class _Sources:
    """Where a setting can come from."""

    def __init__(self, config: Mapping[str, object], defaults: Settings) -> None:
        self._config = config
        self._defaults: Mapping[str, object] = vars(defaults)
        nested = config.get("POSTSTACK")
        if nested is not None and not isinstance(nested, Mapping):
            raise ValueError(f"POSTSTACK is a dictionary of settings, not {type(nested).__name__}.")
        self._nested = cast("Mapping[str, object]", nested or {})
        for key in self._nested:
            if key not in _READERS:
                close = get_close_matches(str(key).upper(), _READERS, 1)
                hint = f"Did you mean {close[0]!r}?" if close else f"The keys are {', '.join(_READERS)}."
                raise ValueError(f"POSTSTACK has an unknown key {key!r}. {hint}")

    def find(self, name: str) -> object:
        """Return the first value, `...` when there is none. Empty text is none; so is `None`, if it means nothing."""
        environment = {name: os.environ.get(PREFIX + name, "")} if name not in _OBJECTS else {}
        for source, key in (
            (self._config, PREFIX + name),
            (self._nested, name),
            (environment, name),
            (self._defaults, name.lower()),
        ):
            value = source.get(key, "")
            if value != "" and (value is not None or name in _NONE_MEANS_SOMETHING):
                return value
        return ...

    def warn_of_misspelt(self) -> None:
        """Log names that look like settings and are none: an application may have settings of its own beside ours."""
        known = [PREFIX + name for name in _READERS]
        for name in [*self._config, *os.environ]:
            if name.startswith(PREFIX) and name not in known and (close := get_close_matches(name, known, 1, 0.9)):
                logger.warning("%s is no setting. Did you mean %s?", name, close[0])


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{PREFIX}{name} must be text, not {type(value).__name__}.")
    return value.strip()


def _number(name: str, value: object) -> float:
    try:
        seconds = float(_no_truth_value(value))
    except (TypeError, ValueError):
        raise ValueError(f"{PREFIX}{name} must be a number of seconds.") from None
    if not seconds > 0:
        raise ValueError(f"{PREFIX}{name} must be more than 0 seconds.")
    return seconds


def _rate(name: str, value: object) -> float | None:
    choice = rate_limit_choice(value, names=(PREFIX + name, f"{PREFIX}{name}_REDIS"))
    return None if choice is None else choice.rate


def _number_or_none(name: str, value: object) -> float | None:
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return None
    seconds = _number(name, value)
    return None if seconds == float("inf") else seconds


def _whole_number(name: str, value: object) -> int:
    try:
        return int(_no_truth_value(value))
    except (TypeError, ValueError):
        raise ValueError(f"{PREFIX}{name} must be a whole number.") from None


def _no_truth_value(value: object) -> str:
    if isinstance(value, bool):
        raise TypeError
    return str(value)


def _flag(name: str, value: object) -> bool:
    return flag(PREFIX + name, value)


def _secrets(name: str, value: object) -> tuple[str, ...]:
    try:
        return webhook_secrets(cast("Sequence[str]", value))
    except (TypeError, ValueError):
        raise ValueError(f"{PREFIX}{name} must be text, or a list of texts.") from None


def _path(name: str, value: object) -> str | None:
    if value is None:
        return None
    path = _text(name, value)
    if not path.startswith("/"):
        raise ValueError(f"{PREFIX}{name} must start with a slash, such as {WEBHOOK_PATH}.")
    return path


def _sender(name: str, value: object) -> Sender:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        parts = cast("Sequence[object]", value)
        if len(parts) == 2 and all(isinstance(part, str) for part in parts):
            return str(parts[0]), str(parts[1])
    raise ValueError(f"{name} must be an address, or a name and an address.")


def _default_sender(name: str, value: object) -> Sender:
    return _sender(PREFIX + name, value)


def _provider(name: str, value: object) -> str | Callable[[], Any]:
    return cast("Callable[[], Any]", value) if callable(value) else _text(name, value)


def _options(name: str, value: object) -> Mapping[str, Any]:
    return options_from(value, PREFIX + name)


def _store(name: str, value: object) -> EventStore:
    if not hasattr(value, "begin"):
        raise ValueError(f"{PREFIX}{name} must be an EventStore, such as poststack.receiving.RedisEventStore(…).")
    return cast("EventStore", value)


_READERS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "API_KEY": _text,
    "BASE_URL": _text,
    "PROVIDER": _provider,
    "PROVIDER_OPTIONS": _options,
    "TIMEOUT": _number,
    "MAX_RETRIES": _whole_number,
    "DEADLINE": _number_or_none,
    "RATE_LIMIT": _rate,
    "RATE_LIMIT_REDIS": _text,
    "SUPPRESS_SEND": _flag,
    "DEFAULT_SENDER": _default_sender,
    "WEBHOOK_SECRETS": _secrets,
    "WEBHOOK_PATH": _path,
    "WEBHOOK_MAX_AGE": _number_or_none,
    "EVENT_STORE": _store,
}
_NONE_MEANS_SOMETHING: Final = frozenset({"DEADLINE", "WEBHOOK_MAX_AGE", "WEBHOOK_PATH"})
_OBJECTS: Final = frozenset({"EVENT_STORE"})
"""What no text of the environment can be."""
