"""Settings of Celery that lose e-mail, as the table in `docs/tasks.md` says. Should one become safe, that is news.

Each test ends with a job that is done by the same queue, so what is missing then does not come later.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.with_tasks.kills.choosing import only_exhaustively
from tests.with_tasks.stand.celery_stand import CeleryStand
from tests.with_tasks.stand.holding import HELD_FOR
from tests.with_tasks.stand.processes import Process, wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow, only_exhaustively]

Stands = Callable[..., CeleryStand]


def held_before_acceptance(stand: CeleryStand) -> tuple[str, Process]:
    """Return a job whose call has begun and never reaches the API, and the worker that does it."""
    job = stand.new_id()
    held = stand.api.hold(stand.key(job), seconds=HELD_FOR, accepted=False)
    worker = stand.start_worker(concurrency=1)
    stand.enqueue(job)
    stand.api.wait_until_hit(held)
    return job, worker


def sent_after(stand: CeleryStand, job: str) -> bool:
    """Return whether a job was sent when everything else is done."""
    last = stand.enqueue()
    stand.wait_until_done([last])
    stand.wait_until_quiet()
    sent = {mail.to for mail in stand.api.mails()}
    assert f"{last}@example.com" in sent
    return f"{job}@example.com" in sent


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq-quorum"])
def test_a_job_that_is_acknowledged_early_is_lost_with_its_worker(kind: str, celery_stands: Stands) -> None:
    stand = celery_stands(kind, task_annotations={"*": {"acks_late": False}})
    job, worker = held_before_acceptance(stand)
    worker.kill_all()
    stand.start_worker()

    assert not sent_after(stand, job)
    assert stand.state(job) == "PENDING"


def test_a_job_that_is_not_rejected_on_worker_lost_is_lost_with_its_process_before_celery_57(
    celery_stands: Stands,
) -> None:
    # From then on `retry_on_worker_lost` saves it, which the tasks set as well.
    safe: bool = import_module("celery").VERSION[:2] >= (5, 7)
    stand = celery_stands("rabbitmq-quorum", task_annotations={"*": {"reject_on_worker_lost": False}})
    job, worker = held_before_acceptance(stand)
    worker.kill_children()

    assert sent_after(stand, job) == safe
    assert stand.state(job) == ("SUCCESS" if safe else "FAILURE")


def test_a_job_from_files_is_lost_with_its_worker(celery_stands: Stands) -> None:
    stand = celery_stands("files")
    job, worker = held_before_acceptance(stand)
    worker.kill_all()
    stand.start_worker()

    assert not sent_after(stand, job)


def test_jobs_in_memory_only_are_lost_with_the_server(celery_stands: Stands) -> None:
    stand = celery_stands("valkey-in-memory")
    job = stand.enqueue()
    broker: Any = stand.broker
    broker.kill()
    broker.start()
    stand.start_worker()

    assert not sent_after(stand, job)


def test_a_job_for_which_no_worker_has_time_may_have_a_second_copy_and_is_sent_once(celery_stands: Stands) -> None:
    stand = celery_stands("valkey")
    first = stand.new_id()
    # Longer than twice the visibility timeout, when what waits is taken for lost.
    held = stand.api.hold(stand.key(first), seconds=3 * HELD_FOR, accepted=True)
    worker = stand.start_worker(concurrency=1)
    stand.enqueue(first)
    stand.api.wait_until_hit(held)
    second = stand.enqueue()
    broker: Any = stand.broker
    wait_until(lambda: broker.client.llen("mail") == 2, "there is a second copy")
    worker.kill_all()

    stand.start_worker()
    stand.wait_until_done([first, second])
    stand.wait_until_quiet()
    assert sorted(mail.to for mail in stand.api.mails()) == sorted(f"{job}@example.com" for job in (first, second))


def test_a_job_that_waits_longer_than_the_visibility_timeout_runs_often_and_is_sent_once(
    celery_stands: Stands,
) -> None:
    stand = celery_stands("valkey")
    workers = [stand.start_worker(concurrency=1) for _ in range(2)]
    for worker in workers:
        worker.wait_for(" ready.")
    job = stand.enqueue(countdown=8)  # The visibility timeout of the stand is 3 s.
    stand.wait_until_done([job])
    stand.wait_until_quiet()

    received = sum(worker.written().count(f"[{job}] received") for worker in workers)
    assert received > 1
    wait_until(lambda: stand.api.requests == received, "each of them has asked the API")
    assert [mail.to for mail in stand.api.mails()] == [f"{job}@example.com"]
