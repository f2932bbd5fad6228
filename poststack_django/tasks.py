"""The app's tasks, where queues look for them: those of Django, of the package `django-tasks`, and of Celery.

Switched on by `POSTSTACK = {"OUTBOX": {"TASKS": …}}`: `"django"` (or `True`), `"celery"` or `"rq"`. Then each e-mail of
the outbox is a task, enqueued when its transaction has committed. Run `manage.py poststack_outbox` now and then all the
same, or the Celery task `poststack_django.drain`: an e-mail whose task was lost, or was never enqueued because the
broker was down, is sent by that.

Celery's `autodiscover_tasks()` imports this in every project that has the app, so nothing may be missing here. With it
come the tasks of `poststack_tasks.celery`: a worker throws away jobs whose task it does not know.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from poststack_django.outbox.one import enqueue_each, send_one
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    send_stored_email: Any

__all__ = ["enqueue", "send_stored_email"]

logger = logging.getLogger("poststack.django")

if "celery" in sys.modules:
    import_module("poststack_tasks.celery")
    import_module("poststack_django.outbox.by_celery")


def enqueue(keys: Sequence[int]) -> None:
    """Enqueue a task for each row. What cannot be enqueued stays in the outbox, and is logged."""
    queue = get_settings().outbox.tasks
    if queue == "django":
        enqueue_each(keys, lambda pk: _django_task().using(**_places()).enqueue(pk))
    elif queue is not None:
        enqueuing: Any = None
        try:
            enqueuing = import_module(f"poststack_django.outbox.by_{queue}")
        except ImportError as error:  # The check poststack.E005 has said so.
            logger.warning("E-mails of the outbox were not enqueued as tasks.", exc_info=error)
        if enqueuing is not None:
            enqueuing.enqueue(keys)


def _send(pk: str) -> str:
    """Send one e-mail of the outbox, if it is still due; return its status.

    Whatever goes wrong is stored with the e-mail. It is tried again by another task, where the backend can defer one.
    """
    return send_one(pk, lambda moment: _enqueue_later(pk, moment))


_send.__name__ = _send.__qualname__ = "send_stored_email"


def _enqueue_later(pk: str, moment: datetime) -> None:
    task = _django_task().using(**_places())
    if task.get_backend().supports_defer:
        enqueue_each([int(pk)], lambda key: task.using(run_after=moment).enqueue(key))


def _django_task() -> Any:
    return sys.modules[__name__].send_stored_email


def _places() -> dict[str, Any]:
    outbox = get_settings().outbox
    return {"queue_name": outbox.task_queue or "default", "backend": outbox.task_backend,
            "priority": outbox.task_priority}  # fmt: skip


def _made_django_task() -> Any:
    """Return the task: Django's own from 6.0 on, else that of the package with the same API."""
    for name in ("django.tasks", "django_tasks"):
        if find_spec(name.partition(".")[0]) is None:
            continue
        try:
            return import_module(name).task(**_places())(_send)
        except ModuleNotFoundError:
            continue
    raise ImproperlyConfigured(
        "POSTSTACK['OUTBOX']['TASKS'] = 'django' needs Django 6.0, or the package django-tasks: pip install "
        "django-tasks. There are 'celery' and 'rq', too."
    )


# Made when it is first asked for, as task backends do by its path: that checks that queue, backend and priority exist.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name != "send_stored_email":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = made = _made_django_task()
        return made
