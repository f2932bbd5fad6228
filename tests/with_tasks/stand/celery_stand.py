"""One Celery project with its broker, its workers and the API, for a test."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.with_tasks.stand import celery_app, holding
from tests.with_tasks.stand.api import Api, running_api
from tests.with_tasks.stand.brokers import Broker, Files, rabbit, rabbit_node, valkey
from tests.with_tasks.stand.processes import Process, wait_until

__all__ = ["CeleryStand", "celery_stand"]


class CeleryStand:
    """Enqueues, starts workers, and says what became of the jobs."""

    name = "celery"

    def __init__(self, folder: Path, broker: Broker, backend: str, api: Api, conf: dict[str, Any]) -> None:
        self.broker = broker
        self.api = api
        self.holds = folder / "holds"
        self.holds.mkdir()
        self.workers: list[Process] = []
        self.environment: dict[str, str] = {}
        """What workers have beside what tells them of the API."""
        self._folder = folder
        self._conf = {
            "broker_url": broker.url,
            "result_backend": backend,
            "task_default_queue": "mail",
            "broker_connection_retry_on_startup": True,
            "worker_prefetch_multiplier": 1,
            "worker_enable_remote_control": False,
            # A job whose process died: after a second, and not after five.
            "task_annotations": {"*": {"default_retry_delay": 1}},
            "poststack_limits": {"first_delay": 0.2},
            **broker.conf,
            **conf,
        }
        self.app = celery_app.make_app(self._conf)
        self._task = self.app.tasks["poststack.send_email"]

    def new_id(self) -> str:
        """Return an id for a job."""
        made: str = import_module("celery").uuid()
        return made

    def key(self, job: str) -> str:
        """Return the idempotency key that a job has by itself."""
        return f"celery-{job}"

    def enqueue(self, job: str | None = None, **options: Any) -> str:
        """Enqueue an e-mail to an address of its own; return the id of the job. `options` are Celery's."""
        job = job or self.new_id()
        self._task.apply_async(args=[email_to(job)], task_id=job, **options)
        return job

    def enqueue_in_group(self, job: str) -> None:
        """Enqueue an e-mail as a member of a group, which Celery publishes itself."""
        member = self._task.s(email_to(job)).set(task_id=job)
        import_module("celery").group([member], app=self.app).apply_async()

    def start_worker(self, *, concurrency: int = 4, pool: str = "prefork", warm: str | None = None) -> Process:
        """Start a worker; it takes jobs when it is ready."""
        environment = {
            **self.api.environment,
            **self.environment,
            celery_app.CONF: json.dumps(self._conf),
            holding.FOLDER: str(self.holds),
            **({celery_app.WARM: warm} if warm else {}),
        }
        options = ["--pool", pool, "--concurrency", str(concurrency), "--loglevel", "INFO"]
        quick = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command = [sys.executable, "-m", "celery", "-A", "tests.with_tasks.stand.celery_app", "worker"]
        log = self._folder / f"worker-{len(self.workers) + 1}.log"
        worker = Process([*command, *options, *quick, "-n", f"w{len(self.workers)}@stand"], log, environment)
        self.workers.append(worker)
        return worker

    def state(self, job: str) -> str:
        """Return the state in the result backend."""
        # Not by an `AsyncResult`: in Celery 5.4, to delete one while another is being deleted can wait for ever.
        found: str = self.app.backend.get_state(job)
        return found

    def wait_until_done(self, jobs: Sequence[str]) -> dict[str, str]:
        """Return the states of the jobs when each has one that is final. Raises `StandError`."""
        left = set(jobs)
        states: dict[str, str] = {}

        def done() -> bool:
            for job in list(left):
                if (state := self.state(job)) in {"SUCCESS", "FAILURE", "REVOKED"}:
                    states[job] = state
                    left.discard(job)
            return not left

        wait_until(done, f"{len(jobs)} jobs are done", every=0.1)
        return states

    def wait_until_quiet(self, *, kept: int = 0, seconds: float = PATIENCE) -> None:
        """Return when no job is left in the broker but `kept` ones, and no worker that lost its parent is left.

        Until then another copy of a job might still send. Raises `StandError` when it takes longer than so many
        seconds.
        """

        def no_orphan() -> bool:
            return not any(worker.members() for worker in self.workers if not worker.running)

        wait_until(no_orphan, "the orphans of killed workers have ended", seconds=seconds, every=0.2)
        # Twice, because a job that is put off is for a moment nowhere, or in two places.
        for _ in range(2):
            wait_until(lambda: self.broker.messages() == kept, "the broker is empty", seconds=seconds, every=0.3)

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.close()
        self.app.close()


def email_to(job: str) -> dict[str, Any]:
    """Return an e-mail that nobody else gets."""
    to = f"{job}@example.com"
    return {"from": "shop@example.com", "to": [to], "subject": celery_app.SUBJECT, "text": "Hello"}


@contextmanager
def celery_stand(kind: str, folder: Path, **conf: Any) -> Generator[CeleryStand]:
    """Set up everything but workers. `kind` is `valkey`, `rabbitmq-classic`, `rabbitmq-quorum`, or for
    a RabbitMQ that may be killed `rabbitmq-node`; and, for what breaks the promise, `valkey-in-memory` or `files`."""
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(running_api(folder))
        # Results go there with every broker.
        redis = stack.enter_context(valkey(folder, on_disk=kind != "valkey-in-memory"))
        broker: Broker = redis
        if kind == "rabbitmq-node":
            broker = stack.enter_context(rabbit_node(folder))
        elif kind == "files":
            broker = Files(folder)
        elif kind.startswith("rabbitmq"):
            broker = stack.enter_context(rabbit(quorum=kind == "rabbitmq-quorum"))
        stand = CeleryStand(folder, broker, f"{redis.url[:-1]}1", api, conf)
        stack.callback(stand.close)
        yield stand
