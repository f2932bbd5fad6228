"""The one setting, `POSTSTACK`, as a typed value. It is read when it is needed, so `override_settings` works.

POSTSTACK = {
    "API_KEY": "sk_live_…",            # or the environment variable POSTSTACK_API_KEY
    "WEBHOOK_SECRETS": ["…"],          # or POSTSTACK_WEBHOOK_SECRETS, several separated by commas
}
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from poststack.mailbridge.configured import ProviderChoice, provider_choice, provider_of_environment
from poststack.throttling.configured import RateLimitChoice
from poststack_django import setting_values as values

__all__ = ["ApiKey", "ClientSettings", "OutboxSettings", "Settings", "StoredRecipients", "TaskQueue", "get_settings"]

DEFAULT_TIMEOUT: Final = 10.0
# Most application servers end a worker that holds one request for 30 seconds.
DEFAULT_DEADLINE: Final = 25.0
DEFAULT_MAX_RETRIES: Final = 3

ApiKey: TypeAlias = "str | Callable[[Any], str] | None"
"""A key, or a function that returns the key for a message: one for each tenant."""
StoredRecipients: TypeAlias = Literal["plain", "hashed", "none"]
TaskQueue: TypeAlias = Literal["django", "celery", "rq"]


@dataclass(frozen=True)
class ClientSettings:
    """What a client is made from. Times are in seconds; equal values share one client."""

    api_key: ApiKey = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    deadline: float | None = DEFAULT_DEADLINE
    max_retries: int = DEFAULT_MAX_RETRIES
    factory: Callable[[], Any] | None = None
    """Makes the client instead of all of the above."""
    provider: ProviderChoice | None = None
    """Another provider, whose mailer is the client; then the key and the address above do not count."""
    rate_limit: RateLimitChoice | None = None
    """How many calls a second PostStack is asked to answer."""

    @property
    def key_for_message(self) -> Callable[[Any], str] | None:
        """The function that finds the key of each message, where keys depend on messages."""
        other = self.factory is not None or self.provider is not None
        return None if other or not callable(self.api_key) else self.api_key


@dataclass(frozen=True)
class OutboxSettings:
    """How the outbox is emptied. Times are in seconds. The key of each is its name in capitals, in `OUTBOX`."""

    poll: float = 5.0
    """How long a drainer that nobody wakes waits before it looks again."""
    batch_size: int = 50
    """How many e-mails a drainer takes at a time, at most 100."""
    lease: float = 120.0
    """How long they are its own. A drainer that died loses them after that; it must be longer than `DEADLINE`."""
    horizon: float = 86_400.0
    """No attempt starts later than this after the first. Keep it inside the log retention of your PostStack plan,
    for as long as which an idempotency key holds."""
    longest_delay: float = 900.0
    """Between two attempts, whatever `Retry-After` says."""
    first_delay: float = 1.0
    """The upper bound of the first random delay; it doubles with every attempt."""
    expires: float | None = None
    """Give up this long after the e-mail was stored, for mail that is worthless when late."""
    wait_for_quota: bool = False
    """Whether a used-up quota is waited for, within the horizon, instead of given up at once."""
    tasks: TaskQueue | None = None
    """Where each e-mail is also enqueued as a task when its transaction commits: Django Tasks (`True` in the settings),
    Celery or RQ."""
    task_queue: str | Callable[[], Any] | None = None
    """Its name; `None` is the usual one. For RQ also a function that returns the `rq.Queue`, or its dotted path."""
    task_backend: str = "default"
    """Of Django Tasks: the alias in `TASKS`."""
    task_priority: int = 0
    """Of Django Tasks, and of Celery where the broker has priorities."""


@dataclass(frozen=True)
class Settings:
    """The setting `POSTSTACK`, checked and complete."""

    client: ClientSettings
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    webhook_max_age: float | None = None
    """Seconds after which a signed event is too old to be taken; `None` takes every age, as replays by hand need."""
    record: bool = True
    send_defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What messages that do not say otherwise are sent with."""
    allowed_recipients: tuple[str, ...] | None = None
    """The staging guard: only these addresses and patterns (`*@example.com`) are sent to."""
    redirect_to: str | None = None
    """The staging guard: where mail goes instead of to everybody who is not allowed."""
    suppressions: bool = False
    """Whether bounces, complaints and unsubscriptions end sending to an address."""
    store_subjects: bool = True
    store_recipients: StoredRecipients = "plain"
    store_bodies: bool = False
    retention_days: int | None = None
    """After how many days `manage.py poststack_prune` deletes, if it is not told otherwise."""
    block_event_loop: bool = False
    """Whether sending from a running event loop blocks it instead of being refused."""
    outbox: OutboxSettings = field(default_factory=OutboxSettings)


