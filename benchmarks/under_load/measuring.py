"""Puts both sides under the same load by turns and takes what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.serving import served

if TYPE_CHECKING:
    from benchmarks.environments import Environment

HERE: Final = Path(__file__).parent
CONCURRENT: Final = 200
PROBED_EVERY: Final = 0.01
"""Seconds between two questions of the probe."""
LEAST_RATIO: Final = 2.0
"""Requests per second of this project through those of the published SDK."""
LONGEST_WAIT: Final = 0.1
"""Seconds that the unrelated route of this project's application may take."""


@dataclass(frozen=True)
class Load:
    """A kind of API to send through."""

    title: str
    delay: float
    requests: int = 2000


LOADS: Final = [
    Load("the API answers at once", 0.0),
    Load("the API answers after 20 ms", 0.02),
]


@dataclass(frozen=True)
class Run:
    """What came of one load on one side. Times are in seconds."""

    per_second: float
    cpu: float
    waits: list[float]
    longest_work: float
    """CPU time of the application during one wait at most. What a wait is longer, other programs have taken."""

    @property
    def worst(self) -> float:
        """The longest wait of the unrelated route."""
        return max(self.waits)

    @property
    def p99(self) -> float:
        """The wait that 99 of 100 do not reach."""
        return sorted(self.waits)[len(self.waits) * 99 // 100]

    @property
    def half(self) -> float:
        """The middle one."""
        return median(self.waits)


@dataclass(frozen=True, eq=False)
class LoadResult:
    """One run a round on both sides."""

    load: Load
    ours: list[Run]
    theirs: list[Run]

    @property
    def ratios(self) -> list[float]:
        """How many times as many requests per second, a round each."""
        return [ours.per_second / theirs.per_second for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The middle one."""
        return median(self.ratios)

    @property
    def worst(self) -> float:
        """The middle one of the longest waits of our rounds."""
        return median(run.worst for run in self.ours)


def measure_load(load: Load, ours: Environment, theirs: Environment, *, rounds: int, quick: bool) -> LoadResult:
    """Return the figures of several rounds. The side that goes first changes from round to round."""
    runs: dict[str, list[Run]] = {ours.name: [], theirs.name: []}
    requests = load.requests // 4 if quick else load.requests
    with served(load.delay) as server:
        for round_number in range(rounds):
            for side in (ours, theirs) if round_number % 2 else (theirs, ours):
                application = "our_app.py" if side is ours else "guide_app.py"
                runs[side.name].append(_run(side, HERE / application, server.address, requests))
    return LoadResult(load, runs[ours.name], runs[theirs.name])


def _run(side: Environment, application: Path, address: str, requests: int) -> Run:
    settings = {"POSTSTACK_API_KEY": "sk_test_benchmark", "POSTSTACK_BASE_URL": address}
    with side.start(HERE / "serve.py", str(application), **settings) as server:
        try:
            port = _line(server)
            load = [sys.executable, str(HERE / "load.py"), port]
            # The first request of a process pays for imports; the 200 after that still find no open connection.
            subprocess.run([*load, "1", "1"], check=True, stdout=subprocess.DEVNULL)
            probe = [sys.executable, str(HERE / "probe.py"), port, str(PROBED_EVERY), str(server.pid)]
            with subprocess.Popen(probe, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probing:
                _line(probing)
                busy = subprocess.run([*load, str(CONCURRENT), str(requests)], check=True, stdout=subprocess.PIPE)
                probed, _ = probing.communicate()
            cpu, _ = server.communicate()
        finally:
            server.kill()
    return Run(requests / float(busy.stdout), float(cpu) / requests, *json.loads(probed))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
