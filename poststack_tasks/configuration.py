"""What the worker needs to send: which key, how patient, and who wants to hear what became of a job.

    import poststack_tasks

    poststack_tasks.configure(timeout=5, limits=poststack_tasks.Limits(horizon=6 * 3600))

Call `configure` in a module that the worker imports. Whatever is not set there comes from the queue's own settings
(Celery: `app.conf`), then from `poststack_django` when that is installed, then from the environment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from poststack.mailbridge.configured import provider_choice
from poststack.throttling.configured import rate_limit_choice
from poststack_tasks.payload import LARGEST_JOB
from poststack_tasks.policy import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from poststack.receiving import EventStore
    from poststack.throttling.configured import RateLimitChoice
    from poststack.types import SendEmail, SentEmail

__all__ = ["AsyncEmailClient", "EmailClient", "TaskSettings", "configure", "configure_defaults", "current_settings"]


class EmailGroup(Protocol):
    """The part of a client that sends. For batches it needs `batch`, too, as `PostStack` has."""

    def send(self, input: SendEmail, /) -> SentEmail:
        """Send one e-mail."""
        ...


class EmailClient(Protocol):
    """A `PostStack`, or anything that sends like one."""

    @property
    def emails(self) -> EmailGroup:
        """Return the group that sends."""
        ...


class AsyncEmailGroup(Protocol):
    """The part of an asynchronous client that sends."""

    def send(self, input: SendEmail, /) -> Awaitable[SentEmail]:
        """Send one e-mail."""
        ...


class AsyncEmailClient(Protocol):
    """An `AsyncPostStack`, or anything that sends like one."""

    @property
    def emails(self) -> AsyncEmailGroup:
        """Return the group that sends."""
        ...


@dataclass(frozen=True)
class TaskSettings:
    """How jobs are done. Times are in seconds."""

    api_key: str | None = field(default=None, repr=False)
    """`None`: from the environment variable `POSTSTACK_API_KEY`."""
    base_url: str | None = None
    """`None`: from the environment variable `POSTSTACK_BASE_URL`, then the service."""
    timeout: float = 10.0
    """For each step of an attempt."""
    deadline: float | None = 30.0
    """For a whole attempt. Keep it below the time limits of the worker."""
    rate_limit: float | None = None
    """Calls a second: of each process, or of all that use the same key and Redis. `None`: from the environment variable
    `POSTSTACK_RATE_LIMIT`, then no limit. A call that would be held back beyond the deadline is tried again later."""
    rate_limit_redis: str | None = field(default=None, repr=False)
    """The URL of the Redis. `None`: from the environment variable `POSTSTACK_RATE_LIMIT_REDIS`."""
    client: Callable[[], EmailClient] | None = field(default=None, repr=False)
    """Makes the client, which may be a MailBridge, once in each process; then the settings above do not count. It
    should not retry by itself, as `PostStack(max_retries=0)` does not: the queue waits, and the worker is free."""
    provider: str | Callable[[], Any] | None = None
    """Another provider, by its name in `poststack.mailbridge`, or a function that makes the mailer, or its dotted path.
    `None`: from the environment variable `POSTSTACK_PROVIDER`, then PostStack."""
    provider_options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The arguments of its `MailBridge`: its key, and for most providers `keys`, a store of idempotency keys."""
    limits: Limits = field(default_factory=Limits)
    largest_job: int = LARGEST_JOB
    """Characters of a job; larger ones are refused when they are enqueued."""
    keep_given_up: bool = True
    """Celery only: keep jobs that were given up in the queue `given_up_queue`, for `poststack tasks failed`."""
    given_up_queue: str = "poststack.given_up"
    event_store: EventStore | None = field(default=None, repr=False)
    """Remembers for `process_event` which handlers have dealt with an event. `None`: this process's memory, which is
    enough for one worker process; give `poststack.receiving.RedisEventStore` for more."""

    def __post_init__(self) -> None:
        for name, kinds, what in _KINDS:
            value: object = getattr(self, name)
            # `True` is an integer, too.
            if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
                raise ValueError(f"The setting `{name}` is {what}, not of type {type(value).__name__}.")
            if isinstance(value, (int, float)) and bool not in kinds and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"The setting `{name}` is {what}, over 0.")
        if not self.given_up_queue or not self.given_up_queue.strip():
            # The broker would make up a name, and nobody would look there.
            raise ValueError("The setting `given_up_queue` is the name of a queue; keep_given_up=False keeps nothing.")
        if self.client is not None and not callable(self.client):
            raise ValueError("The setting `client` is a function that returns a client, such as lambda: PostStack(…).")
        if self.client is not None and self.provider is not None:
            raise ValueError("The settings `client` and `provider` both say what sends. Give one of them.")
        provider_choice(self.provider, self.provider_options)  # Raises what is wrong with them.
        limit = self.limit
        if self.rate_limit is not None and limit is not None and (self.client or self.provider) is not None:
            limit.refuse_beside("another provider" if self.client is None else "the `client` of the settings")
        if self.event_store is not None and not hasattr(self.event_store, "begin"):
            raise ValueError("The setting `event_store` has no method `begin`, as poststack.receiving.EventStore has.")

    @property
    def limit(self) -> RateLimitChoice | None:
        """Return how many calls a second PostStack is asked to answer; `None` when nobody says."""
        names = ("The setting `rate_limit`", "The setting `rate_limit_redis`")
        return rate_limit_choice(self.rate_limit, self.rate_limit_redis, names=names)


