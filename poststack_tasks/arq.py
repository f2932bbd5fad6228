"""E-mail from arq workers: functions for `WorkerSettings`, and enqueuing that checks.

    from arq.connections import RedisSettings
    from poststack_tasks import arq as mail

    class WorkerSettings:
        functions = mail.functions
        on_startup = mail.startup
        on_shutdown = mail.shutdown
        redis_settings = RedisSettings()

    await mail.enqueue(redis, {"from": "…", "to": ["…"], "subject": "…", "text": "…"})

`functions` sets the names (`poststack.send_email` and so on) and so many tries that it is the policy that ends them. A
worker that is killed has its jobs run again when the longest timeout of all functions, and ten seconds, are over: keep
`job_timeout` short, its default is 300 s. One that is stopped by SIGTERM hands its jobs on at once.

What is given up is raised, so arq keeps it as a failed result for as long as `keep_result` says. arq forgets a job that
has waited longer than its `_expires`, a day unless you or `enqueue` say otherwise; the policy ends before that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from poststack import PostStackConnectionError
from poststack_tasks import events, job
from poststack_tasks.clients import async_client
from poststack_tasks.configuration import current_settings
from poststack_tasks.outcomes import Job, Outcome
from poststack_tasks.payload import (
    Expires,
    check_batch_key,
    check_key,
    checked_job,
    checked_jobs,
    expiry_of,
    expiry_time,
)
from poststack_tasks.policy import GiveUp, RetryLater

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from poststack import WebhookEvent
    from poststack_tasks.configuration import AsyncEmailClient, TaskSettings

try:
    # By name: arq needs an environment of its own, and type checkers look for what is in ours.
    _arq: Any = import_module("arq")
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "poststack_tasks.arq needs arq: pip install 'poststack[arq]'. It does not install beside celery[redis].",
        name=error.name,
    ) from None

__all__ = [
    "enqueue",
    "enqueue_batch",
    "enqueue_event",
    "functions",
    "process_event",
    "send_batch",
    "send_email",
    "shutdown",
    "startup",
]

CLIENT: Final = "poststack"
"""The name of the client in `ctx`. One that is there before `startup` is used, and left open by `shutdown`."""
TIMEOUT: Final = 45.0
"""Seconds after which arq ends an attempt for good. `TaskSettings.deadline` ends it before, and it is tried again."""
MAX_TRIES: Final = 1000
"""More than the policy ever makes of them: with delays of up to 15 minutes there are some 200 in a day."""

_OURS: Final = "poststack_made"
_JOB_KEY: Final = "arq:job:"
_FIRST_KEY: Final = "poststack:arq:first:"
_FIRST_KEPT: Final = 14 * 86_400


async def startup(ctx: MutableMapping[Any, Any]) -> None:
    """Open one client for all jobs of the worker: `on_startup`. The key comes from the environment or `configure`.

    Raises `ValueError` when there is no key, the settings of a provider cannot work, or the deadline is not below the
    timeout of the functions.
    """
    settings = current_settings()
    if settings.deadline is None or settings.deadline > TIMEOUT - 5:
        raise ValueError(
            f"arq gives up for good what takes longer than {TIMEOUT:.0f} s: set a deadline of at most "
            f"{TIMEOUT - 5:.0f} s with poststack_tasks.configure(deadline=…)."
        )
    logging.getLogger("arq.worker").addFilter(_without_arguments)
    if CLIENT not in ctx:
        ctx[CLIENT] = ctx[_OURS] = async_client(settings)


async def shutdown(ctx: MutableMapping[Any, Any]) -> None:
    """Close the client that `startup` has opened: `on_shutdown`."""
    if (client := ctx.pop(_OURS, None)) is not None:
        ctx.pop(CLIENT, None)
        await client.aclose()


async def send_email(
    ctx: Mapping[Any, Any],
    payload: Mapping[str, Any],
    idempotency_key: str | None = None,
    expires: float | str | None = None,
) -> dict[str, Any]:
    """Send an e-mail; the result has its `id`. Without a key of its own it has that of the job, `arq-<job id>`.

    `expires` is in seconds after enqueuing, or an ISO 8601 moment. Raises `arq.Retry` with the delay while another
    attempt can help, else what `outcome.error` is: `PostStackError`, `JobError` or `JobExpiredError`.
    """
    one = await _job(ctx, expires)

    async def attempt(settings: TaskSettings) -> Outcome:
        async with _client(ctx, settings) as client:
            return await job.asend_email(one, payload, idempotency_key, client=client, settings=settings)

    result: dict[str, Any] = await _translated(ctx, await _attempted(one, attempt))
    return result


async def send_batch(
    ctx: Mapping[Any, Any],
    payloads: Sequence[Mapping[str, Any]],
    idempotency_key: str | None = None,
    expires: float | str | None = None,
) -> list[dict[str, Any]]:
    """Send up to 100 e-mails in one call; the result has an `id` for each. Their keys end in `-0`, `-1` and so on.

    Raises as `send_email`, and `BatchNotAllSentError` when some were refused.
    """
    one = await _job(ctx, expires)

    async def attempt(settings: TaskSettings) -> Outcome:
        async with _client(ctx, settings) as client:
            return await job.asend_batch(one, payloads, idempotency_key, client=client, settings=settings)

    result: list[dict[str, Any]] = await _translated(ctx, await _attempted(one, attempt))
    return result


async def process_event(ctx: Mapping[Any, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Call the handlers of `poststack_tasks.on_event` for a webhook event, as `event_job` makes it."""
    one = await _job(ctx, None)

    async def attempt(settings: TaskSettings) -> Outcome:
        return await events.aprocess_event(one, event, settings=settings)

    result: dict[str, Any] = await _translated(ctx, await _attempted(one, attempt))
    return result


