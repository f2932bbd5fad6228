"""Lets workers of both sides empty a queue by turns, and enqueues with and without us."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.in_workers.mail import mail
from example_projects.demo.redis_server import redis_server

if TYPE_CHECKING:
    from benchmarks.environments import Environment

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
WORK: Final = HERE / "work.py"
CONCURRENCY: Final = 4
"""Processes of a worker."""
EMAILS: Final = 600
WARM_UP: Final = 100
"""E-mails at the beginning that do not count: until all processes of the worker have imported what they need."""
ENQUEUED: Final = 500
LEAST_RATIO: Final = 1.5
"""E-mails per second of this project through those of the published SDK."""
MOST_OVERHEAD: Final = 1e-3
"""CPU seconds that our task may add to a call of `delay`."""
PATIENCE: Final = 300.0
"""Seconds for one queue."""


@dataclass(frozen=True)
class Emptied:
    """One queue emptied by one worker."""

    per_second: float
    api_share: float
    """CPU time of the API through the time all took. Far below 1, it kept nobody waiting."""


@dataclass(frozen=True)
class WorkerResult:
    """One run a round on both sides; and the CPU seconds of a call of `delay`, the median of each round."""

    ours: list[Emptied]
    theirs: list[Emptied]
    plain: list[float]
    """With a task of the project's own."""
    enqueued: list[float]
    """With ours."""
    size: int
    """Characters of an e-mail as JSON."""

    @property
    def ratios(self) -> list[float]:
        """How many times as many e-mails per second, a round each."""
        return [ours.per_second / theirs.per_second for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The middle one."""
        return median(self.ratios)

    @property
    def overheads(self) -> list[float]:
        """CPU seconds that our task adds to a call of `delay`, a round each."""
        return [ours - plain for ours, plain in zip(self.enqueued, self.plain, strict=True)]

    @property
    def overhead(self) -> float:
        """The middle one."""
        return median(self.overheads)


def measure_workers(ours: Environment, theirs: Environment, *, rounds: int, quick: bool) -> WorkerResult:
    """Return the figures of several rounds. The side that goes first changes from round to round.

    Raises `DemoError` when there is no Redis to start.
    """
    emails = EMAILS // 2 if quick else EMAILS
    emptied: dict[str, list[Emptied]] = {ours.name: [], theirs.name: []}
    plain: list[float] = []
    enqueued: list[float] = []
    for number in range(rounds):
        for side in (ours, theirs) if number % 2 else (theirs, ours):
            tasks = HERE / ("our_tasks.py" if side is ours else "guide_tasks.py")
            emptied[side.name].append(_emptied(side, tasks, emails))
        without, with_ours = _enqueued(ours, ENQUEUED // 2 if quick else ENQUEUED)
        plain.append(median(without))
        enqueued.append(median(with_ours))
    return WorkerResult(emptied[ours.name], emptied[theirs.name], plain, enqueued, len(json.dumps(mail(1))))


def _emptied(side: Environment, tasks: Path, emails: int) -> Emptied:
    with _redis() as broker, _api(emails) as api:
        settings = {
            "BENCHMARK_BROKER": broker,
            "POSTSTACK_API_KEY": "sk_test_benchmark",
            "POSTSTACK_BASE_URL": f"http://127.0.0.1:{_line(api)}",
        }
        with side.start(WORK, "fill", str(tasks), str(emails), **settings) as filling:
            filling.communicate()
        if filling.returncode:
            raise RuntimeError(f"Nothing could be enqueued with the {side.name}.")
        with side.start(WORK, "worker", str(tasks), str(CONCURRENCY), **settings) as worker:
            try:
                told, _ = api.communicate(timeout=PATIENCE)
            finally:
                worker.communicate()  # It ends when its standard input does.
    answered, cpu = json.loads(told)
    took = answered[-1] - answered[WARM_UP - 1]
    # The CPU time is that of all e-mails, so this is rather too much.
    return Emptied((emails - WARM_UP) / took, cpu / took)


def _enqueued(side: Environment, count: int) -> list[list[float]]:
    with _redis() as broker:
        tasks = str(HERE / "our_tasks.py")
        with side.start(WORK, "enqueue", tasks, str(count), BENCHMARK_BROKER=broker) as enqueuing:
            told, _ = enqueuing.communicate()
        spent: list[list[float]] = json.loads(told)
        return spent


@contextmanager
def _redis() -> Generator[str]:
    """Run an empty broker; what others left would slow it down."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
        yield url


@contextmanager
def _api(emails: int) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.in_workers.api", str(emails)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as api:
        try:
            yield api
        finally:
            api.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
