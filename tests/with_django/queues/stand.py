"""One project with its database, its broker, its workers and the API, for a test."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Collection, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

from tests.with_django.queues.project import ENVIRONMENT
from tests.with_django.queues.project.shell import address
from tests.with_tasks.stand import holding
from tests.with_tasks.stand.api import Api, running_api
from tests.with_tasks.stand.brokers import Rabbit, Valkey, rabbit, valkey
from tests.with_tasks.stand.processes import ROOT, Process, wait_until
from tests.with_tasks.stand.rq_stand import SHORT_TTLS

__all__ = ["FINAL", "Kind", "Stand", "each_arrived_once", "sqlite", "stand"]

Kind = Literal["celery", "celery-rabbitmq", "rq"]

FINAL: Final = frozenset({"queued", "delivered", "refused", "gave_up", "withheld", "suppressed"})
"""Statuses of e-mails that nobody tries any more."""
_PROJECT: Final = "tests.with_django.queues.project"


def sqlite(folder: Path) -> dict[str, Any]:
    """Return the setting `DATABASES` for a file that several processes write to."""
    options = {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=wal"}
    return {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db"), "OPTIONS": options}}


class Shell:
    """A process of the project that does what it is told; see `project/shell.py`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{_PROJECT}.shell"],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a function there, and return what it returns. An exception there ends the process, and fails here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([name, arguments, options])}\n")
        self._process.stdin.flush()
        if answer := self._process.stdout.readline():
            return json.loads(answer)
        raise AssertionError(f"{name} failed:\n{self.log.read_text()[-3000:]}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Stand:
    """Does things in the project, starts workers, and says what became of e-mails."""

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        broker: Valkey | Rabbit,
        api: Api,
        databases: dict[str, Any],
        environment: dict[str, str],
        settings: dict[str, Any],
    ) -> None:
        self.kind = kind
        self.broker = broker
        self.api = api
        self.workers: list[Process] = []
        self._folder = folder
        (folder / "holds").mkdir()
        celery = {
            "task_default_queue": "mail",
            "broker_connection_retry_on_startup": True,
            "worker_prefetch_multiplier": 1,
            "worker_enable_remote_control": False,
            "task_ignore_result": True,
            "poststack_limits": {"first_delay": 0.2},
            **(broker.conf if kind != "rq" else {}),
            **settings.pop("celery", {}),
        }
        chosen = {
            "queue": kind.partition("-")[0],
            "broker": broker.url,
            "celery": celery,
            "databases": databases,
            "heard": str(folder / "heard"),
            **settings,
        }
        self._environment = {
            **api.environment,
            ENVIRONMENT: json.dumps(chosen),
            "DJANGO_SETTINGS_MODULE": f"{_PROJECT}.settings",
            holding.FOLDER: str(folder / "holds"),
        }
        self.project = Shell({**_own_environment(), **self._environment}, folder / "project.log")
        self.project("migrate")
        self._worker_environment = environment

    def start_workers(self, slots: int = 2, *, worker: str | None = None, scheduler: bool = True) -> list[Process]:
        """Start what does so many jobs at once: one worker of Celery, or so many of RQ.

        `worker` is the pool of Celery, or the class of `tests.with_tasks.stand.rq_worker`. They take jobs on return.
        """
        started = [
            self._start(self._celery(slots, worker or "prefork"), " ready.")
            if self.kind != "rq"
            else self._start(self._rq(worker or "ForkingWorker", scheduler and number == 0), "istening on")
            for number in range(1 if self.kind != "rq" else slots)
        ]
        for process, ready in started:
            process.wait_for(ready)
        return [process for process, _ in started]

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return what is stored of each e-mail, by its idempotency key."""
        found: dict[str, dict[str, Any]] = self.project("rows")
        return found

    def statuses(self) -> dict[str, str]:
        """Return the status of each e-mail, by its idempotency key."""
        return {key: row["status"] for key, row in self.rows().items()}

    def wait_until_final(self, *names: str) -> None:
        """Return when nobody tries these any more."""

        def final() -> bool:
            statuses = self.statuses()
            return all(statuses.get(name) in FINAL for name in names)

        wait_until(final, f"{len(names)} e-mails have a final status", every=0.1)

    def wait_until_quiet(self, *, kept: int = 0) -> None:
        """Return when the broker has no job left but `kept` ones, so that none can still send."""
        for _ in range(2):  # Twice, because a job that is put off is for a moment nowhere.
            wait_until(lambda: self.jobs() == kept, "the broker is empty", every=0.2)

    def jobs(self) -> int:
        """Return how many jobs the broker has: waiting, put off, given to workers, or kept as failed."""
        if self.kind != "rq":
            return self.broker.messages()
        queue = self.rq_queue()
        registries = (queue.scheduled_job_registry, queue.started_job_registry, queue.failed_job_registry)
        return len(queue) + sum(int(registry.count) for registry in registries)

    def rq_queue(self) -> Any:
        """Return RQ's queue."""
        assert isinstance(self.broker, Valkey)
        return import_module("rq").Queue("mail", connection=self.broker.client)

    def broker_has(self) -> str:
        """Return everything that is in the Valkey, readable where it was packed."""
        assert isinstance(self.broker, Valkey)
        client = self.broker.client
        found: list[bytes] = []
        for name in client.keys("*"):
            found.append(name)
            kind = client.type(name)
            if kind == b"string":
                found.append(client.get(name))
            elif kind == b"list":
                found += client.lrange(name, 0, -1)
            elif kind == b"hash":
                found += [part for pair in client.hgetall(name).items() for part in pair]
            elif kind == b"set":
                found += client.smembers(name)
            elif kind == b"stream":
                found += [part for _, fields in client.xrange(name) for pair in fields.items() for part in pair]
            elif kind == b"zset":
                found += client.zrange(name, 0, -1)
        return "\n".join(_readable(one) for one in found)

    def heard(self) -> list[list[str]]:
        """Return what receivers of signals heard, in any process."""
        file = self._folder / "heard"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def logs(self) -> str:
        """Return what the workers and the project's process have written."""
        return "\n".join([*(worker.written() for worker in self.workers), self.project.log.read_text()])

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()
        self.project.close()

    def _start(self, command: list[str], ready: str) -> tuple[Process, str]:
        log = self._folder / f"worker-{len(self.workers) + 1}.log"
        worker = Process([sys.executable, "-m", *command], log, {**self._environment, **self._worker_environment})
        self.workers.append(worker)
        return worker, ready

    def _celery(self, slots: int, pool: str) -> list[str]:
        options = ["--pool", pool, "--concurrency", str(slots), "--loglevel", "INFO"]
        quick = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        name = f"w{len(self.workers)}@shop"
        return ["celery", "-A", f"{_PROJECT}.celery_app", "worker", *options, *quick, "-n", name]

    def _rq(self, kind: str, scheduler: bool) -> list[str]:
        options = [part for pair in SHORT_TTLS.items() for part in pair] + ["--with-scheduler"] * scheduler
        command = ["rq.cli", "worker", "--url", self.broker.url, "-w", f"tests.with_tasks.stand.rq_worker.{kind}"]
        return [*command, *options, "mail"]


