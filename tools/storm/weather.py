"""One storm over one queue: what is thrown at it, and what came out."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from tests.with_tasks.stand.api import Api
from tests.with_tasks.stand.processes import Process, StandError

__all__ = ["Report", "Stand", "Storm", "blow"]

FAULTS: Final = (("503", 0.2), ("429", 0.1), ("lost answer", 0.1))
"""Of all requests."""
RETRY_AFTER: Final = 1.0
"""Seconds, with every 429."""
CALM: Final = 1_200.0
"""Seconds that the last jobs may take once nothing is killed any more. An RQ worker that was killed while it looked for
abandoned jobs keeps others from that for 899 s."""


class Stand(Protocol):
    """A queue with its broker and the API."""

    workers: list[Process]

    @property
    def api(self) -> Api:
        """Return the API."""
        ...

    def enqueue(self) -> str:
        """Enqueue an e-mail to `<job>@example.com`; return the id of the job."""
        ...

    def key(self, job: str) -> str:
        """Return the idempotency key of a job."""
        ...

    def start_worker(self) -> Process:
        """Start a worker."""
        ...

    def succeeded(self, job: str) -> bool:
        """Return whether the queue says that the job is done."""
        ...

    def wait_until_quiet(self, *, seconds: float) -> None:
        """Return when nothing is left to do. Raises `StandError`."""
        ...


@dataclass(frozen=True)
class Storm:
    """How strong it is. Times are in seconds."""

    mails: int = 2_000
    workers: int = 4
    kill_every: float = 1.0
    seconds: float = 120.0
    """Killing ends when all e-mails are accepted, or after this."""
    seed: int = 1
    """Decides who is killed, and which requests fail."""


@dataclass
class Report:
    """What came out."""

    mails: int
    sent: int = 0
    missing: int = 0
    doubled: int = 0
    strange_keys: int = 0
    not_succeeded: int = 0
    requests: int = 0
    failed: Counter[str] = field(default_factory=Counter[str])
    killed: Counter[str] = field(default_factory=Counter[str])
    storm_seconds: float = 0.0
    calm_seconds: float = 0.0
    problem: str | None = None

    @property
    def good(self) -> bool:
        """Return whether each e-mail was sent once, and the queue knows it."""
        wrong = self.missing or self.doubled or self.strange_keys or self.not_succeeded or self.problem
        return not wrong and self.sent == self.mails


def blow(stand: Stand, storm: Storm, say: Callable[[str], None]) -> Report:
    """Enqueue the e-mails, let the storm go over the workers, wait for calm, and count."""
    report = Report(storm.mails)
    faults = _set_faults(stand.api, storm.seed)
    jobs = [stand.enqueue() for _ in range(storm.mails)]
    say(f"{storm.mails} e-mails enqueued")
    began = time.monotonic()
    _kill_until_accepted(stand, storm, report, say)
    report.storm_seconds = time.monotonic() - began
    say("no more kills; waiting until nothing is left to do")
    try:
        stand.wait_until_quiet(seconds=CALM)
    except StandError as problem:
        report.problem = str(problem)
    report.calm_seconds = time.monotonic() - began - report.storm_seconds
    _count(stand, jobs, report)
    for fault in stand.api.faults():
        report.failed[faults[fault["id"]]] = fault["hits"]
    return report


def _set_faults(api: Api, seed: int) -> dict[int, str]:
    made: dict[int, str] = {}
    left = 1.0
    for name, share in FAULTS:
        # The share of a fault is one of the requests that those before it leave.
        common = {"path": "/emails", "share": share / left, "seed": seed}
        if name == "lost answer":
            made[api.fail(lost_answer=True, **common)] = name
        else:
            made[api.fail(status=int(name), retry_after=RETRY_AFTER if name == "429" else None, **common)] = name
        left -= share
    return made


def _kill_until_accepted(stand: Stand, storm: Storm, report: Report, say: Callable[[str], None]) -> None:
    dice = random.Random(storm.seed)  # noqa: S311  # a storm that can be repeated
    working = [stand.start_worker() for _ in range(storm.workers)]
    until = time.monotonic() + storm.seconds
    following = time.monotonic() + storm.kill_every
    while (accepted := stand.api.accepted) < storm.mails and time.monotonic() < until:
        time.sleep(max(0.0, following - time.monotonic()))
        following += storm.kill_every
        index = dice.randrange(len(working))
        how = dice.choice(("worker and children", "worker and children", "worker", "child"))
        if not _kill(working[index], how, report):
            continue
        if how != "child":
            working[index] = stand.start_worker()
        if (kills := report.killed.total()) % 10 == 0:
            say(f"{kills} kills, {accepted} of {storm.mails} e-mails accepted")


def _kill(worker: Process, how: str, report: Report) -> bool:
    if how == "child":
        done = bool(worker.kill_children(at_most=1))
    elif how == "worker":
        worker.kill()
        done = True
    else:
        worker.kill_all()
        done = True
    report.killed[how] += done
    return done


def _count(stand: Stand, jobs: list[str], report: Report) -> None:
    mails = stand.api.mails()
    sent = Counter(mail.to for mail in mails)
    addresses = {f"{job}@example.com": stand.key(job) for job in jobs}
    report.sent = len(mails)
    report.missing = sum(address not in sent for address in addresses)
    report.doubled = sum(number > 1 for number in sent.values())
    report.strange_keys = sum(addresses.get(mail.to) != mail.key for mail in mails)
    report.not_succeeded = sum(not stand.succeeded(job) for job in jobs)
    report.requests = stand.api.requests