# Django's error reports show no variables of it, nor of what it calls: they hold keys.
@sensitive_variables()
def get_settings() -> Settings:
    """Return the current settings. Raises `ImproperlyConfigured` naming the key that is wrong."""
    given = _given()
    provider = _provider(given)
    return Settings(
        client=ClientSettings(
            api_key=values.api_key(given, "API_KEY") or os.environ.get("POSTSTACK_API_KEY") or None,
            base_url=values.text(given, "BASE_URL") or os.environ.get("POSTSTACK_BASE_URL") or None,
            timeout=values.seconds(given, "TIMEOUT", DEFAULT_TIMEOUT) or DEFAULT_TIMEOUT,
            deadline=values.seconds(given, "DEADLINE", DEFAULT_DEADLINE),
            max_retries=values.whole_number(given, "MAX_RETRIES", DEFAULT_MAX_RETRIES),
            factory=values.function(given, "CLIENT"),
            provider=provider,
            rate_limit=_rate_limit(given, provider),
        ),
        webhook_secrets=values.secrets(given, "WEBHOOK_SECRETS", os.environ.get("POSTSTACK_WEBHOOK_SECRETS", "")),
        webhook_max_age=values.seconds(given, "WEBHOOK_MAX_AGE", None),
        record=values.flag(given, "RECORD", default=True),
        send_defaults=values.mapping(given, "SEND_DEFAULTS"),
        allowed_recipients=values.texts(given, "ALLOWED_RECIPIENTS"),
        redirect_to=values.text(given, "REDIRECT_TO") or None,
        suppressions=values.flag(given, "SUPPRESSIONS", default=False),
        store_subjects=values.flag(given, "STORE_SUBJECTS", default=True),
        store_recipients=cast(
            "StoredRecipients", values.choice(given, "STORE_RECIPIENTS", ("plain", "hashed", "none"), "plain")
        ),
        store_bodies=values.flag(given, "STORE_BODIES", default=False),
        retention_days=values.positive_or_none(given, "RETENTION_DAYS"),
        block_event_loop=values.flag(given, "BLOCK_EVENT_LOOP", default=False),
        outbox=_outbox(values.mapping(given, "OUTBOX")),
    )


_KEYS: Final = (
    "ALLOWED_RECIPIENTS",
    "API_KEY",
    "BASE_URL",
    "BLOCK_EVENT_LOOP",
    "CLIENT",
    "DEADLINE",
    "MAX_RETRIES",
    "OUTBOX",
    "PROVIDER",
    "PROVIDER_OPTIONS",
    "RATE_LIMIT",
    "RATE_LIMIT_REDIS",
    "RECORD",
    "REDIRECT_TO",
    "RETENTION_DAYS",
    "SEND_DEFAULTS",
    "STORE_BODIES",
    "STORE_RECIPIENTS",
    "STORE_SUBJECTS",
    "SUPPRESSIONS",
    "TIMEOUT",
    "WEBHOOK_MAX_AGE",
    "WEBHOOK_SECRETS",
)
_OUTBOX_KEYS: Final = tuple(name.upper() for name in OutboxSettings.__dataclass_fields__)


