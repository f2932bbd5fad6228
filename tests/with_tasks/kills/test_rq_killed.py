"""RQ's workers killed at each point: every e-mail is sent once, whatever dies when, with every class of worker.

The four points are met by four workers, which are then killed: the processes that do the jobs, the workers, or both. A
fifth one, which has the scheduler, is busy meanwhile, and lives on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import version

import pytest

from tests.with_tasks.kills.choosing import exhaustive, only_exhaustively
from tests.with_tasks.kills.expectations import each_sent_once
from tests.with_tasks.stand.holding import ANSWERED, HELD_FOR, PUT_OFF, RETRIED, hold, wait_until_held
from tests.with_tasks.stand.processes import Process, wait_until
from tests.with_tasks.stand.rq_stand import RqStand

pytestmark = [pytest.mark.services, pytest.mark.slow]

RQ = tuple(int(part) for part in version("rq").split(".")[:2])
Stands = Callable[[], RqStand]


def hold_at_each_point(stand: RqStand) -> dict[str, str]:
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


def kill_children(workers: Sequence[Process]) -> None:
    for worker in workers:
        # RQ's scheduler is a child, too; the one that does a job leads a group of its own.
        [horse] = [pid for pid in worker.children() if os.getpgid(pid) == pid]
        worker.kill_one(horse)


def kill_worker(workers: Sequence[Process]) -> None:
    for worker in workers:
        worker.kill()


def kill_group(workers: Sequence[Process]) -> None:
    for worker in workers:
        worker.kill_all()


@pytest.mark.parametrize(
    ("kind", "kill"),
    [
        exhaustive("ForkingWorker", kill_children),
        exhaustive("ForkingWorker", kill_worker),
        ("ForkingWorker", kill_group),
        exhaustive("AloneWorker", kill_worker),
        exhaustive("SpawningWorker", kill_children),
        exhaustive("SpawningWorker", kill_group),
    ],
)
def test_a_kill_at_each_point_neither_loses_nor_doubles_an_email(
    kind: str, kill: Callable[[Sequence[Process]], None], rq_stands: Stands
) -> None:
    stand = rq_stands()
    stand.start_worker(kind)
    jobs = {"elsewhere": stand.new_id()}
    busy = stand.api.hold(stand.key(jobs["elsewhere"]), seconds=HELD_FOR, accepted=True)
    stand.enqueue(jobs["elsewhere"])
    stand.api.wait_until_hit(busy)
    workers = [stand.start_worker(kind, scheduler=False) for _ in range(4)]

    jobs |= hold_at_each_point(stand)
    jobs |= {f"waiting {number}": stand.enqueue() for number in range(3)}
    kill(workers)
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert {name: states[job] for name, job in jobs.items()} == dict.fromkeys(jobs, "finished")
    assert {name: stand.state(job) for name, job in jobs.items()} == dict.fromkeys(jobs, "finished")
    each_sent_once(stand, jobs)


@pytest.mark.skipif(RQ < (2, 8), reason="until 2.7, RQ put a job off in one step")
def test_a_worker_that_is_killed_while_it_puts_a_job_off_loses_nothing(rq_stands: Stands) -> None:
    stand = rq_stands()
    job = stand.new_id()
    stand.api.fail(status=503, idempotency_key=stand.key(job), times=1)
    hold(stand.holds, job, PUT_OFF)
    # Its scheduler lives on, and it has no time for the job.
    stand.start_worker()
    elsewhere = stand.new_id()
    busy = stand.api.hold(stand.key(elsewhere), seconds=HELD_FOR, accepted=True)
    stand.enqueue(elsewhere)
    stand.api.wait_until_hit(busy)
    worker = stand.start_worker(scheduler=False)
    stand.enqueue(job)
    wait_until_held(stand.holds, job, PUT_OFF)
    worker.kill_all()

    assert stand.wait_until_done([job]) == {job: "finished"}
    stand.wait_until_quiet()
    each_sent_once(stand, {"job": job, "elsewhere": elsewhere})


@only_exhaustively
def test_what_fails_is_tried_again_and_what_is_refused_is_kept(rq_stands: Stands) -> None:
    stand = rq_stands()
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
        stand.enqueue(job, job_timeout=2)
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet(kept=1)

    assert {name: states[job] for name, job in jobs.items()} == {**dict.fromkeys(jobs, "finished"), "refused": "failed"}
    del jobs["refused"]
    each_sent_once(stand, jobs, besides="warm@example.com")


@only_exhaustively
def test_a_job_that_is_taken_for_abandoned_while_it_is_done_is_sent_once(rq_stands: Stands) -> None:
    stand = rq_stands()
    job = stand.new_id()
    held = stand.api.hold(stand.key(job), seconds=2 * HELD_FOR, accepted=True)
    # It says that it lives before and after a job, and not in between.
    stand.start_worker("AloneWorker")
    stand.enqueue(job, job_timeout=60)
    stand.api.wait_until_hit(held)

    other = stand.start_worker("AloneWorker")
    wait_until(lambda: job in other.written(), "the other worker has the job, too")
    wait_until(lambda: stand.api.requests == 2, "both workers have asked the API")
    stand.wait_until_done([job])
    stand.wait_until_quiet()

    assert stand.state(job) == "finished"
    each_sent_once(stand, {"job": job})


@only_exhaustively
def test_a_client_that_was_used_before_the_fork_serves_all_children(rq_stands: Stands) -> None:
    stand = rq_stands()
    jobs = {str(number): stand.enqueue() for number in range(20)}

    for _ in range(2):
        stand.start_worker(warm="warm@example.com")
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"finished"}
    # The second worker's e-mail has a key of its own, as the client gives one to each call.
    assert stand.api.requests == 2 + len(jobs)
    each_sent_once(stand, jobs, besides="warm@example.com")


@only_exhaustively
def test_a_redis_that_is_killed_and_comes_back_loses_nothing(rq_stands: Stands) -> None:
    stand = rq_stands()
    stand.start_worker()
    stand.start_worker(scheduler=False)
    jobs = {"accepted": stand.new_id(), "not accepted": stand.new_id()}
    held = [stand.api.hold(stand.key(job), seconds=HELD_FOR, accepted=name == "accepted") for name, job in jobs.items()]
    for job in jobs.values():
        stand.enqueue(job)
    stand.api.wait_until_hit(*held)
    jobs |= {f"waiting {number}": stand.enqueue() for number in range(5)}

    stand.broker.kill()
    stand.broker.start()
    states = stand.wait_until_done(list(jobs.values()))
    stand.wait_until_quiet()

    assert set(states.values()) == {"finished"}
    each_sent_once(stand, jobs)
