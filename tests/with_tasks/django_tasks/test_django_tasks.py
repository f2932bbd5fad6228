"""Django Tasks: the database's backend with its worker in a process of its own, and the immediate backend."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import uuid
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.with_tasks.proving import EMAIL, Api, Worker, Workers, wait_for

pytestmark = [
    pytest.mark.skipif(
        find_spec("django") is None or find_spec("django_tasks_db") is None, reason="django-tasks-db is not installed."
    ),
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
    pytest.mark.slow,
    pytest.mark.programs_measured,
]

TABLE = "django_tasks_database_dbtaskresult"
SETUP = "import django, json; django.setup(); from poststack_tasks import django as mail; "


def environment(database: Path) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "tests.with_tasks.django_tasks.settings", "TASKS_DATABASE": str(database)}


class Project:
    """A Django project on a database of its own."""

    def __init__(self, workers: Workers, database: Path) -> None:
        self.workers = workers
        self.database = database
        workers.environment |= environment(database)

    def do(self, code: str) -> Any:
        """Run statements in a process of its own; return what the last expression says, as JSON."""
        *before, last = code.split("; ")
        return self.workers.run("-c", SETUP + "; ".join([*before, f"print(json.dumps({last}))"]))

    def enqueue(self, arguments: str = f"{EMAIL!r}", task: str = "send_email") -> str:
        return str(self.do(f"str(mail.{task}.enqueue({arguments}).id)"))

    def worker(self, *options: str, **environment: str) -> Worker:
        command = ["-m", "django", "db_worker", "--interval", "0.1", "--no-startup-delay", *options]
        return self.workers.start(*command, **environment)

    def tasks(self) -> list[dict[str, Any]]:
        """Return what is stored, without a Django, which takes a second to start each time somebody looks."""
        columns = "id, status, return_value, exception_class_path, traceback"
        with contextlib.closing(sqlite3.connect(self.database, timeout=60)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(f"SELECT {columns} FROM {TABLE} ORDER BY enqueued_at").fetchall()
        return [
            {**dict(row), "id": str(uuid.UUID(row["id"])), "return_value": json.loads(row["return_value"] or "null")}
            for row in rows
        ]

    def statuses(self) -> list[str]:
        return [task["status"] for task in self.tasks()]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    database = folder / "empty.sqlite3"
    Workers(folder, environment(database)).run("-m", "django", "migrate", "--verbosity", "0")
    return database


@pytest.fixture
def project(workers: Workers, tmp_path: Path, migrated: Path) -> Project:
    return Project(workers, Path(shutil.copy(migrated, tmp_path / "tasks.sqlite3")))


def test_a_task_is_enqueued_again_with_the_same_key_for_as_long_as_the_api_says(project: Project, api: Api) -> None:
    api.fail(status=503, retry_after=1, times=2)
    task_id = project.enqueue()
    worker = project.worker()

    wait_for("the e-mail", lambda: api.emails, worker)
    wait_for("three results", lambda: project.statuses() == ["SUCCESSFUL"] * 3, worker)

    tasks = project.tasks()
    assert tasks[0]["id"] == task_id
    assert tasks[0]["return_value"] == {"enqueued_again": tasks[1]["id"]}
    assert tasks[1]["return_value"] == {"enqueued_again": tasks[2]["id"]}
    assert tasks[2]["return_value"] == {"id": api.emails[0]["publicId"]}
    assert len(api.emails) == 1
    assert api.keys == {f"django-{task_id}"}
    assert all(later.at - earlier.at >= 1 for earlier, later in pairwise(api.attempts))


@pytest.mark.parametrize("point", ["before", "after"])
def test_what_a_killed_worker_left_is_enqueued_again_on_request(project: Project, api: Api, point: Any) -> None:
    held = api.hold(point)
    task_id = project.enqueue()
    first = project.worker()
    wait_for("the attempt", held.reached.is_set, first)
    first.kill()

    # The backend leaves it running for ever …
    second = project.worker("--batch")
    assert second.process.wait(PATIENCE) == 0
    assert project.statuses() == ["RUNNING"]
    assert len(api.attempts) == 1

    # … so somebody has to ask; not for what may still be running.
    assert project.do("mail.enqueue_abandoned()") == 0
    assert project.do("from datetime import timedelta; mail.enqueue_abandoned(timedelta(0))") == 1
    third = project.worker("--batch")
    assert third.process.wait(PATIENCE) == 0, third.log

    assert project.statuses() == ["SUCCESSFUL"]
    assert project.tasks()[0]["return_value"].get("replayed", False) is (point == "after")
    assert len(api.emails) == 1
    assert api.keys == {f"django-{task_id}"}


def test_a_refusal_fails_the_task_without_an_address(project: Project, api: Api) -> None:
    api.fail(status=422, error="ada@example.org is not wanted", code="unprocessable_entity")
    project.enqueue(f"{EMAIL!r}, idempotency_key='welcome/42'")
    worker = project.worker("--batch")
    assert worker.process.wait(PATIENCE) == 0

    [task] = project.tasks()
    assert task["status"] == "FAILED"
    assert task["exception_class_path"] == "poststack.errors.PostStackError"
    assert "[address] is not wanted" in task["traceback"]
    assert "example.org" not in task["traceback"] + worker.log
    assert [attempt.key for attempt in api.attempts] == ["welcome/42"]


def test_a_worker_with_wrong_settings_is_mended_by_a_deployment(project: Project, api: Api) -> None:
    task_id = project.enqueue()
    first = project.worker(TASKS_WRONG_TIMEOUT="five")
    wait_for("an attempt", lambda: "SUCCESSFUL" in project.statuses(), first)
    first.kill()

    assert "the settings of the worker are wrong: The setting `timeout` is a number" in first.log
    second = project.worker()
    wait_for("the e-mail", lambda: api.emails, second)
    assert api.keys == {f"django-{task_id}"}


def test_a_lost_answer_doubles_nothing(project: Project, api: Api) -> None:
    api.fail(lost_answer=True, times=1)
    project.enqueue(f"{[EMAIL, EMAIL]!r}, idempotency_key='news/1'", "send_batch")
    worker = project.worker()

    wait_for("two results", lambda: project.statuses() == ["SUCCESSFUL"] * 2, worker)

    assert [one["replayed"] for one in project.tasks()[1]["return_value"]] == [True, True]
    assert len(api.emails) == 2


def test_an_expired_task_is_not_sent(project: Project, api: Api) -> None:
    project.enqueue(f"{EMAIL!r}, expires=-1")
    assert project.worker("--batch").process.wait(PATIENCE) == 0

    [task] = project.tasks()
    assert task["exception_class_path"] == "poststack_tasks.errors.JobExpiredError"
    assert api.attempts == []


def test_what_could_not_be_sent_is_refused_when_it_is_enqueued(project: Project) -> None:
    program = """
