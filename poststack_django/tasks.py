"""The outbox as Django Tasks: each e-mail is a task, enqueued when its transaction has committed.

Switched on by `POSTSTACK = {"OUTBOX": {"TASKS": True}}`. On Django 6.0 and later the tasks are those of
`django.tasks`, on 5.2 those of the package `django-tasks`. Run `manage.py poststack_outbox` now and then all the same,
or `drain`: an e-mail whose task was lost, or whose backend cannot defer tasks, is sent by that.

Importing this checks that the queue, the backend and the priority exist, so nothing here is imported before it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["enqueue", "send_stored_email"]

logger = logging.getLogger("poststack.django")


def _task(**places: Any) -> Any:
    """Return the decorator that makes a task: Django's own from 6.0 on, else that of the package with the same API."""
    for name in ("django.tasks", "django_tasks"):
        if find_spec(name.partition(".")[0]) is None:
            continue
        try:
            return import_module(name).task(**places)
        except ModuleNotFoundError:
            continue
    raise ImproperlyConfigured(
        "POSTSTACK['OUTBOX']['TASKS'] needs Django 6.0, or the package django-tasks: pip install django-tasks"
    )


def _places() -> dict[str, Any]:
    outbox = get_settings().outbox
    return {"queue_name": outbox.task_queue, "backend": outbox.task_backend, "priority": outbox.task_priority}


def _send(pk: str) -> str:
    """Send one e-mail of the outbox, if it is still due; return its status.

    Whatever goes wrong is stored with the e-mail. It is tried again by another task, where the backend can defer one.
    """
    from poststack_django.models import SentEmail
    from poststack_django.outbox.claims import claim_one
    from poststack_django.outbox.delivering import deliver
    from poststack_django.settling import database

    row = claim_one(pk)
    if row is not None:
        deliver([row])
    email = SentEmail.objects.using(database()).filter(pk=pk).first()
    if email is None:
        return "gone"
    if email.next_attempt_at is not None and not email.claim:
        _enqueue(pk, email.next_attempt_at)
    return email.status


_send.__name__ = _send.__qualname__ = "send_stored_email"
# Task backends find it by this name again.
send_stored_email: Any = _task(**_places())(_send)


def enqueue(keys: Sequence[int]) -> None:
    """Enqueue a task for each row. What cannot be enqueued stays in the outbox, and is logged."""
    for pk in keys:
        _enqueue(str(pk), None)


def _enqueue(pk: str, run_after: datetime | None) -> None:
    try:
        own = send_stored_email.using(**_places())
        if run_after is not None:
            if not own.get_backend().supports_defer:
                return
            own = own.using(run_after=run_after)
        own.enqueue(pk)
    except Exception as error:  # a broker that is down; the outbox still has the e-mail
        logger.warning("An e-mail of the outbox was not enqueued as a task: %s.", type(error).__name__, exc_info=error)
