"""What the job does when PostStack does not take a letter at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rq import Queue
from rq.job import JobStatus

from example_projects.flask_signup import database, letters, tasks
from poststack import PostStackError

if TYPE_CHECKING:
    from flask import Flask

    from example_projects.flask_signup.letters import Letter
    from example_projects.flask_signup.tests.conftest import Work
    from poststack.testing import EmulatorSession


@pytest.fixture
def key(app: Flask) -> str:
    visitor = app.test_client()
    visitor.post("/", data={"name": "Ada", "email": "ada@example.com"})
    with app.app_context():
        (key,) = letters.unsent(database.get())
    return key


def stored(app: Flask, key: str) -> Letter:
    with app.app_context():
        letter = letters.find(database.get(), key)
    assert letter is not None
    return letter


def status(app: Flask, key: str) -> JobStatus | None:
    queue: Queue = app.extensions["letters"]
    job = queue.fetch_job(key)
    assert job is not None
    return job.get_status()


def test_an_outage_is_waited_out_by_the_queue(
    app: Flask, key: str, work: Work, poststack_emulator: EmulatorSession
) -> None:
    poststack_emulator.fail(503, times=1, retry_after=120)
    work()

    queue: Queue = app.extensions["letters"]
    assert status(app, key) == JobStatus.SCHEDULED
    assert key in queue.scheduled_job_registry
    assert stored(app, key).state == "waiting"

    queue.enqueue_job(queue.fetch_job(key))  # type: ignore[arg-type]  # its time has come
    work()

    assert stored(app, key).email_id == poststack_emulator.sent[0].id


def test_a_refusal_is_final_until_somebody_requeues_it(
    app: Flask, key: str, work: Work, poststack_emulator: EmulatorSession
) -> None:
    poststack_emulator.fail(422)
    work()

    assert status(app, key) == JobStatus.FAILED
    assert stored(app, key).state == "given up"
    poststack_emulator.clear_faults()
    work()
    assert poststack_emulator.sent == []

    queue: Queue = app.extensions["letters"]
    queue.failed_job_registry.requeue(key)
    work()
    assert stored(app, key).email_id == poststack_emulator.sent[0].id


def test_running_it_again_sends_nothing_twice(
    app: Flask, key: str, work: Work, poststack_emulator: EmulatorSession
) -> None:
    work()
    with app.app_context():  # As if the worker had been killed before it stored the id.
        database.get().execute("UPDATE letter SET email_id = NULL")
    queue: Queue = app.extensions["letters"]
    queue.enqueue_job(queue.fetch_job(key))  # type: ignore[arg-type]
    work()

    (sent,) = poststack_emulator.sent
    assert stored(app, key).email_id == sent.id


def test_a_subscriber_who_has_left_gets_nothing(
    app: Flask, key: str, work: Work, poststack_emulator: EmulatorSession
) -> None:
    with app.app_context():
        database.get().execute("DELETE FROM subscriber")
    work()

    assert status(app, key) == JobStatus.FINISHED
    assert poststack_emulator.sent == []


def test_without_a_worker_a_failure_is_raised(
    app: Flask, key: str, work: Work, poststack_emulator: EmulatorSession
) -> None:
    poststack_emulator.fail(503)
    with pytest.raises(PostStackError):
        tasks.send_letter(key)

    assert stored(app, key).state == "waiting"
