"""Lets several processes send through an emulator that limits them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Final, cast
from urllib.request import urlopen

from example_projects.demo.redis_server import redis_server

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.environments import Environment

__all__ = ["IN_FLIGHT", "LIMIT", "PROCESSES", "SENT", "Came", "Variant", "under_limit"]

LIMIT: Final = 50
"""Requests a second."""
SENT: Final = 5_000
PROCESSES: Final = 4
IN_FLIGHT: Final = 25
"""Calls of each process."""
_PATIENCE: Final = 900.0
"""Seconds for all e-mails of a variant."""
_ROOT: Final = Path(__file__).parents[2]
_WORKLOAD: Final = Path(__file__).with_name("workload.py")


@dataclass(frozen=True)
class Variant:
    """How the processes keep to the limit."""

    title: str
    limit: float | None = None
    """`rate_limit` of each client."""
    shared: bool = False
    """Whether a Redis shares it."""


@dataclass(frozen=True)
class Came:
    """What came of it."""

    sent: int
    failed: int
    """E-mails that were given up."""
    seconds: float
    requests: int

    @property
    def through_ideal(self) -> float:
        """The time through that which so many sent e-mails take without a pause and without a refusal."""
        return self.seconds * LIMIT / self.sent

    @property
    def refused(self) -> float:
        """The share of the requests that were answered with 429."""
        return (self.requests - self.sent) / self.requests


def under_limit(variant: Variant, side: Environment, emails: int, together: Barrier) -> Came:
    """Send so many e-mails by all processes; begin when all who wait at the barrier can.

    Raises `DemoError` when the variant needs a Redis and there is none to start.
    """
    with ExitStack() as stack:
        stack.callback(together.abort)  # Whatever fails here, the others are not to wait for it.
        address = stack.enter_context(_emulator())
        redis = stack.enter_context(_redis()) if variant.shared else None
        task = {"address": address, "in_flight": IN_FLIGHT, "limit": variant.limit, "redis": redis}
        programs = [
            stack.enter_context(_started(side, json.dumps({**task, "count": emails // PROCESSES})))
            for _ in range(PROCESSES)
        ]
        for program in programs:
            _line(program)
        together.wait(_PATIENCE)
        told = [cast("dict[str, float]", json.loads(text)) for text in _answers(programs)]
        with urlopen(f"{address}/_emulator/health", timeout=30) as answer:
            requests = json.load(answer)["requests"]
    return Came(
        sent=int(sum(one["sent"] for one in told)),
        failed=int(sum(one["failed"] for one in told)),
        seconds=max(one["ended"] for one in told) - min(one["began"] for one in told),
        requests=requests,
    )


def _answers(programs: list[subprocess.Popen[str]]) -> list[str]:
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
    return [program.communicate(timeout=_PATIENCE)[0] for program in programs]


@contextmanager
def _started(side: Environment, task: str) -> Generator[subprocess.Popen[str]]:
    with side.start(_WORKLOAD, task) as program:
        try:
            yield program
        finally:
            program.kill()


@contextmanager
def _emulator() -> Generator[str]:
    command = [sys.executable, "-m", "poststack", "emulator", "--port", "0", "--rate-limit", str(LIMIT)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            found = re.search(r"http://\S+", _line(program))
            assert found is not None
            assert program.stdout is not None
            while "Ctrl-C" not in program.stdout.readline():
                pass
            yield found[0]
        finally:
            program.terminate()


@contextmanager
def _redis() -> Generator[str]:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
        yield url


def _line(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    line = program.stdout.readline()
    if not line:
        raise RuntimeError("A program of the benchmark ended early; what it printed above says why.")
    return line