functions: list[Any] = [
    _arq.func(send_email, name="poststack.send_email", timeout=TIMEOUT, max_tries=MAX_TRIES),
    _arq.func(send_batch, name="poststack.send_batch", timeout=TIMEOUT, max_tries=MAX_TRIES),
    # How long handlers take is known to the project, which sets `job_timeout`.
    _arq.func(process_event, name="poststack.process_event", max_tries=MAX_TRIES),
]
"""For `WorkerSettings.functions`, beside your own."""


async def enqueue(
    redis: Any,
    payload: Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
    expires: Expires | None = None,
    **options: Any,
) -> Any:
    """Enqueue an e-mail with an `ArqRedis`; return arq's job, `None` when there is one with this `_job_id`.

    `options` are those of `enqueue_job`, such as `_defer_by`. Raises `JobError` for what could not be sent.
    """
    settings = current_settings()
    email = checked_job(payload, largest=settings.largest_job)
    check_key(email, idempotency_key)
    return await _enqueue(redis, "poststack.send_email", settings, (email, idempotency_key), expires, options)


async def enqueue_batch(
    redis: Any,
    payloads: Sequence[Mapping[str, Any]],
    *,
    idempotency_key: str | None = None,
    expires: Expires | None = None,
    **options: Any,
) -> Any:
    """Enqueue up to 100 e-mails as one job; as `enqueue`."""
    settings = current_settings()
    emails = checked_jobs(payloads, largest=settings.largest_job)
    check_batch_key(idempotency_key)
    return await _enqueue(redis, "poststack.send_batch", settings, (emails, idempotency_key), expires, options)


async def enqueue_event(redis: Any, event: WebhookEvent, **options: Any) -> Any:
    """Enqueue a verified event; return arq's job, `None` when the same event waits or has just been handled."""
    options.setdefault("_job_id", f"poststack-event-{event.id}")
    options.setdefault("_expires", current_settings().limits.longest_wait)
    return await redis.enqueue_job("poststack.process_event", events.event_job(event), **options)


