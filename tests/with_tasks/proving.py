"""Real workers before a real API: what stands in between sees every attempt, and holds one where a test says.

Processes have sessions of their own, so that a whole group can be killed, and leave their output in a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from tests.patience import PATIENCE
from tests.servers import Server, Visitor, serving

ROOT = Path(__file__).parents[2]

EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}


def wait_for(what: str, condition: Callable[[], object], worker: Worker | None = None) -> None:
    """Return once the condition is true. Fails when that takes too long."""
    until = time.monotonic() + PATIENCE
    while not condition():
        ended = worker is not None and worker.process.poll() is not None
        if ended and not condition():
            pytest.fail(f"The worker ended before {what}.\n{worker.log[-4000:] if worker else ''}")
        if time.monotonic() > until:
            pytest.fail(f"Waited {PATIENCE:.0f} s for {what}.\n{worker.log[-4000:] if worker else ''}")
        time.sleep(0.02)


@dataclass
class Hold:
    """An attempt that is held: before the emulator has it, or after it was accepted and before the answer."""

    point: Literal["before", "after"]
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@dataclass
class Attempt:
    """One call, as it arrived."""

    at: float
    path: str
    key: str


class Api:
    """The emulator, behind something that sees every attempt."""

    def __init__(self, emulator_url: str) -> None:
        self._emulator_url = emulator_url
        self._client = httpx.Client(base_url=emulator_url, trust_env=False, timeout=PATIENCE)
        self._holds: list[Hold] = []
        self._every_hold: list[Hold] = []
        self.attempts: list[Attempt] = []
        self.server: Server | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    def fail(self, **fault: Any) -> None:
        self._client.post("/_emulator/faults", json={"path": "/emails", **fault}).raise_for_status()

    def hold(self, point: Literal["before", "after"]) -> Hold:
        """Hold the next attempt. One whose caller is gone stays where it is until the test ends."""
        held = Hold(point)
        self._holds.append(held)
        self._every_hold.append(held)
        return held

    @property
    def emails(self) -> list[dict[str, Any]]:
        answer = self._client.get("/_emulator/emails", params={"per_page": 100}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    @property
    def keys(self) -> set[str]:
        return {attempt.key for attempt in self.attempts}

    def script(self, visitor: Visitor) -> None:
        while request := visitor.request():
            held = self._holds.pop(0) if self._holds else None
            method, path, _ = request.first_line.split(" ")
            self.attempts.append(Attempt(time.monotonic(), path, request.header("idempotency-key")))
            if held and held.point == "before":
                held.reached.set()
                held.released.wait()
                return
            passed = {"authorization", "content-type", "idempotency-key"}
            headers = [(name, value) for name, value in request.header_list if name.lower() in passed]
            try:
                answer = self._client.request(method, path, content=request.body, headers=headers)
            except httpx.TransportError:  # The answer is lost on purpose.
                return
            if held:
                held.reached.set()
                held.released.wait()
                return
            lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}", f"Content-Length: {len(answer.content)}"]
            lines += [f"{name}: {value}" for name, value in answer.headers.items() if name in _PASSED_BACK]
            if not visitor.send("\r\n".join([*lines, "", ""]).encode() + answer.content):
                return

    def close(self) -> None:
        for held in self._every_hold:
            held.released.set()
        self._client.close()


_PASSED_BACK = {"content-type", "retry-after", "x-request-id"}


@contextlib.contextmanager
def proxied(emulator_url: str) -> Generator[Api]:
    """Run one, before an emulator that is empty and without faults."""
    api = Api(emulator_url)
    httpx.post(f"{emulator_url}/_emulator/reset", trust_env=False).raise_for_status()
    with serving(api.script) as api.server:
        try:
            yield api
        finally:
            api.close()


class Worker:
    """A program of its own, in a session of its own."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """Kill it and its children, as a machine does that runs out of memory."""
        self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Ask it to end, as a deployment does: more than once, for Python 3.10 may lose a cancellation."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > until:
                pytest.fail(f"The worker did not end.\n{self.log[-4000:]}")
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Workers:
    """Starts workers, and ends them all."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.started: list[Worker] = []

    def start(self, *arguments: str, **environment: str) -> Worker:
        """Start a Python with these arguments."""
        log = self.folder / f"worker-{len(self.started)}.log"
        worker = Worker([sys.executable, *arguments], log, {**self.environment, **environment})
        self.started.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.started:
            worker.kill()

    def run(self, *arguments: str) -> Any:
        """Run a Python to its end, and return what it prints as JSON."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout) if done.stdout.strip() else None
