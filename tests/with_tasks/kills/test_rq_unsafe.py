"""What RQ does with jobs that were enqueued without `poststack_tasks.rq.enqueue`, as `docs/tasks.md` says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from poststack_tasks.rq import send_email
from tests.with_tasks.kills.choosing import only_exhaustively
from tests.with_tasks.stand.celery_stand import email_to
from tests.with_tasks.stand.holding import HELD_FOR
from tests.with_tasks.stand.rq_stand import RqStand

pytestmark = [pytest.mark.services, pytest.mark.slow, only_exhaustively]


@pytest.mark.parametrize(("whole", "state", "mails"), [(False, "failed", 0), (True, "finished", 1)])
def test_a_plain_job_whose_process_is_killed_fails_and_one_whose_worker_is_killed_runs_again(
    whole: bool, state: str, mails: int, rq_stands: Callable[[], RqStand]
) -> None:
    stand = rq_stands()
    job = stand.new_id()
    held = stand.api.hold(stand.key(job), seconds=HELD_FOR, accepted=False)
    worker = stand.start_worker(scheduler=False)
    stand.queue.enqueue(send_email, email_to(job), job_id=job)
    stand.api.wait_until_hit(held)
    if whole:
        worker.kill_all()
        stand.start_worker()
    else:
        worker.kill_children()

    assert stand.wait_until_done([job]) == {job: state}
    stand.wait_until_quiet(kept=1 - mails)
    assert len(stand.api.mails()) == mails
