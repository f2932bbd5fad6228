"""The tasks themselves: they translate between Celery and the judgement that all queues share."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from poststack import PostStackError
from poststack_tasks import job as attempts
from poststack_tasks.celery.delays import countdown as countdown_for
from poststack_tasks.celery.enqueuing import (
    Prepare,
    enqueuing_methods,
    prepared_batch,
    prepared_email,
    prepared_event,
)
from poststack_tasks.celery.giving_up import keep_given_up
from poststack_tasks.celery.headers import ENQUEUED_AT, FIRST_ATTEMPT_AT
from poststack_tasks.celery.publishing import mark_jobs
from poststack_tasks.celery.unknown_settings import warn_of_unknown_settings
from poststack_tasks.clients import close_clients
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import BatchNotAllSentError, JobError
from poststack_tasks.events import process_event as attempt_event
from poststack_tasks.outcomes import Job, Outcome
from poststack_tasks.policy import GiveUp, RetryLater, Sent

if TYPE_CHECKING:
    from poststack_tasks.celery.typed import BatchTask, EmailTask, EventTask

__all__ = ["process_event", "send_batch", "send_email"]

# Celery has no types.
shared_task: Any = import_module("celery").shared_task
_exceptions: Any = import_module("celery.exceptions")
_signals: Any = import_module("celery.signals")

logger: logging.Logger = logging.getLogger("poststack.tasks")

EAGER_ATTEMPTS: Final = 3
"""Without a queue nothing can wait: `task_always_eager` tries so often, at once."""

OPTIONS: Final[dict[str, Any]] = {
    "bind": True,
    # A job that is not done is not acknowledged, so a worker that dies loses none.
    "acks_late": True,
    "reject_on_worker_lost": True,
    # From Celery 5.7 on: a job whose process dies again and again ends, instead of going round for ever.
    "retry_on_worker_lost": True,
    "max_retries": 500,
    "default_retry_delay": 5,
    # A hard limit of the project's kills the process: that is no reason to lose the job (Celery 5.7).
    "acks_on_timeout": False,
    # Over the client's deadline of 30 s, which should end an attempt before these have to. A shorter `task_time_limit`
    # of the project would kill the process in the middle of an attempt, and before Celery 5.7 that lost the job.
    "soft_time_limit": 60,
    "time_limit": 120,
    # Refusals by the API are logged in one line.
    "throws": (PostStackError, JobError, BatchNotAllSentError),
}


def _task(name: str, prepare: Prepare) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator that makes a task of every application, now and later."""
    decorator: Callable[[Callable[..., Any]], Any] = shared_task(name=name, **OPTIONS, **enqueuing_methods(prepare))
    return decorator


@_task("poststack.send_email", prepared_email)
def _send_email(
    self: Any, payload: object, idempotency_key: str | None = None, expires: float | str | None = None
) -> Any:
    """Send an e-mail once, however often this runs; return `{"id": …}`."""
    return _run(
        self, expires, lambda job, settings: attempts.send_email(job, payload, idempotency_key, **_ways(settings))
    )


@_task("poststack.send_batch", prepared_batch)
def _send_batch(
    self: Any, payloads: object, idempotency_key: str | None = None, expires: float | str | None = None
) -> Any:
    """Send up to 100 e-mails, each once, in one call; return a list of `{"id": …}`."""
    return _run(
        self, expires, lambda job, settings: attempts.send_batch(job, payloads, idempotency_key, **_ways(settings))
    )


@_task("poststack.process_event", prepared_event)
def _process_event(self: Any, event: object) -> Any:
    """Call the handlers of `poststack_tasks.on_event` for an event, each once."""
    return _run(self, None, lambda job, settings: attempt_event(job, event, settings=settings))


send_email: EmailTask = _send_email
send_batch: BatchTask = _send_batch
process_event: EventTask = _process_event

# Written out: to ask a shared task for its name would make an application.
mark_jobs(("poststack.send_email", "poststack.send_batch", "poststack.process_event"))


def _ways(settings: TaskSettings) -> dict[str, Any]:
    return {"settings": settings, "time_limits": (_exceptions.SoftTimeLimitExceeded,)}


def _run(task: Any, expires: float | str | None, attempt: Callable[[Job, TaskSettings], Outcome]) -> Any:
    warn_of_unknown_settings(task.app)
    job = _job(task.request, expires)
    try:
        settings = current_settings(task.app.conf)
    except ValueError as wrong:
        if task.request.is_eager or task.request.called_directly:
            raise
        # Raised, it would end the job: the broker would forget an e-mail that whoever enqueued it takes for accepted.
        settings = TaskSettings()
        outcome = attempts.without_settings(job, wrong)
    else:
        outcome = attempt(job, settings)
    if task.request.is_eager:
        while isinstance(outcome.decision, RetryLater) and job.attempt < EAGER_ATTEMPTS:
            job = replace(job, attempt=job.attempt + 1)
            outcome = attempt(job, settings)
    if isinstance(outcome.decision, Sent):
        return outcome.result
    error = cast("Exception", outcome.error)
    if task.request.is_eager or task.request.called_directly:
        raise error
    if isinstance(outcome.decision, GiveUp):
        keep_given_up(task, outcome, settings)
        raise error
    _retry(task, outcome, outcome.decision)


def _job(request: Any, expires: float | str | None) -> Job:
    headers = dict(request.headers or {})
    # Celery's own option, too: the worker has looked at it already, but the next attempt may come too late.
    return Job(
        "celery",
        request.id or uuid.uuid4().hex,  # A task that is called directly has no id.
        attempt=(request.retries or 0) + 1,
        enqueued_at=_seconds(headers.get(ENQUEUED_AT)),
        first_attempt_at=_seconds(headers.get(FIRST_ATTEMPT_AT)),
        expires=request.expires if expires is None else expires,
    )


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _retry(task: Any, outcome: Outcome, decision: RetryLater) -> NoReturn:
    headers: dict[str, Any] = {**(task.request.headers or {}), FIRST_ATTEMPT_AT: outcome.job.first_attempt_at}
    # Tasks that were enqueued without this module have no such header, and must not be checked as new ones.
    headers.setdefault(ENQUEUED_AT, outcome.job.first_attempt_at)
    countdown = countdown_for(task.app, decision.delay)
    try:
        raise task.retry(exc=outcome.error, countdown=countdown, max_retries=_ENDLESS, headers=headers)
    except _exceptions.Reject as rejected:
        # The next attempt could not be published. Celery would drop the job; the broker shall hand it out again.
        logger.error("celery job %s: the broker did not take the next attempt; it goes back.", outcome.job.id)
        raise _exceptions.Reject(rejected.reason, requeue=True) from None


_ENDLESS: Final = 1_000_000
"""The policy ends retries by time, not by number. `None` would mean the task's own `max_retries`."""


def _close_clients(**_: Any) -> None:
    close_clients()


# The children of a prefork worker end without Python's own clearing up.
_signals.worker_process_shutdown.connect(_close_clients, weak=False, dispatch_uid="poststack_tasks.close_clients")
