"""Celery workers in trouble that kills nobody: an API that fails, limits, jobs handed out twice, brokers restarted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.with_tasks.kills.choosing import exhaustive, only_exhaustively
from tests.with_tasks.kills.expectations import each_sent_once
from tests.with_tasks.stand.celery_stand import CeleryStand
from tests.with_tasks.stand.holding import ANSWERED, HELD_FOR, hold, wait_until_held
from tests.with_tasks.stand.processes import wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., CeleryStand]
BROKERS = ["valkey", exhaustive("rabbitmq-classic"), exhaustive("rabbitmq-quorum")]


@pytest.mark.parametrize("broker", BROKERS)
def test_what_fails_is_tried_again_and_what_is_refused_is_kept(broker: str, celery_stands: Stands) -> None:
    stand = celery_stands(broker, task_soft_time_limit=2, task_annotations={"*": {"soft_time_limit": 2}})
    stand.start_worker(warm="warm@example.com")
    names = ("answer lost", "answer lost twice", "503", "429", "reset", "time limit", "refused", "fine")
    jobs = {name: stand.new_id() for name in names}
    for name, times, fault in (
        ("answer lost", 1, {"lost_answer": True}),
        ("answer lost twice", 2, {"lost_answer": True}),
        ("503", 2, {"status": 503, "retry_after": 1}),
        ("429", 1, {"status": 429, "retry_after": 0.5}),
        ("reset", 1, {"reset": True}),
        ("time limit", 1, {"delay": HELD_FOR}),
        ("refused", None, {"status": 403}),
    ):
        stand.api.fail(idempotency_key=stand.key(jobs[name]), times=times, **fault)

    for job in jobs.values():
        stand.enqueue(job)
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet(kept=1)

    assert {name: states[job] for name, job in jobs.items()} == {**dict.fromkeys(jobs, "SUCCESS"), "refused": "FAILURE"}
    del jobs["refused"]
    each_sent_once(stand, jobs, besides="warm@example.com")


def test_a_job_that_the_broker_hands_out_twice_at_once_is_sent_once(celery_stands: Stands) -> None:
    stand = celery_stands("valkey")
    jobs = {"accepted": stand.new_id(), "not accepted": stand.new_id()}
    held = [stand.api.hold(stand.key(job), seconds=HELD_FOR, accepted=name == "accepted") for name, job in jobs.items()]
    # Both are ready before the first job: starting one can take longer than a job is held.
    workers = [stand.start_worker(concurrency=2) for _ in range(2)]
    for worker in workers:
        worker.wait_for(" ready.")
    for job in jobs.values():
        stand.enqueue(job)
    stand.api.wait_until_hit(*held)

    # While the answers are waited for, which takes longer than the visibility timeout.
    def handed_out(job: str) -> int:
        return sum(worker.written().count(f"Task poststack.send_email[{job}] received") for worker in workers)

    wait_until(lambda: all(handed_out(job) > 1 for job in jobs.values()), "both jobs are handed out again")
    states = stand.wait_until_done(list(jobs.values()))
    wait_until(lambda: stand.api.requests >= 2 * len(jobs), "the API was asked twice for each")
    stand.wait_until_quiet()

    assert set(states.values()) == {"SUCCESS"}
    assert {stand.state(job) for job in jobs.values()} == {"SUCCESS"}
    each_sent_once(stand, jobs)


@only_exhaustively
def test_a_client_that_was_used_before_the_fork_serves_all_children(celery_stands: Stands) -> None:
    stand = celery_stands("valkey")
    jobs = {str(number): stand.enqueue() for number in range(60)}

    stand.start_worker(warm="warm@example.com")
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"SUCCESS"}
    # One for each: had two children shared a connection, calls would have failed and been repeated.
    assert stand.api.requests == 1 + len(jobs)
    each_sent_once(stand, jobs, besides="warm@example.com")


@pytest.mark.parametrize("pool", [exhaustive("threads"), exhaustive("solo")])
def test_a_worker_that_does_not_fork_is_killed_between_answer_and_acknowledgement(
    pool: str, celery_stands: Stands
) -> None:
    stand = celery_stands("valkey")
    worker = stand.start_worker(pool=pool)
    jobs = {"answered": stand.new_id()}
    hold(stand.holds, jobs["answered"], ANSWERED)
    stand.enqueue(jobs["answered"])
    wait_until_held(stand.holds, jobs["answered"], ANSWERED)
    jobs |= {f"waiting {number}": stand.enqueue() for number in range(3)}

    worker.kill_all()
    stand.start_worker(pool=pool)
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"SUCCESS"}
    each_sent_once(stand, jobs)


@pytest.mark.parametrize("broker", [exhaustive("valkey"), exhaustive("rabbitmq-node")])
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(broker: str, celery_stands: Stands) -> None:
    stand = celery_stands(broker)
    stand.start_worker(concurrency=2)
    jobs = {"accepted": stand.new_id(), "not accepted": stand.new_id()}
    held = [stand.api.hold(stand.key(job), seconds=HELD_FOR, accepted=name == "accepted") for name, job in jobs.items()]
    for job in jobs.values():
        stand.enqueue(job)
    stand.api.wait_until_hit(*held)
    jobs |= {f"waiting {number}": stand.enqueue() for number in range(5)}

    restarted: Any = stand.broker
    restarted.kill()
    restarted.start()
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"SUCCESS"}
    each_sent_once(stand, jobs)