_KINDS: Final[tuple[tuple[str, tuple[type, ...], str], ...]] = (
    ("api_key", (str,), "text"),
    ("base_url", (str,), "text"),
    ("timeout", (int, float), "a number of seconds"),
    ("deadline", (int, float), "a number of seconds, or None"),
    ("rate_limit", (int, float), "a number of calls a second"),
    ("rate_limit_redis", (str,), "text"),
    ("limits", (Limits,), "a poststack_tasks.Limits, or a dictionary of its fields"),
    ("provider_options", (Mapping,), "a dictionary"),
    ("largest_job", (int,), "a number of characters"),
    ("keep_given_up", (bool,), "True or False"),
    ("given_up_queue", (str,), "text"),
)

PREFIX: Final = "poststack_"
# Whoever names one of them means it, and not what somebody else has set for the others.
_SENDERS: Final = ("api_key", "client", "provider")

_explicit: dict[str, Any] = {}
_defaults: dict[str, Any] = {}


def configure(**settings: Any) -> None:
    """Set fields of `TaskSettings` for this process, and its children. `None` takes a setting back.

    Raises `ValueError` for a name that is none.
    """
    _update(_explicit, settings)


def configure_defaults(**settings: Any) -> None:
    """Set fields for an integration, such as `poststack_django`: everything else goes before these."""
    _update(_defaults, settings)


def current_settings(conf: Mapping[str, Any] | None = None) -> TaskSettings:
    """Return the settings. `conf` are those of the queue, where the fields are called `poststack_api_key` and so on.

    Raises `ValueError` when one of them is of the wrong type.
    """
    merged = dict(_defaults)
    if conf is not None:
        found = {name: value for name in _NAMES if (value := _get(conf, PREFIX + name)) is not None}
        merged = _over(merged, found)
    merged = _over(merged, _explicit)
    if isinstance(limits := merged.get("limits"), Mapping):
        # Settings files are easier to write without an import.
        merged["limits"] = _limits(cast("Mapping[str, Any]", limits))
    return replace(TaskSettings(), **merged)


def _over(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with others that go before them."""
    kept = dict(settings)
    if any(name in own for name in _SENDERS):
        for name in ("client", "provider", "provider_options"):
            kept.pop(name, None)
    return kept | dict(own)


def _limits(values: Mapping[str, Any]) -> Limits:
    if unknown := sorted(set(values) - {one.name for one in fields(Limits)}):
        raise ValueError(f"Unknown limits: {', '.join(unknown)}. See poststack_tasks.Limits.")
    return Limits(**values)


def _get(conf: Mapping[str, Any], name: str) -> Any:
    try:
        return conf[name]
    except KeyError:
        return None


def _update(kept: dict[str, Any], settings: Mapping[str, Any]) -> None:
    if unknown := sorted(set(settings) - set(_NAMES)):
        raise ValueError(f"Unknown settings: {', '.join(unknown)}. There are {', '.join(_NAMES)}.")
    for name, value in settings.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value


_NAMES: Final = tuple(one.name for one in fields(TaskSettings))
