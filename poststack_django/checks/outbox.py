"""Whether the outbox has its table, its time, and the tasks it is to start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from poststack.mailbridge.configured import key_problem
from poststack_django.checks.mailers import Mailer, own_mailers, readable_settings
from poststack_django.settings import OutboxSettings, Settings

__all__ = ["check_outbox"]

SECONDS_OF_A_DAY: Final = 86_400
# Of Django's tasks: every backend refuses others.
PRIORITIES: Final = range(-100, 101)


def check_outbox(**_: Any) -> list[checks.CheckMessage]:
    """Check the outbox where a mailer uses it."""
    known = readable_settings()
    if known is None:
        return []
    mailers = [mailer for mailer in own_mailers() if mailer.uses_outbox]
    if not mailers:
        return []
    found = [*_table(known, mailers), *_times(known, mailers), *_keys(mailers)]
    if known.outbox.tasks:
        found += _tasks(known.outbox)
    return found


def _table(known: Settings, mailers: list[Mailer]) -> Iterator[checks.CheckMessage]:
    if apps.is_installed("poststack_django") and known.record:
        return
    for mailer in mailers:
        yield checks.Error(
            "The mailer uses the outbox, which is a table of the app poststack_django, and nothing is stored.",
            hint="Add 'poststack_django' to INSTALLED_APPS, run `manage.py migrate`, and do not set "
            "POSTSTACK['RECORD'] to False.",
            obj=mailer.name,
            id="poststack.E003",
        )


def _keys(mailers: list[Mailer]) -> Iterator[checks.CheckMessage]:
    for mailer in mailers:
        try:
            backend = mailer.make()
            client = backend.client_for(backend.configuration)
        except Exception:  # noqa: BLE001, S112  # another check says why there is none
            continue
        if (problem := key_problem(client)) is not None:
            yield checks.Error(
                f"The outbox sends nothing through this mailer: {problem}.",
                hint="Without a function of your own, name the PROVIDER: its keys are then kept in the database. In a "
                "function, give keys=poststack_django.provider_keys.DatabaseKeyStore().",
                obj=mailer.name,
                id="poststack.E008",
            )


def _times(known: Settings, mailers: list[Mailer]) -> Iterator[checks.CheckMessage]:
    for mailer in mailers:
        deadline: object = mailer.options.get("deadline", known.client.deadline)
        if not isinstance(deadline, (int, float)) or deadline >= known.outbox.lease:
            yield checks.Warning(
                "A call of the mailer may take longer than POSTSTACK['OUTBOX']['LEASE'], after which another drainer "
                "sends the same e-mails.",
                hint="Let DEADLINE, or the mailer's option 'deadline', be shorter than LEASE.",
                obj=mailer.name,
                id="poststack.W007",
            )
    days = known.retention_days
    if days is not None and days * SECONDS_OF_A_DAY < known.outbox.horizon:
        yield checks.Warning(
            "RETENTION_DAYS is shorter than POSTSTACK['OUTBOX']['HORIZON'], for which the outbox tries to send.",
            hint="Keep e-mails at least as long as they may wait.",
            id="poststack.W008",
        )


def _tasks(outbox: OutboxSettings) -> Iterator[checks.CheckMessage]:
    needed, install = _NEEDED[outbox.tasks or "django"]
    if not any(find_spec(name) for name in needed):
        yield checks.Error(
            f"POSTSTACK['OUTBOX'] has TASKS for {outbox.tasks!r}, and that is not installed.",
            hint=f"{install}, or run `manage.py poststack_outbox` without TASKS.",
            id="poststack.E005",
        )
        return
    problem = _PROBLEMS[outbox.tasks or "django"](outbox)
    if problem is not None:
        said, hint = problem
        yield checks.Error(f"The tasks of the outbox cannot be enqueued: {said}", hint=hint, id="poststack.E006")


def _problem_with_django(outbox: OutboxSettings) -> tuple[str, str] | None:
    said = _unknown_place(outbox)
    hint = "Compare TASK_BACKEND, TASK_QUEUE and TASK_PRIORITY in POSTSTACK['OUTBOX'] with the setting TASKS."
    return None if said is None else (said, hint)


def _problem_with_celery(outbox: OutboxSettings) -> tuple[str, str] | None:
    if outbox.task_queue is not None and not isinstance(outbox.task_queue, str):
        return "TASK_QUEUE is a function.", "For Celery it is the name of a queue."
    # What Celery makes when there is no application: it would ask a RabbitMQ on this machine.
    if import_module("celery").current_app.main == "default":
        return (
            "no Celery application is loaded in this process.",
            "Import the project's application where Django is set up, in the package of the settings: "
            "`from .celery import app as celery_app`.",
        )
    return None


def _problem_with_rq(outbox: OutboxSettings) -> tuple[str, str] | None:
    if outbox.task_priority:
        return "RQ has no priorities.", "Leave TASK_PRIORITY out; name a queue that workers look at first."
    if callable(outbox.task_queue):
        return None  # It may connect.
    try:
        import_module("poststack_django.outbox.by_rq").queue()
    except ImproperlyConfigured as error:
        return str(error), "TASK_QUEUE in POSTSTACK['OUTBOX'] says which queue."
    except Exception as error:  # noqa: BLE001  # the project's own function, or a setting that django-rq reports
        return f"its queue cannot be made ({type(error).__name__}).", "See TASK_QUEUE in POSTSTACK['OUTBOX']."
    return None


_NEEDED: Final = {
    "django": (("django.tasks", "django_tasks"), "Install django-tasks, or use Django 6.0 or newer"),
    "celery": (("celery",), 'Install it with `pip install "poststack[celery]"`'),
    "rq": (("rq",), 'Install it with `pip install "poststack[rq]"`, and perhaps django-rq'),
}
_PROBLEMS: Final = {"django": _problem_with_django, "celery": _problem_with_celery, "rq": _problem_with_rq}


def _unknown_place(outbox: OutboxSettings) -> str | None:
    declared: object = getattr(settings, "TASKS", None) or {"default": {}}
    given: object = (
        cast("Mapping[str, Any]", declared).get(outbox.task_backend) if isinstance(declared, Mapping) else None
    )
    if not isinstance(given, Mapping):
        return f"TASKS has no backend {outbox.task_backend!r}."
    backend = cast("Mapping[str, Any]", given)
    queue = "default" if outbox.task_queue is None else outbox.task_queue
    if not isinstance(queue, str):
        return "TASK_QUEUE is a function, and for Django Tasks it is the name of a queue."
    queues: Any = backend.get("QUEUES", ["default"])
    if queues and queue not in queues:
        return f"the backend {outbox.task_backend!r} has no queue {queue!r}."
    if outbox.task_priority not in PRIORITIES:
        return f"a priority is from {PRIORITIES[0]} to {PRIORITIES[-1]}."
    if outbox.task_priority and not _takes_priorities(backend.get("BACKEND")):
        return f"the backend {outbox.task_backend!r} has no priorities."
    return None


def _takes_priorities(path: object) -> bool:
    try:
        return bool(getattr(import_string(path), "supports_priority", True)) if isinstance(path, str) else True
    except Exception:  # noqa: BLE001  # a backend that cannot be imported is reported by Django's own check
        return True
