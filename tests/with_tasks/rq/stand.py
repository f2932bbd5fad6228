"""What RQ's tests stand on: the emulator over HTTP, a Redis of its own, and workers that may be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import httpx

from tests.patience import PATIENCE

ROOT: Final = Path(__file__).parents[3]

T = TypeVar("T")


def wait_until(found: Callable[[], T], what: str, every: float = 0.05) -> T:
    """Return what `found` returns as soon as that is true."""
    until = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < until, f"Waited {PATIENCE:g} s in vain until {what}."
        time.sleep(every)
    return value


class Process:
    """A program in a session of its own, so that all that it forks can be found."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._output: IO[bytes] = log.open("ab")
        # Other tests of the same process may be those of a Django project.
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        own = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **own, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def children(self) -> list[int]:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,sess=,stat="], capture_output=True, text=True, check=True)
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [int(p) for p, s, state in rows if int(s) == self.pid and int(p) != self.pid and state[0] != "Z"]

    def kill(self, *pids: int) -> None:
        """Kill these, or everything: the program first, so that it can replace nothing."""
        for pid in pids or (self.pid, *self.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            self._process.wait()

    def close(self) -> None:
        self.kill()
        self._output.close()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def written(self) -> str:
        return self.log.read_text(errors="replace")


class Api:
    """An emulator in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._process = Process([sys.executable, "-m", "poststack", "emulator", "--port", "0"], folder / "api.log")
        line = "The PostStack emulator listens on "
        written = wait_until(lambda: line in (text := self._process.written()) and text, "the emulator listens")
        self.url: str = str(written).split(line, 1)[1].split()[0]
        # Its own clients wait for nothing else on the machine, and no proxy knows the way.
        self._http = httpx.Client(base_url=f"{self.url}/_emulator", trust_env=False, timeout=30)

    def fail(self, **fault: Any) -> None:
        """Set a fault, as `docs/emulator.md` has it."""
        self._http.post("/faults", json=fault).raise_for_status()

    def faults(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._http.get("/faults").raise_for_status().json()["faults"]
        return found

    def mails(self) -> list[dict[str, Any]]:
        """Return the e-mails that were accepted, newest first."""
        found: list[dict[str, Any]] = self._http.get("/emails").raise_for_status().json()["data"]
        return found

    def clear(self) -> None:
        self._http.post("/reset").raise_for_status()

    def close(self) -> None:
        self._http.close()
        self._process.close()


class Stand:
    """One test's queue and workers."""

    def __init__(self, folder: Path, redis_url: str, api: Api) -> None:
        self.api = api
        self.redis_url = redis_url
        self.name = f"mail-{uuid.uuid4().hex[:12]}"
        self._folder = folder
        self.workers: list[Process] = []

    def worker(
        self, *options: str, kind: str = "rq.worker.Worker", scheduler: bool = True, **environment: str
    ) -> Process:
        """Start a worker of RQ's own command."""
        command = [sys.executable, "-m", "rq.cli", "worker", "--url", self.redis_url, "--worker-class", kind]
        # Others step in after seconds, not minutes.
        command += ["--maintenance-interval", "1", "--worker-ttl", "20", "--job-monitoring-interval", "1"]
        command += ["--with-scheduler"] * scheduler + list(options) + [self.name]
        known = {"POSTSTACK_API_KEY": "sk_test_stand", "POSTSTACK_BASE_URL": self.api.url}
        log = self._folder / f"worker-{len(self.workers)}.log"
        process = Process(command, log, {**known, **environment})
        self.workers.append(process)
        wait_until(lambda: "istening on" in process.written(), "a worker listens")
        return process

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