def _given() -> Mapping[str, object]:
    value: object = getattr(settings, "POSTSTACK", None)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"POSTSTACK is a dictionary, not {type(value).__name__}.")
    given = cast("Mapping[str, object]", value)
    values.refuse_unknown(given, _KEYS, "POSTSTACK")
    return given


def _provider(given: Mapping[str, object]) -> ProviderChoice | None:
    if "PROVIDER" not in given and "PROVIDER_OPTIONS" not in given:
        # Whoever names a key or a client in the settings means it.
        if "API_KEY" in given or "CLIENT" in given:
            return None
        return values.provider(provider_of_environment)
    if given.get("CLIENT") is not None and given.get("PROVIDER") is not None:
        raise ImproperlyConfigured("POSTSTACK has both CLIENT and PROVIDER, which both say what sends. Keep one.")
    provider, options = cast("Any", given.get("PROVIDER")), values.mapping(given, "PROVIDER_OPTIONS")
    return values.provider(lambda: provider_choice(provider, options), "POSTSTACK['PROVIDER']")


def _rate_limit(given: Mapping[str, object], provider: ProviderChoice | None) -> RateLimitChoice | None:
    if given.get("CLIENT") is not None and given.get("RATE_LIMIT") is None and given.get("RATE_LIMIT_REDIS") is None:
        return None  # One of the environment is the business of whoever makes the client.
    limit = values.rate_limit(given.get("RATE_LIMIT"), given.get("RATE_LIMIT_REDIS"))
    if limit is not None and given.get("CLIENT") is not None:
        values.refuse_rate_limit(limit, "the client that POSTSTACK['CLIENT'] makes")
    if limit is not None and provider is not None:
        values.refuse_rate_limit(limit, "another provider")
    return limit


def _outbox(given: Mapping[str, Any]) -> OutboxSettings:
    values.refuse_unknown(given, _OUTBOX_KEYS, "POSTSTACK['OUTBOX']")
    default = OutboxSettings()
    batch_size = values.whole_number(given, "BATCH_SIZE", default.batch_size)
    if not 1 <= batch_size <= 100:
        raise ImproperlyConfigured("POSTSTACK['OUTBOX']['BATCH_SIZE'] is from 1 to 100.")
    return OutboxSettings(
        poll=values.seconds(given, "POLL", default.poll) or default.poll,
        batch_size=batch_size,
        lease=values.seconds(given, "LEASE", default.lease) or default.lease,
        horizon=values.seconds(given, "HORIZON", default.horizon) or default.horizon,
        longest_delay=values.seconds(given, "LONGEST_DELAY", default.longest_delay) or default.longest_delay,
        first_delay=values.seconds(given, "FIRST_DELAY", default.first_delay) or default.first_delay,
        expires=values.seconds(given, "EXPIRES", None),
        wait_for_quota=values.flag(given, "WAIT_FOR_QUOTA", default=False),
        tasks=_task_queue(given),
        task_queue=values.text_or_function(given, "TASK_QUEUE") or default.task_queue,
        task_backend=values.text(given, "TASK_BACKEND") or default.task_backend,
        task_priority=values.whole_number(given, "TASK_PRIORITY", default.task_priority),
    )


def _task_queue(given: Mapping[str, Any]) -> TaskQueue | None:
    kinds: Mapping[object, TaskQueue | None] = {
        None: None, False: None, True: "django", "django": "django", "celery": "celery", "rq": "rq",
    }  # fmt: skip
    value = given.get("TASKS")
    # By type as well: 1 is True for a dictionary.
    if (value is not None and not isinstance(value, (bool, str))) or value not in kinds:
        raise ImproperlyConfigured(
            "POSTSTACK['OUTBOX']['TASKS'] is True or 'django' for Django Tasks, 'celery', 'rq', or False."
        )
    return kinds[value]
