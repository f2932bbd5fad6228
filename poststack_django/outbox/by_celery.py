"""The outbox as tasks of Celery: each e-mail is one, enqueued when its transaction has committed.

Switched on by `POSTSTACK = {"OUTBOX": {"TASKS": "celery"}}`. The application is the project's, whose
`autodiscover_tasks()` finds the tasks; one without it takes `include=["poststack_django.tasks"]`.

Imports Celery: nothing but `poststack_django.tasks` imports this, and only where Celery is in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from poststack_django.borrowing import borrowed_connection
from poststack_django.outbox.one import enqueue_each, seconds_until, send_one
from poststack_django.settings import get_settings
from poststack_tasks.celery.delays import countdown

__all__ = ["drain", "enqueue", "send_stored_email"]

# Celery has no types.
_shared_task: Any = import_module("celery").shared_task

OPTIONS: Final[dict[str, Any]] = {
    # Nobody asks for results: they are on the rows. So a result backend that is down keeps nothing from being enqueued.
    "ignore_result": True,
    "acks_late": True,
    "reject_on_worker_lost": True,
}


def _send_stored_email(self: Any, pk: str) -> str:
    """Send one e-mail of the outbox, if it is due; return its status."""

    def again_at(moment: datetime) -> None:
        # A task that runs at once, where it is enqueued, would do so until the e-mail is due.
        if not self.request.is_eager:
            delay = countdown(self.app, seconds_until(moment))
            enqueue_each([int(pk)], lambda key: self.apply_async((key,), countdown=delay, **_place()))

    return send_one(pk, again_at)


def _drain() -> dict[str, int]:
    """Send what is due: for `beat`. It finds e-mails whose tasks the broker lost, or did not take."""
    from poststack_django.outbox.delivering import drain as drain_outbox

    with borrowed_connection():
        done = drain_outbox()
    return {"sent": done.sent, "put_off": done.put_off, "given_up": done.given_up}


send_stored_email: Any = _shared_task(name="poststack_django.send_stored_email", bind=True, **OPTIONS)(
    _send_stored_email
)
drain: Any = _shared_task(name="poststack_django.drain", ignore_result=True)(_drain)


def enqueue(keys: Sequence[int]) -> None:
    """Enqueue a task for each row. What cannot be enqueued stays in the outbox, and is logged."""
    enqueue_each(keys, lambda pk: send_stored_email.apply_async((pk,), **_place()))


def _place() -> dict[str, Any]:
    outbox = get_settings().outbox
    # A broker that is down must not hold up whoever has just committed.
    place: dict[str, Any] = {"retry": False}
    if outbox.task_queue is not None:
        place["queue"] = outbox.task_queue
    if outbox.task_priority:
        place["priority"] = outbox.task_priority
    return place
