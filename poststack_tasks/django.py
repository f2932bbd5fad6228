"""E-mail by Django Tasks, of `django.tasks` (Django 6.0) or the package `django-tasks` (Django 5.2).

    from poststack_tasks.django import send_email

    send_email.enqueue({"from": "…", "to": ["…"], "subject": "…", "text": "…"}, idempotency_key="welcome/42")

Prefer the outbox of `poststack_django` where that is installed: its e-mails are rows that commit and roll back with
your own, and survive a worker that is killed whatever the backend of tasks. This module needs neither its app nor its
tables.

Django Tasks have no retry. What is to be tried again is enqueued again with the same key, to run after the delay, by
the backend, queue and priority that it had; the task that did so is successful and returns `{"enqueued_again": <id>}`.
A backend that cannot defer, such as `ImmediateBackend`, cannot wait: the task fails with the API's error at its first
503, which the log tells, and so does `on_outcome`.

A task whose worker is killed is left running for ever by the database backend. Call `enqueue_abandoned` now and then:
it enqueues such tasks again, and their keys see to it that nothing is sent twice.

Settings are those of `poststack_tasks.configure`, then `POSTSTACK_API_KEY`, `POSTSTACK_BASE_URL`, `POSTSTACK_TIMEOUT`
and so on in Django's, then the environment. `POSTSTACK_TASK_BACKEND` and `POSTSTACK_TASK_QUEUE` name where tasks go
unless `using` says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from poststack_tasks import events, job
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.outcomes import Job, Outcome
from poststack_tasks.payload import check_batch_key, check_key, checked_job, checked_jobs, expiry_of
from poststack_tasks.policy import GiveUp, RetryLater

__all__ = ["enqueue_abandoned", "process_event", "send_batch", "send_email"]


def _task_class() -> Any:
    for name in ("django.tasks", "django_tasks"):
        try:
            return import_module(f"{name}.base").Task
        except ModuleNotFoundError as error:
            if error.name not in {name, name.partition(".")[0], f"{name}.base"}:
                raise
    raise ImproperlyConfigured(
        "poststack_tasks.django needs Django 6.0, or the package django-tasks: pip install django-tasks"
    )


_Task: Any = _task_class()


class _Conf(Mapping[str, Any]):
    """Django's settings under the names of a queue's: `POSTSTACK_API_KEY` as `poststack_api_key`."""

    def __getitem__(self, name: str) -> Any:
        value: Any = getattr(django_settings, name.upper(), None)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(name.lower() for name in dir(django_settings) if name.startswith("POSTSTACK_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _settings() -> TaskSettings:
    return current_settings(_Conf())


def _send_email(
    context: Any,
    payload: object,
    idempotency_key: str | None = None,
    expires: float | str | None = None,
    history: Mapping[str, Any] | None = None,
) -> Any:
    """Send an e-mail; the result has its `id`. Without a key of its own it has that of the task, `django-<id>`."""
    one = _job(context, expires, history)
    outcome = _attempted(one, lambda settings: job.send_email(one, payload, idempotency_key, settings=settings))
    return _translated(context, outcome, {"idempotency_key": idempotency_key, "expires": expires})


def _send_batch(
    context: Any,
    payloads: object,
    idempotency_key: str | None = None,
    expires: float | str | None = None,
    history: Mapping[str, Any] | None = None,
) -> Any:
    """Send up to 100 e-mails in one call; the result has an `id` for each. Their keys end in `-0`, `-1` and so on."""
    one = _job(context, expires, history)
    outcome = _attempted(one, lambda settings: job.send_batch(one, payloads, idempotency_key, settings=settings))
    return _translated(context, outcome, {"idempotency_key": idempotency_key, "expires": expires})


def _process_event(context: Any, event: object, history: Mapping[str, Any] | None = None) -> Any:
    """Call the handlers of `poststack_tasks.on_event` for a webhook event, as `event_job` makes it."""
    one = _job(context, None, history)
    outcome = _attempted(one, lambda settings: events.process_event(one, event, settings=settings))
    return _translated(context, outcome, {})


def _job(context: Any, expires: float | str | None, history: Mapping[str, Any] | None) -> Job:
    result = context.task_result
    known = history or {}
    enqueued_at = None if result.enqueued_at is None else result.enqueued_at.timestamp()
    return Job(
        "django",
        known.get("id", str(result.id)),
        known.get("attempt", 1),
        known.get("enqueued_at", enqueued_at),
        known.get("first_attempt_at"),
        expires,
        can_wait=result.task.get_backend().supports_defer,
    )


def _attempted(one: Job, attempt: Callable[[TaskSettings], Outcome]) -> Outcome:
    try:
        settings = _settings()
    except ValueError as wrong:
        return job.without_settings(one, wrong)  # Raised, it would fail the task for good.
    return attempt(settings)


def _translated(context: Any, outcome: Outcome, arguments: Mapping[str, Any]) -> Any:
    """Return the result, enqueue the task again, or raise why it is given up."""
    if isinstance(outcome.decision, RetryLater):
        result, done = context.task_result, outcome.job
        # The id makes the key, so it stays that of the first task.
        history = {
            "id": done.id,
            "attempt": done.attempt + 1,
            "enqueued_at": done.enqueued_at,
            "first_attempt_at": done.first_attempt_at,
        }
        later = result.task.using(run_after=datetime.now(timezone.utc) + timedelta(seconds=outcome.decision.delay))
        again = _Task.enqueue(later, result.args[0], **arguments, history=history)
        return {"enqueued_again": str(again.id)}
    if isinstance(outcome.decision, GiveUp) and outcome.error is not None:
        raise outcome.error
    return outcome.result


def _email_arguments(
    payload: object, idempotency_key: str | None = None, expires: Any = None
) -> tuple[object, dict[str, Any]]:
    email = checked_job(payload, largest=_settings().largest_job)
    check_key(email, idempotency_key)
    return email, {"idempotency_key": idempotency_key, "expires": expiry_of(expires, time.time())}


def _batch_arguments(
    payloads: object, idempotency_key: str | None = None, expires: Any = None
) -> tuple[object, dict[str, Any]]:
    emails = checked_jobs(payloads, largest=_settings().largest_job)
    check_batch_key(idempotency_key)
    return emails, {"idempotency_key": idempotency_key, "expires": expiry_of(expires, time.time())}


def _event_arguments(event: object) -> tuple[object, dict[str, Any]]:
    return event, {}


def _task(function: Callable[..., Any], name: str, arguments: Callable[..., tuple[object, dict[str, Any]]]) -> Any:
    """Return a task that checks what is enqueued: a mistake is told to whoever made it, not to the worker."""

    def enqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        first, others = arguments(*args, **kwargs)
        return _Task.enqueue(self, first, **others)

    async def aenqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        first, others = arguments(*args, **kwargs)
        return await _Task.aenqueue(self, first, **others)

    # Workers find the task by this name again.
    function.__name__ = function.__qualname__ = name
    checked: Any = type("CheckedTask", (_Task,), {"enqueue": enqueue, "aenqueue": aenqueue, "__slots__": ()})
    return checked(
        func=function,
        backend=getattr(django_settings, "POSTSTACK_TASK_BACKEND", "default"),
        queue_name=getattr(django_settings, "POSTSTACK_TASK_QUEUE", "default"),
        takes_context=True,
    )


send_email: Any = _task(_send_email, "send_email", _email_arguments)
send_batch: Any = _task(_send_batch, "send_batch", _batch_arguments)
process_event: Any = _task(_process_event, "process_event", _event_arguments)

_PATHS: Final = tuple(f"{__name__}.{name}" for name in ("send_email", "send_batch", "process_event"))


def enqueue_abandoned(older_than: timedelta = timedelta(minutes=15)) -> int:
    """Have those of these tasks run again whose worker was killed; return how many there were.

    They are the ones that have been running for longer than `older_than`, far above the deadline of an attempt. This is
    for the database backend, the package `django-tasks-db`. Raises `ImproperlyConfigured` without it.
    """
    try:
        model: Any = import_module("django_tasks_db.models").DBTaskResult
    except (ModuleNotFoundError, RuntimeError) as error:
        raise ImproperlyConfigured(
            "enqueue_abandoned is for the backend django_tasks_db.DatabaseBackend: install django-tasks-db, and put "
            "django_tasks_db into INSTALLED_APPS. Other backends have ways of their own."
        ) from error
    running = model.objects.filter(
        status="RUNNING", task_path__in=_PATHS, started_at__lt=datetime.now(timezone.utc) - older_than
    )
    found: int = running.update(status="READY", started_at=None)
    return found
