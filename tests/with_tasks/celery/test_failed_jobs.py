"""`poststack tasks failed`, `retry` and `drop` for Celery, on real brokers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack.cli import main
from tests.patience import PATIENCE
from tests.services import is_missing
from tests.with_tasks.celery.project import BROKER, QUEUE, made
from tests.with_tasks.rq.stand import ROOT, Api, Process, wait_until

EMAIL = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "The text"}
RABBITMQ = os.environ.get("POSTSTACK_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


class Project:
    """A Celery application, its worker, and the command."""

    def __init__(self, broker: str, api: Api, folder: Path) -> None:
        self.queue = f"mail-{uuid.uuid4().hex[:12]}"
        self.app = made(broker, self.queue)
        self.task: Any = import_module("poststack_tasks.celery").send_email
        self.environment = {
            **{BROKER: broker, QUEUE: self.queue},
            **{"POSTSTACK_API_KEY": "sk_test_stand", "POSTSTACK_BASE_URL": api.url},
        }
        self._folder = folder
        self._workers: list[Process] = []

    def worker(self, queue: str | None = None) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "tests.with_tasks.celery.project:app", "worker", "-l", "INFO"]
        command += ["--pool", "prefork", "-c", "1", "-Q", queue or self.queue, "--without-mingle", "--without-gossip"]
        # RabbitMQ gives one worker of a name its mailbox, and tests run at once.
        command += ["-n", f"{uuid.uuid4().hex}@tests"]
        process = Process(command, self._folder / f"celery-{len(self._workers)}.log", self.environment)
        self._workers.append(process)
        wait_until(lambda: " ready." in process.written(), "the worker is ready")
        return process

    def enqueue(self, **options: Any) -> str:
        """Enqueue an e-mail by the application; return the job's id."""
        return str(self.app.tasks["poststack.send_email"].apply_async([EMAIL], **options).id)

    def tasks(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        command = [sys.executable, "-m", "poststack", "tasks", *arguments]
        return self.python(*command[1:], "--celery", "tests.with_tasks.celery.project:app")

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def failed(self) -> list[dict[str, Any]]:
        """Return what the command would list, without the time that its process takes."""
        with closing(import_module("poststack_tasks.celery.failed").CeleryFailedJobs(self.app)) as jobs:
            return [asdict(job) for job in jobs.all()]

    def delete(self, *queues: str) -> None:
        with self.app.connection_for_write() as connection:
            for name in queues:
                with closing(connection.channel()) as channel:
                    channel.queue_delete(name)
                    channel.exchange_delete(name)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self.delete(self.queue, f"{self.queue}.given_up", f"{self.queue}.other")
        self.app.close()


@pytest.fixture(scope="module")
def _api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))
    try:
        yield api
    finally:
        api.close()


@pytest.fixture
def api(_api: Api) -> Api:
    _api.clear()
    return _api


@pytest.fixture
def project(request: pytest.FixtureRequest, api: Api, tmp_path: Path) -> Iterator[Project]:
    if getattr(request, "param", "rabbitmq") == "redis":
        try:
            with redis_server(tmp_path) as url, working(url, api, tmp_path) as project:
                yield project
        except DemoError as error:
            is_missing(str(error))
        return
    connection: Any = import_module("kombu").Connection(RABBITMQ, connect_timeout=5)
    try:
        connection.connect()
    except Exception:
        is_missing("There is no RabbitMQ at 127.0.0.1:5672, or where POSTSTACK_TEST_RABBITMQ_URL says.")
    finally:
        connection.release()
    with working(RABBITMQ, api, tmp_path) as project:
        yield project


@contextmanager
def working(url: str, api: Api, folder: Path) -> Generator[Project]:
    project = Project(url, api, folder)
    try:
        yield project
    finally:
        project.close()


def given_up(project: Project, api: Api) -> str:
    """Have a job refused; return its id."""
    api.fail(status=403, times=1, path="/emails")
    job_id = project.enqueue()
    wait_until(lambda: [job["id"] for job in project.failed()] == [job_id], "the job is given up", every=0.3)
    return job_id


def keys(api: Api) -> list[str]:
    return [mail["payload"]["idempotency_key"] for mail in api.mails()]


@pytest.mark.parametrize("project", ["rabbitmq", "redis"], indirect=True)
def test_a_job_that_was_given_up_is_listed_and_sent_by_another_try(project: Project, api: Api) -> None:
    project.worker()
    job_id = given_up(project, api)
    listed = project.tasks("failed")
    assert job_id in listed.stdout
    assert "403" in listed.stdout
    assert "example.com" not in listed.stdout
    assert project.tasks("failed", "--queue", "another").stdout == "No job of the queue another was given up.\n"
    (job,) = json.loads(project.tasks("failed", "--json").stdout)
    assert [job] == project.failed()
    assert job["message"]
    assert "example.com" not in job["message"]
    done = project.tasks("retry", job_id)
    assert (done.returncode, done.stdout) == (0, "1 to be tried again, 0 not.\n"), done.stderr
    wait_until(api.mails, "it is sent")
    assert keys(api) == [f"celery-{job_id}"]
    assert project.failed() == []
    assert project.tasks("retry", job_id).returncode == 1


