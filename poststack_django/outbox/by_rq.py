"""The outbox as jobs of RQ: each e-mail is one, enqueued when its transaction has committed.

Switched on by `POSTSTACK = {"OUTBOX": {"TASKS": "rq"}}`. The queue is the one of django-rq's that `TASK_QUEUE` names,
`"default"` if it names none; or what `TASK_QUEUE` says as a function, or as a dotted path.

Imports RQ: it is imported where that is in use, and by its workers.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

import django
from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from rq import Queue, Retry

from poststack_django.outbox.one import enqueue_each, seconds_until, send_one
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["enqueue", "queue", "send_stored_email"]

logger = logging.getLogger("poststack.django")

AFTER_A_CRASH: Final = 10
"""How often RQ runs a job again whose process was killed. At once: waiting needs a scheduler, which may be dead."""
RESULT_TTL: Final = 60
"""Seconds for which RQ keeps a job that is done: what became of it is on its row. Not 0: told to delete at once a job
that a killed worker had begun, RQ finds no trace of that, takes the job for failed, and runs it again ten times."""
_ENDLESS: Final = 1_000_000  # The outbox ends retries by time, not by number.
_OVER_THE_DEADLINE: Final = 30
"""Seconds of a job's time limit beyond the client's deadline."""
_WITHOUT_DEADLINE: Final = 180


def send_stored_email(pk: str) -> Any:
    """Send one e-mail of the outbox, if it is due; return its status, or a `Retry` for when it will be."""
    if not apps.ready:  # RQ's own command knows nothing of Django.
        django.setup()
    moments: list[datetime] = []
    try:
        status = send_one(pk, moments.append)
    except Exception as error:  # raised, RQ would run it again at once, and as often as it may
        logger.warning("A job of the outbox was interrupted by %s.", type(error).__name__, exc_info=error)
        status = "interrupted"
    if not moments:
        return status
    return Retry(max=_ENDLESS, interval=max(1, math.ceil(seconds_until(moments[-1]))))


def enqueue(keys: Sequence[int]) -> None:
    """Enqueue a job for each row. What cannot be enqueued stays in the outbox, and is logged."""
    deadline = get_settings().client.deadline
    options: dict[str, Any] = {
        "retry": Retry(max=AFTER_A_CRASH),
        "job_timeout": _WITHOUT_DEADLINE if deadline is None else math.ceil(deadline) + _OVER_THE_DEADLINE,
        "result_ttl": RESULT_TTL,
        "description": "poststack_django.send_stored_email",
    }
    # Its options are untyped.
    enqueue_each(keys, lambda pk: cast("Any", queue()).enqueue(send_stored_email, pk, **options))


def queue() -> Queue:
    """Return the queue that jobs go to. Raises `ImproperlyConfigured` when there is none."""
    wanted = get_settings().outbox.task_queue
    found = wanted() if callable(wanted) else _named(wanted or "default")
    if isinstance(found, Queue):
        return found
    raise ImproperlyConfigured(
        f"POSTSTACK['OUTBOX']['TASK_QUEUE'] is, or returns, an rq.Queue, not {type(found).__name__}."
    )


def _named(name: str) -> object:
    if find_spec("django_rq") is not None and name in cast(
        "Mapping[str, Any]", getattr(django_settings, "RQ_QUEUES", None) or {}
    ):
        made: object = import_module("django_rq").get_queue(name)
        return made
    if "." not in name:
        raise ImproperlyConfigured(
            f"There is no RQ queue {name!r}: name one of RQ_QUEUES of django-rq, or give POSTSTACK['OUTBOX'] a "
            "TASK_QUEUE that is a function which returns an rq.Queue, or the dotted path of one."
        )
    try:
        found: object = import_string(name)
    except ImportError as error:
        raise ImproperlyConfigured(f"POSTSTACK['OUTBOX']['TASK_QUEUE'] cannot be imported: {error}") from error
    return found() if callable(found) else found
