"""Workers that are killed while they send through a provider that knows no idempotency keys: nothing is sent twice.

What the provider has accepted stays accepted. Whether it had is not known to the next worker, unless the first one had
heard it: then the job is done, and otherwise it is given up and kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

import pytest

from tests.providers.fakes.base import Fault
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.with_tasks.stand.celery_stand import CeleryStand
from tests.with_tasks.stand.holding import ANSWERED, HELD_FOR, hold, wait_until_held
from tests.with_tasks.stand.processes import wait_until
from tests.with_tasks.stand.rq_stand import RqStand

pytestmark = [pytest.mark.services, pytest.mark.slow]

REASON = "it may have been sent, and the provider cannot tell a repetition"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


def point_at(fake: FakeSendGrid, stand: CeleryStand | RqStand, redis_url: str) -> None:
    """Have the workers of a stand send through the fake, with their keys in this Redis."""
    options = {**fake.settings(), "keys": redis_url}
    stand.environment = {"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": json.dumps(options)}


def redis_beside(stand: CeleryStand) -> str:
    """Return the URL of a database of the stand's Redis that holds no jobs and no results."""
    return str(stand.app.conf.result_backend).rpartition("/")[0] + "/2"


def sent(fake: FakeSendGrid) -> list[str]:
    return sorted(one.to[0][1] for one in fake.delivered)


def die_with_two_jobs(fake: FakeSendGrid, stand: CeleryStand | RqStand) -> tuple[str, str]:
    """Kill workers with a job whose acceptance they heard, and one whose acceptance was on its way; return both."""
    heard, unheard = stand.new_id(), stand.new_id()
    hold(stand.holds, heard, ANSWERED)
    stand.enqueue(heard)
    wait_until_held(stand.holds, heard, ANSWERED)
    fake.faults.append(Fault(taken=True, stall=2 * HELD_FOR, reset=True))
    stand.enqueue(unheard)
    wait_until(lambda: len(fake.delivered) == 2, "both are accepted")
    for worker in stand.workers:
        worker.kill_all()
    return heard, unheard


@pytest.mark.parametrize("broker", ["valkey", "rabbitmq-quorum"])
def test_celery_sends_once_and_keeps_what_is_in_doubt(
    broker: str, fake: FakeSendGrid, celery_stands: Callable[..., CeleryStand]
) -> None:
    stand = celery_stands(broker)
    point_at(fake, stand, redis_beside(stand))
    stand.start_worker()
    heard, unheard = die_with_two_jobs(fake, stand)
    stand.start_worker()
    last = stand.enqueue()

    states = stand.wait_until_done([heard, unheard, last])
    stand.wait_until_quiet(kept=1)

    assert (states[heard], states[unheard], states[last]) == ("SUCCESS", "FAILURE", "SUCCESS")
    assert sent(fake) == sorted(f"{job}@example.com" for job in (heard, unheard, last))
    error = stand.app.backend.get_result(unheard)
    assert type(error).__name__ == "OutcomeUnknownError"
    assert stand.app.backend.get_result(heard)["replayed"] is True
    assert given_up_reasons(stand) == [REASON]


def given_up_reasons(stand: CeleryStand) -> list[str]:
    """Return why the jobs in the broker's queue for those are there."""
    headers = import_module("poststack_tasks.celery.headers")
    queue: Any = import_module("poststack_tasks.celery.giving_up").given_up_queue(
        import_module("poststack_tasks").current_settings(stand.app.conf)
    )
    with stand.app.connection_for_read() as connection:
        bound = queue(connection.default_channel)
        found: list[str] = []
        while (message := bound.get(no_ack=True)) is not None:
            found.append(message.headers[headers.GIVEN_UP]["reason"])
        return found


def test_rq_sends_once_and_keeps_what_is_in_doubt(fake: FakeSendGrid, rq_stands: Callable[[], RqStand]) -> None:
    stand = rq_stands()
    point_at(fake, stand, f"{stand.broker.url[:-1]}2")
    for _ in range(2):
        stand.start_worker(scheduler=False)
    heard, unheard = die_with_two_jobs(fake, stand)
    stand.start_worker()
    last = stand.enqueue()

    states = stand.wait_until_done([heard, unheard, last])
    stand.wait_until_quiet(kept=1)

    assert (states[heard], states[unheard], states[last]) == ("finished", "failed", "finished")
    assert sent(fake) == sorted(f"{job}@example.com" for job in (heard, unheard, last))
    rq_job: Any = import_module("rq.job").Job.fetch(unheard, connection=stand.broker.client)
    failure = rq_job.meta["poststack"]["failure"]
    assert (failure["error"], failure["reason"], failure["given_up"]) == ("OutcomeUnknownError", REASON, True)