async def _enqueue(
    redis: Any,
    name: str,
    settings: TaskSettings,
    arguments: tuple[object, ...],
    expires: Expires | None,
    options: dict[str, Any],
) -> Any:
    # arq would forget the job after a day without a word; the policy says when it is too late.
    options.setdefault("_expires", settings.limits.longest_wait)
    return await redis.enqueue_job(name, *arguments, expiry_of(expires, time.time()), **options)


async def _attempted(one: Job, attempt: Callable[[TaskSettings], Awaitable[Outcome]]) -> Outcome:
    try:
        settings = current_settings()
    except ValueError as wrong:
        return job.without_settings(one, wrong)  # Raised, it would fail the job for good.
    return await attempt(settings)


def _client(ctx: Mapping[Any, Any], settings: TaskSettings) -> AbstractAsyncContextManager[AsyncEmailClient]:
    client: Any = ctx.get(CLIENT)
    if client is not None:
        return _Left(client)
    try:  # Without `startup`, a client for this job.
        return async_client(settings)
    except ValueError as error:
        return _Left(_NoClient(str(error)))


class _NoClient:
    """Fails like an API that is away: a deployment can give the worker its key, so the job is tried again."""

    def __init__(self, why: str) -> None:
        self._why = why

    @property
    def emails(self) -> Any:
        """Return the group that sends."""
        return self

    async def send(self, *_: object) -> Any:
        """Fail."""
        raise PostStackConnectionError(0, f"The worker has no client for the API: {self._why}")

    batch = send


class _Left:
    """Hands out a client that others use, too, and leaves it open."""

    def __init__(self, client: AsyncEmailClient) -> None:
        self._client = client

    async def __aenter__(self) -> AsyncEmailClient:
        return self._client

    async def __aexit__(self, *_: object) -> None:
        return None


async def _job(ctx: Mapping[Any, Any], expires: float | str | None) -> Job:
    """Return what arq knows of the job, and when it will forget it."""
    job_id: str = ctx["job_id"]
    left, first = -1, None
    # A Redis that is away for a moment is no reason to fail the job, which arq would not repeat.
    with suppress(Exception):
        async with ctx["redis"].pipeline(transaction=False) as pipe:
            pipe.pttl(_JOB_KEY + job_id)
            pipe.get(_FIRST_KEY + job_id)
            left, first = await pipe.execute()
    enqueued_at: float = ctx["enqueue_time"].timestamp()
    ends: float | str | None = expires
    if left >= 0:
        forgotten = time.time() + left / 1000
        try:
            wanted = expiry_time(expires, enqueued_at)
        except ValueError:  # Told by the attempt.
            wanted = float("-inf")
        if wanted is None or forgotten < wanted:
            ends = forgotten - enqueued_at
    return Job("arq", job_id, ctx["job_try"], enqueued_at, None if first is None else float(first), ends)


async def _translated(ctx: Mapping[Any, Any], outcome: Outcome) -> Any:
    """Return the result, or raise what tells arq what to do."""
    decision, first = outcome.decision, _FIRST_KEY + outcome.job.id
    if isinstance(decision, RetryLater):
        with suppress(Exception):  # As above.
            await ctx["redis"].set(first, str(outcome.job.first_attempt_at), nx=True, ex=_FIRST_KEPT)
        raise _arq.Retry(defer=decision.delay)
    if outcome.job.attempt > 1:
        with suppress(Exception):  # It ends by itself.
            await ctx["redis"].delete(first)
    if isinstance(decision, GiveUp) and outcome.error is not None:
        raise outcome.error
    return outcome.result


def _without_arguments(record: logging.LogRecord) -> bool:
    """Keep e-mails out of what arq logs when a job starts: `0.01s → <id>:<name>(<arguments>)`."""
    arguments = record.args
    if isinstance(arguments, tuple) and len(arguments) == 4 and isinstance(record.msg, str) and "(%s)" in record.msg:
        seconds, name, _, extra = arguments
        if ":poststack." in str(name):
            record.args = (seconds, name, "…", extra)
    return True