import django, json; django.setup()
from poststack_tasks import JobError
from poststack_tasks.django import send_batch, send_email

email = json.loads('%s')
refused = []
for arguments in (
    [{**email, "to": []}], [{**email, "api_key": "x"}], [{**email, "text": b"x"}],
    [email, ""], [email, None, "soon"], [7],
):
    for task in (send_email, send_email.using(priority=5), send_batch.using(queue_name="mail")):
        try:
            task.enqueue([arguments[0]] if task.func is send_batch.func else arguments[0], *arguments[1:])
        except JobError:
            refused.append(task.name)
print(json.dumps(refused))
"""
    assert project.workers.run("-c", program % json.dumps(EMAIL)) == ["send_email", "send_email", "send_batch"] * 6
    assert project.tasks() == []


def test_a_task_may_be_enqueued_from_a_coroutine(project: Project, api: Api) -> None:
    program = f"import asyncio; str(asyncio.run(mail.send_email.aenqueue({EMAIL!r})).id)"
    task_id = project.do(program)
    assert project.worker("--batch").process.wait(PATIENCE) == 0

    assert api.keys == {f"django-{task_id}"}


def immediately(project: Project, task: str, argument: Any, before: str = "0") -> Any:
    project.workers.environment["TASKS_BACKEND"] = "immediate"
    seen = "seen = []; import poststack_tasks; poststack_tasks.on_outcome(seen.append)"
    return project.do(
        f"{before}; {seen}; result = mail.{task}.enqueue(json.loads({json.dumps(argument)!r})); "
        "[result.status, [error.exception_class_path for error in result.errors], "
        "result.return_value if result.status == 'SUCCESSFUL' else None, "
        "[[one.name, getattr(one.decision, 'reason', None)] for one in seen]]"
    )


def test_a_backend_that_cannot_defer_sends_at_once(project: Project, api: Api) -> None:
    status, errors, value, told = immediately(project, "send_email", EMAIL)

    assert (status, errors, told) == ("SUCCESSFUL", [], [["sent", None]])
    assert value == {"id": api.emails[0]["publicId"]}


def test_a_backend_that_cannot_defer_gives_up_and_says_so(project: Project, api: Api) -> None:
    api.fail(status=503, retry_after=1)

    status, errors, _, told = immediately(project, "send_email", EMAIL)

    assert status == "FAILED"
    assert errors == ["poststack.errors.PostStackError"]
    assert told == [["given_up", "status 503 at attempt 1, and the queue cannot try it again later"]]
    assert len(api.attempts) == 1


def test_an_event_is_handled_by_a_task(project: Project) -> None:
    event: dict[str, Any] = {"id": "ev_1", "type": "email.bounced", "timestamp": None, "email_id": "em_1", "data": {}}
    handler = "from poststack_tasks import on_event; on_event('email.bounced')(lambda event: None)"

    status, _, value, _ = immediately(project, "process_event", event, handler)

    assert (status, value) == ("SUCCESSFUL", {"event": "ev_1"})
