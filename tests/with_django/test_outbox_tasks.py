"""The outbox as Django Tasks: enqueued at the commit, run by whatever backend the project has."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import django
import pytest
from django.db import transaction
from django.utils import timezone

from poststack_django.backends import OutboxEmailBackend
from poststack_django.models import SentEmail
from poststack_django.outbox import drain
from poststack_django.status import Status
from tests.with_django.api import RecordingApi
from tests.with_django.messages import message

HAS_OWN = django.VERSION >= (6, 0)
PACKAGE = "django.tasks" if HAS_OWN else "django_tasks"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not HAS_OWN and find_spec(PACKAGE) is None, reason="django-tasks is not installed"),
]


@pytest.fixture
def tasks(settings: Any, api: RecordingApi) -> Iterator[Any]:
    """The module, imported under settings that switch tasks on, with a backend that only remembers."""
    settings.TASKS = {"default": {"BACKEND": f"{PACKAGE}.backends.dummy.DummyBackend", "QUEUES": ["mail"]}}
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"TASKS": True, "TASK_QUEUE": "mail"}}
    module = importlib.import_module("poststack_django.tasks")
    yield module
    import sys

    sys.modules.pop("poststack_django.tasks", None)


def enqueued() -> list[Any]:
    backends = importlib.import_module(PACKAGE).task_backends
    return list(backends["default"].results)


def test_a_task_is_enqueued_when_the_transaction_commits(tasks: Any) -> None:
    with transaction.atomic():
        OutboxEmailBackend().send_messages([message()])
        assert enqueued() == []

    (result,) = enqueued()
    row = SentEmail.objects.get()
    assert (list(result.args), result.task.queue_name) == ([str(row.pk)], "mail")


def test_a_rollback_enqueues_nothing(tasks: Any) -> None:
    with transaction.atomic():
        OutboxEmailBackend().send_messages([message()])
        transaction.set_rollback(True)

    assert enqueued() == []


def test_the_task_sends_the_email_once(tasks: Any, api: RecordingApi) -> None:
    OutboxEmailBackend().send_messages([message()])
    row = SentEmail.objects.get()

    assert tasks.send_stored_email.func(str(row.pk)) == "queued"
    assert tasks.send_stored_email.func(str(row.pk)) == "queued"
    assert drain().total == 0
    assert len(api.payloads) == 1


def test_a_failure_is_put_off_and_left_to_the_sweep_where_tasks_cannot_be_deferred(
    tasks: Any, api: RecordingApi, settings: Any
) -> None:
    settings.TASKS = {"default": {"BACKEND": f"{PACKAGE}.backends.immediate.ImmediateBackend", "QUEUES": ["mail"]}}
    api.will_answer(503, {"error": "Down"})
    with transaction.atomic():
        OutboxEmailBackend().send_messages([message()])

    row = SentEmail.objects.get()
    assert (row.status, row.attempts) == (Status.WAITING, 1)
    SentEmail.objects.update(next_attempt_at=timezone.now())
    assert drain().sent == 1


def test_a_failure_is_tried_again_by_a_task_for_later_where_that_is_possible(tasks: Any, api: RecordingApi) -> None:
    OutboxEmailBackend().send_messages([message()])
    row = SentEmail.objects.get()
    api.will_answer(503, {"error": "Down"})
    tasks.send_stored_email.func(str(row.pk))

    row.refresh_from_db()
    later = [result.task.run_after for result in enqueued() if result.task.run_after is not None]
    assert later == [row.next_attempt_at]


def test_an_email_that_is_gone_is_no_error(tasks: Any) -> None:
    assert tasks.send_stored_email.func("12345") == "gone"


def test_one_that_is_not_due_yet_is_left_alone(tasks: Any, api: RecordingApi) -> None:
    OutboxEmailBackend().send_messages([message()])
    SentEmail.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))

    assert tasks.send_stored_email.func(str(SentEmail.objects.get().pk)) == "waiting"
    assert api.payloads == []


def test_a_broker_that_is_down_loses_nothing(
    tasks: Any, api: RecordingApi, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"TASKS": True, "TASK_QUEUE": "no such queue"}}
    OutboxEmailBackend().send_messages([message()])

    assert "not enqueued as tasks" in caplog.text
    assert "Traceback" not in caplog.text, "that would be in the log with every e-mail until the broker is back"
    assert drain().sent == 1
