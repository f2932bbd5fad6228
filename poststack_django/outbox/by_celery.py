"""The outbox as tasks of Celery: each e-mail is one, enqueued when its transaction has committed.

Switched on by `POSTSTACK = {"OUTBOX": {"TASKS": "celery"}}`. The application is the project's, whose
`autodiscover_tasks()` finds the tasks; one without it takes `include=["poststack_django.tasks"]`.

Imports Celery: nothing but `poststack_django.tasks` imports this, and only where Celery is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from poststack_django.outbox import drain as drain_outbox
from poststack_django.outbox.one import enqueue_each, seconds_until, send_one
from poststack_django.settings import get_settings
from poststack_tasks.celery.delays import countdown

__all__ = ["drain", "enqueue", "send_stored_email"]

OPTIONS: Final[dict[str, Any]] = {
    # Nobody asks for results: they are on the rows. So a result backend that is down keeps nothing from being enqueued.
    "ignore_result": True,
    "acks_late": True,
    "reject_on_worker_lost": True,
    # A hard limit of the project's kills the process, which could enqueue no other task (Celery 5.7).
    "acks_on_timeout": False,
}

_AT_ONCE: Final[dict[str, Any]] = {
    # A broker that is down must not hold up whoever has just committed. But the connection may be one that a broker
    # closed which is there again.
    "retry": True,
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
}


def _task(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator that makes a task of every application, now and later. Celery has no types."""
    decorator: Callable[[Callable[..., Any]], Any] = import_module("celery").shared_task(name=name, **options)
    return decorator


@_task("poststack_django.send_stored_email", bind=True, **OPTIONS)
def _send_stored_email(self: Any, pk: str) -> str:
    """Send one e-mail of the outbox, if it is due; return its status."""

    def again_at(moment: datetime) -> None:
        # A task that runs at once, where it is enqueued, would do so until the e-mail is due.
        if not self.request.is_eager:
            _publish([int(pk)], countdown=countdown(self.app, seconds_until(moment)))

    return send_one(pk, again_at)


@_task("poststack_django.drain", ignore_result=True)
def _drain() -> dict[str, int]:
    """Send what is due: for `beat`. It finds e-mails whose tasks the broker lost, or did not take."""
    done = drain_outbox()
    return {"sent": done.sent, "put_off": done.put_off, "given_up": done.given_up}


send_stored_email: Any = _send_stored_email
drain: Any = _drain


def enqueue(keys: Sequence[int]) -> None:
    """Enqueue a task for each row. What cannot be enqueued stays in the outbox, and is logged."""
    _publish(keys)


def _publish(keys: Sequence[int], **options: Any) -> None:
    task = send_stored_email
    options |= _place()
    if task.app.conf.task_always_eager:
        enqueue_each(keys, lambda pk: task.apply_async((pk,), **options))
        return

    def publish(pk: str) -> None:
        with task.app.producer_or_acquire() as producer:
            # Celery itself would wait for seconds until the broker is back, and longer with other settings.
            connection = producer.connection
            connection.ensure_connection(max_retries=max(0, len(connection.alt) - 1))
            task.apply_async((pk,), producer=producer, **options)

    enqueue_each(keys, publish)


def _place() -> dict[str, Any]:
    outbox = get_settings().outbox
    place: dict[str, Any] = dict(_AT_ONCE)
    if outbox.task_queue is not None:
        place["queue"] = outbox.task_queue
    if outbox.task_priority:
        place["priority"] = outbox.task_priority
    return place