def each_arrived_once(stand: Stand, names: Collection[str]) -> None:
    """Check that the API has one e-mail for each of these, nothing else, and that the rows have the ids."""
    mails = stand.api.mails()
    rows = stand.rows()

    assert sorted(mail.to for mail in mails) == sorted(map(address, names))
    assert {mail.key: mail.id for mail in mails} == {name: rows[name]["id"] for name in names}


def _readable(value: bytes) -> str:
    with contextlib.suppress(zlib.error):
        value = zlib.decompress(value)
    text = value.decode(errors="replace")
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        loaded: Any = json.loads(text)
        text += base64.b64decode((loaded[0] if text.startswith("[") else loaded)["body"]).decode()
    return text


def _own_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@contextmanager
def stand(
    folder: Path,
    kind: Kind,
    databases: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> Generator[Stand]:
    """Set up everything but workers, which get this environment. Raises `BrokerMissingError`.

    `settings` are those of `project/settings.py`.
    """
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(running_api(folder))
        broker: Valkey | Rabbit
        if kind == "celery-rabbitmq":
            broker = stack.enter_context(rabbit(quorum=False))
        else:
            broker = stack.enter_context(valkey(folder))
        made = Stand(folder, kind, broker, api, databases or sqlite(folder), environment or {}, settings)
        stack.callback(made.close)
        yield made