KILLED = """
import os, signal, kombu.message
from poststack.cli import main
kombu.message.Message.ack = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["tasks", "retry", "--all", "--celery", "tests.with_tasks.celery.project:app"])
"""


def test_who_is_killed_between_publishing_and_acknowledging_loses_and_doubles_nothing(
    project: Project, api: Api
) -> None:
    project.worker()
    job_id = given_up(project, api)
    assert project.python("-c", KILLED).returncode == -9
    wait_until(api.mails, "it is sent")
    (left,) = wait_until(project.failed, "the broker has taken it back")
    assert left["id"] == job_id
    assert project.tasks("retry", "--all").returncode == 0
    # It goes through the queue before another one does.
    second = project.enqueue()
    wait_until(lambda: f"celery-{second}" in keys(api), "another one is sent")
    assert sorted(keys(api)) == sorted([f"celery-{job_id}", f"celery-{second}"])


def test_a_job_whose_queue_is_gone_stays(project: Project, api: Api) -> None:
    other = f"{project.queue}.other"
    worker = project.worker(other)
    api.fail(status=403, times=1, path="/emails")
    job_id = project.enqueue(queue=other)
    wait_until(project.failed, "the job is given up", every=0.3)
    worker.close()
    project.delete(other)
    done = project.tasks("retry", job_id)
    assert done.returncode == 1
    assert other in done.stderr
    assert [job["id"] for job in project.failed()] == [job_id]


def test_a_job_that_has_expired_is_not_tried_again_but_may_be_dropped(project: Project, api: Api) -> None:
    project.worker()
    late = project.enqueue(kwargs={"expires": 0.001})
    wait_until(project.failed, "the job is given up", every=0.3)
    tried = project.tasks("retry", "--all")
    assert (tried.returncode, tried.stdout) == (1, "0 to be tried again, 1 not.\n")
    assert "expired" in tried.stderr
    dropped = project.tasks("drop", late[:8])
    assert (dropped.returncode, dropped.stdout) == (0, "1 dropped, 0 not.\n"), dropped.stderr
    assert project.failed() == []
    assert api.mails() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tests.with_tasks.celery.project:nope", "the module tests.with_tasks.celery.project has no nope."),
        ("tests.with_tasks.no_shop:app", "there is no module tests.with_tasks.no_shop."),
        ("no_shop", "there is no module no_shop."),
        (":app", "say MODULE:APP."),
        ("tests.with_tasks.celery.project:made", "tests.with_tasks.celery.project:made is no Celery application."),
        ("json", "the module json has no application, called `app` or `celery`."),
    ],
)
def test_an_application_that_is_not_there_is_named(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "failed", "--celery", name]) == 2
    assert capsys.readouterr().err == f"poststack: --celery: {said}\n"


@pytest.mark.parametrize("project", ["rabbitmq", "redis"], indirect=True)
def test_what_somebody_else_put_there_stays_whatever_it_is(project: Project, api: Api) -> None:
    project.worker()
    job_id = given_up(project, api)
    name = f"{project.queue}.given_up"
    in_redis = project.app.conf.broker_url.startswith("redis")
    no_messages = [b"no JSON", b'"no message"', b'{"properties": {"delivery_tag": "1"}}'] if in_redis else []
    with project.app.connection_for_write() as connection, closing(connection.channel()) as channel:
        producer: Any = import_module("kombu").Producer(channel)
        why = {"reason": "refused", "routing_key": project.queue}
        no_gzip = {"id": "no gzip", "poststack_given_up": why, "compression": "application/x-gzip"}
        producer.publish(b"no gzip", routing_key=name, exchange=name, headers=no_gzip)
        # As earlier versions have left it.
        old = {"id": "old", "task": "poststack.send_email", "poststack_given_up": why}
        producer.publish([[EMAIL], {}, {}], routing_key=name, exchange=name, headers=old)
        for foreign in no_messages:
            channel.client.rpush(name, foreign)
    for _ in range(2):
        listed = project.tasks("failed", "--json")
        assert listed.returncode == 0, listed.stderr
        told = {job["id"]: bool(job["message"]) for job in json.loads(listed.stdout)}
        assert told == {"old": False, job_id: True}
    assert project.tasks("retry", job_id).returncode == 0
    with project.app.connection_for_write() as connection, closing(connection.channel()) as channel:

        def count() -> int:
            return int(channel.queue_declare(name, passive=True).message_count)

        wait_until(lambda: count() == 2 + len(no_messages), "they are back")
