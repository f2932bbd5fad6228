"""Measures both sides by turns, so that whatever else the machine does falls on both."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.environments import Environment

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Task:
    """Something to measure, and the most it may cost compared with the published SDK."""

    title: str
    what: str
    limit: float | None
    sends: int = 0
    in_flight: int = 0


TASKS = [
    Task("send, synchronous", "send", 1 / 2, sends=1000),
    Task("send, asynchronous, 10 in flight", "asend", 1 / 2, sends=1000, in_flight=10),
    Task("send, asynchronous, 100 in flight", "asend", 1 / 2, sends=1000, in_flight=100),
    Task("`import poststack`", "import", 1 / 3),
    Task("`from poststack import PostStack`", "name", 1 / 3),
    Task("the same, and make the first client", "client", None),
]


@dataclass(frozen=True)
class Result:
    """CPU seconds of one repetition on both sides, one figure a round."""

    task: Task
    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """The middle one of the ratios of all rounds."""
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round: what was measured side by side is compared side by side."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def passed(self) -> bool:
        """Whether the ratio is within the task's limit."""
        return self.task.limit is None or self.ratio <= self.task.limit


def measure(task: Task, ours: Environment, theirs: Environment, *, address: str, rounds: int, quick: bool) -> Result:
    """Return the figures of several rounds. The side that goes first changes from round to round."""
    figures: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    arguments = [task.what]
    if task.sends:
        arguments += [address, str(task.sends // 4 if quick else task.sends), str(task.in_flight)]
    else:
        rounds *= 3  # Short, and more easily disturbed.
    for round_number in range(rounds + 1):
        for side in (ours, theirs) if round_number % 2 else (theirs, ours):
            figure = float(side.run(HERE / "workload.py", *arguments))
            if round_number:  # The first one writes bytecode and fills caches.
                figures[side.name].append(figure)
    return Result(task, figures[ours.name], figures[theirs.name])


@contextmanager
def served(delay: float = 0.0) -> Generator[str, None, None]:
    """Run the server in a process of its own and give its address. Each answer comes `delay` seconds late."""
    process = subprocess.Popen([sys.executable, str(HERE / "server.py"), str(delay)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
