"""Celery workers killed at each point: every e-mail is sent once, whatever dies when, on every broker.

The four points are met by four jobs of one worker, which is then killed: its children, itself, or everything.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.with_tasks.kills.choosing import exhaustive
from tests.with_tasks.kills.expectations import each_sent_once
from tests.with_tasks.stand.celery_stand import CeleryStand
from tests.with_tasks.stand.holding import ANSWERED, HELD_FOR, RETRIED, TAKEN, hold, wait_until_held
from tests.with_tasks.stand.processes import Process

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., CeleryStand]


def hold_at_each_point(stand: CeleryStand) -> dict[str, str]:
    """Enqueue a job for each point at which a worker can die, and return when each of them is there."""
    jobs = {point: stand.new_id() for point in ("not accepted", "accepted, not answered", "answered", "retried")}
    held = [
        stand.api.hold(stand.key(jobs["not accepted"]), seconds=HELD_FOR, accepted=False),
        stand.api.hold(stand.key(jobs["accepted, not answered"]), seconds=HELD_FOR, accepted=True),
    ]
    hold(stand.holds, jobs["answered"], ANSWERED)
    hold(stand.holds, jobs["retried"], RETRIED)
    stand.api.fail(status=503, idempotency_key=stand.key(jobs["retried"]), times=1)
    for job in jobs.values():
        stand.enqueue(job)
    stand.api.wait_until_hit(*held)
    wait_until_held(stand.holds, jobs["answered"], ANSWERED)
    wait_until_held(stand.holds, jobs["retried"], RETRIED)
    return jobs


def others(stand: CeleryStand, when: str, count: int = 3) -> dict[str, str]:
    return {f"another {number} {when}": stand.enqueue() for number in range(count)}


def kill_children(stand: CeleryStand, worker: Process) -> None:
    assert len(worker.kill_children()) == 4


def kill_worker(stand: CeleryStand, worker: Process) -> None:
    worker.kill()
    stand.start_worker()


def kill_group(stand: CeleryStand, worker: Process) -> None:
    worker.kill_all()
    stand.start_worker()


@pytest.mark.parametrize(
    ("broker", "kill"),
    [
        exhaustive("valkey", kill_children),
        exhaustive("valkey", kill_worker),
        ("valkey", kill_group),
        exhaustive("rabbitmq-classic", kill_children),
        exhaustive("rabbitmq-classic", kill_worker),
        exhaustive("rabbitmq-classic", kill_group),
        ("rabbitmq-quorum", kill_children),
        exhaustive("rabbitmq-quorum", kill_worker),
        exhaustive("rabbitmq-quorum", kill_group),
    ],
)
def test_a_kill_at_each_point_neither_loses_nor_doubles_an_email(
    broker: str, kill: Callable[[CeleryStand, Process], None], celery_stands: Stands
) -> None:
    stand = celery_stands(broker)
    worker = stand.start_worker()
    before = others(stand, "before")
    stand.wait_until_done(list(before.values()))

    jobs = {**before, **hold_at_each_point(stand)}
    jobs |= others(stand, "waiting")
    kill(stand, worker)
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert {name: states[job] for name, job in jobs.items()} == dict.fromkeys(jobs, "SUCCESS")
    each_sent_once(stand, jobs)


def test_a_worker_that_is_killed_between_taking_a_job_and_noting_that_it_has_loses_nothing(
    celery_stands: Stands,
) -> None:
    stand = celery_stands("valkey")
    jobs = {name: stand.new_id() for name in ("alone", "in a group")}
    for name, job in jobs.items():
        hold(stand.holds, job, TAKEN)
        worker = stand.start_worker(concurrency=1)
        if name == "alone":
            stand.enqueue(job)
        else:
            stand.enqueue_in_group(job)
        wait_until_held(stand.holds, job, TAKEN)
        worker.kill_all()

    stand.start_worker()
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"SUCCESS"}
    each_sent_once(stand, jobs)
