"""RQ with its Redis, its workers and the API, for a test."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.patience import PATIENCE
from tests.with_tasks.stand import holding
from tests.with_tasks.stand.api import Api, running_api
from tests.with_tasks.stand.brokers import Valkey, valkey
from tests.with_tasks.stand.celery_stand import email_to
from tests.with_tasks.stand.processes import Process, wait_until

__all__ = ["RQ_WORKER", "SHORT_TTLS", "RqStand", "rq_stand"]

SHORT_TTLS: Final = {"--worker-ttl": "16", "--maintenance-interval": "1", "--job-monitoring-interval": "1"}
"""What makes RQ look for the jobs of dead workers every second."""
RQ_WORKER: Final = "rq.Worker"
_MODULE: Final = "tests.with_tasks.stand.rq_worker"


class RqStand:
    """Enqueues, starts workers, and says what became of the jobs."""

    name = "rq"

    def __init__(self, folder: Path, broker: Valkey, api: Api) -> None:
        self.broker = broker
        self.api = api
        self.holds = folder / "holds"
        self.holds.mkdir()
        self.workers: list[Process] = []
        self.environment: dict[str, str] = {}
        """What workers have beside what tells them of the API."""
        self._folder = folder
        self._rq: Any = import_module("rq")
        self.queue = self._rq.Queue("mail", connection=broker.client)

    def new_id(self) -> str:
        """Return an id for a job."""
        made: str = import_module("uuid").uuid4().hex
        return made

    def key(self, job: str) -> str:
        """Return the idempotency key that a job has by itself."""
        return f"rq-{job}"

    def enqueue(self, job: str | None = None, **options: Any) -> str:
        """Enqueue an e-mail to an address of its own; return the id of the job. `options` are RQ's."""
        job = job or self.new_id()
        import_module("poststack_tasks.rq").enqueue(self.queue, email_to(job), job_id=job, **options)
        return job

    def start_worker(self, kind: str = "ForkingWorker", *, scheduler: bool = True, warm: str | None = None) -> Process:
        """Start a worker of a class of `rq_worker`, or with `RQ_WORKER` one of RQ itself."""
        environment = {
            **self.api.environment,
            **self.environment,
            holding.FOLDER: str(self.holds),
            **({"STAND_WARM": warm} if warm else {}),
        }
        options = [part for pair in SHORT_TTLS.items() for part in pair] + ["--with-scheduler"] * scheduler
        worker_class = kind if "." in kind else f"{_MODULE}.{kind}"
        command = [sys.executable, "-m", "rq.cli", "worker", "--url", self.broker.url, "-w", worker_class]
        command += ["--config", "tests.with_tasks.stand.rq_settings"]
        log = self._folder / f"worker-{len(self.workers) + 1}.log"
        worker = Process([*command, *options, "mail"], log, environment)
        self.workers.append(worker)
        return worker

    def state(self, job: str) -> str:
        """Return the status that RQ keeps."""
        status: str = self._rq.job.Job.fetch(job, connection=self.broker.client).get_status().value
        return status

    def wait_until_done(self, jobs: Sequence[str]) -> dict[str, str]:
        """Return the states of the jobs when each has one that is final. Raises `StandError`."""
        left = set(jobs)
        states: dict[str, str] = {}

        def done() -> bool:
            for job in list(left):
                if (state := self.state(job)) in {"finished", "failed", "stopped", "canceled"}:
                    states[job] = state
                    left.discard(job)
            return not left

        wait_until(done, f"{len(jobs)} jobs are done", every=0.1)
        return states

    def wait_until_quiet(self, *, kept: int = 0, seconds: float = PATIENCE) -> None:
        """Return when no job is left to do, and no process of a killed worker; see `CeleryStand`.

        `kept` are the failed jobs.
        """

        def no_orphan() -> bool:
            # The scheduler of a killed worker works on, and sends nothing; what does jobs leads a group of its own.
            left = [pid for worker in self.workers if not worker.running for pid in worker.members()]
            return not any(_group(pid) == pid for pid in left)

        def nothing_left() -> bool:
            queue = self.queue
            # In between is what a worker has taken and not begun; that of a dead one is put back after a minute.
            between = self.broker.client.llen(queue.intermediate_queue_key)
            waiting = len(queue) + between + queue.scheduled_job_registry.count + queue.started_job_registry.count
            return not waiting and queue.failed_job_registry.count == kept

        wait_until(no_orphan, "the orphans of killed workers have ended", seconds=seconds, every=0.2)
        for _ in range(2):
            wait_until(nothing_left, "no job is left", seconds=seconds, every=0.3)

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.close()


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@contextmanager
def rq_stand(folder: Path) -> Generator[RqStand]:
    """Set up everything but workers."""
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(running_api(folder))
        stand = RqStand(folder, stack.enter_context(valkey(folder)), api)
        stack.callback(stand.close)
        yield stand
