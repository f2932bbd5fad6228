"""`send_email.delay_on_commit` in transactions of Django: it does what it does for every other task of Celery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.with_django.queues.stand import Stand, each_arrived_once
from tests.with_tasks.stand.brokers import Valkey

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., Stand]

COMMITTED: dict[str, tuple[int, list[Any]]] = {
    # How many jobs, how many rows of the project's own, what the caller was told, and which callbacks ran.
    "rolled back": (0, [0, "nothing", []]),
    "committed": (1, [1, "nothing", ["before", "after"]]),
    "inner": (1, [1, "nothing", ["before", "after"]]),
    "inner rolled back": (0, [1, "nothing", ["before", "after"]]),
    "no transaction": (1, [1, "nothing", []]),
}


def test_a_job_is_enqueued_when_its_transaction_commits_and_only_then(stands: Stands) -> None:
    # Celery by itself would look for the broker for seconds.
    stand = stands("celery", celery={"broker_transport_options": {"max_retries": 0}})
    broker = stand.broker
    assert isinstance(broker, Valkey)
    for case, (jobs, expected) in COMMITTED.items():
        for task in ("plain", "ours"):
            before = stand.jobs()
            assert [task, case, *stand.project("on_commit", task, case)] == [task, case, *expected]
            assert [task, case, stand.jobs() - before] == [task, case, jobs]

    # Before the commit, so that the transaction can still be rolled back.
    before = stand.jobs()
    assert stand.project("refused_before_the_commit") == [[True] * 8, [["undone False"]]]
    assert stand.jobs() == before

    # Celery's callbacks are not robust: what is stored stays, the caller is told, and later callbacks do not run.
    broker.kill()
    told = {task: stand.project("on_commit", task, "broker down") for task in ("plain", "ours")}
    broker.start()
    assert told["plain"] == told["ours"] == [1, "OperationalError", ["before"]]
    assert stand.jobs() == before

    sent = [case for case, (jobs, _) in COMMITTED.items() if jobs]
    stand.start_workers(1)
    stand.wait_until_final(*sent)
    stand.wait_until_quiet()
    each_arrived_once(stand, sent)
