"""RQ's workers with points to hold them at, and with less patience for dead ones than RQ's 60 s.

A worker says so often that it is alive, and a job whose worker has not said so for longer is taken for abandoned.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rq import SimpleWorker, Worker
from rq.job import Job, JobStatus
from rq.worker import SpawnWorker

import poststack_tasks
from poststack_tasks.clients import get_client
from tests.with_tasks.stand.holding import ANSWERED, PUT_OFF, RETRIED, hold_here

if TYPE_CHECKING:
    _Base = Worker
else:
    _Base = object

__all__ = ["WARM", "AloneWorker", "ForkingWorker", "SpawningWorker"]

WARM = "STAND_WARM"
"""The environment variable with a recipient to whom the worker writes before it forks."""
_ABANDONED_AFTER = 4


class _Held(_Base):
    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        return _ABANDONED_AFTER

    def handle_job_retry(self, job: Any, *args: Any, **kwargs: Any) -> None:
        super().handle_job_retry(job, *args, **kwargs)
        hold_here(job.id, RETRIED)


class ForkingWorker(_Held, Worker):
    """Forks for each job."""


class AloneWorker(_Held, SimpleWorker):
    """Does the jobs itself."""


class SpawningWorker(_Held, SpawnWorker):
    """Starts an interpreter for each job."""


def _hold_answered(outcome: poststack_tasks.Outcome) -> None:
    if outcome.name == "sent":
        hold_here(outcome.job.id, ANSWERED)


_set_status = Job.set_status


def _held_status(self: Any, status: Any, pipeline: Any = None) -> None:
    _set_status(self, status, pipeline)
    if pipeline is None and status == JobStatus.SCHEDULED:
        hold_here(self.id, PUT_OFF)


Job.set_status = _held_status  # type: ignore[method-assign]
poststack_tasks.on_outcome(_hold_answered)
poststack_tasks.configure(limits=poststack_tasks.Limits(first_delay=0.2))
if WARM in os.environ:
    # Opens a connection that all children inherit.
    get_client(poststack_tasks.current_settings()).emails.send(
        {"from": "shop@example.com", "to": [os.environ.pop(WARM)], "subject": "Hi", "text": "before the fork"}
    )
