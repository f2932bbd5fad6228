"""The outbox under fire: four drainers, killed at random moments, and an API that loses answers after accepting.

At the end every e-mail whose transaction committed has arrived exactly once, and none of those that rolled back has.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from poststack import PostStack
from tests.patience import PATIENCE
from tests.servers import ACCEPTED, serving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.servers import Visitor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("django") is None, reason="Django is not installed."),
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
]

ROOT = Path(__file__).parents[2]
DRAINERS = 4
PAUSE = 0.1
"""Seconds between two questions: what is waited for takes longer, and the database has others to serve."""


class Project:
    """Processes of one project, each with a Python of its own. Leaving the `with` block kills those that still run."""

    def __init__(self, databases: dict[str, Any], api: str, **environment: str) -> None:
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.killed.outbox_project",
            "KILLED_DATABASES": json.dumps(databases),
            "POSTSTACK_API_KEY": "sk_test_killed_outbox",
            "POSTSTACK_BASE_URL": api,
            **environment,
        }
        self._started: list[subprocess.Popen[str]] = []
        self._reader = self.start("-m", "tests.killed.outbox_reader", stdin=subprocess.PIPE)
        self.query("SentEmail.objects.count()")  # The tables are there.

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT, env=self.environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def drainer(self) -> subprocess.Popen[str]:
        """Start one, and return it once it has begun."""
        process = self.start("-m", "django", "poststack_outbox")
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def commit(self, first: int, last: int) -> None:
        """Commit the e-mails with these numbers, in the process that answers queries."""
        self.query(f"commit({first}, {last})")

    def query(self, expression: str) -> Any:
        """Return the value of an expression over the models, from a process of its own: see `outbox_reader`."""
        assert self._reader.stdin is not None
        assert self._reader.stdout is not None
        self._reader.stdin.write(f"{expression}\n")
        self._reader.stdin.flush()
        if answer := self._reader.stdout.readline():
            return json.loads(answer)
        pytest.fail(f"The reader has ended: {self._reader.communicate()[1]}")


@contextlib.contextmanager
def databases(kind: str, folder: Path) -> Generator[dict[str, Any]]:
    if kind == "sqlite":
        options = {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=wal"}
        yield {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db"), "OPTIONS": options}}
        return
    from tests.with_django.databases import database_settings

    with database_settings(kind) as settings:  # type: ignore[arg-type]
        yield settings


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def project(request: pytest.FixtureRequest, tmp_path: Path, emulator_url: str) -> Iterator[Project]:
    with databases(request.param, tmp_path) as settings, Project(settings, emulator_url) as project:
        yield project


@pytest.fixture
def emails(request: pytest.FixtureRequest) -> int:
    """How many transactions there are, five sixths of which commit: more on PostgreSQL, fewer where that proves no
    more."""
    if "postgresql" in request.node.name:
        return 600 if os.environ.get("POSTSTACK_EXHAUSTIVE") == "1" else 240
    return 120


class Trouble:
    """Four drainers, each killed soon after it has begun and replaced, and an API that loses every other answer or
    so."""

    def __init__(self, project: Project, api: str) -> None:
        self.project, self.api = project, api
        self.kills = self.lost_answers = 0
        self.stop = threading.Event()
        # Seeded, and yet no run is like another: what the processes do in the meantime differs.
        self.random = random.Random(7)
        self.drainers: dict[int, subprocess.Popen[str]] = {}
        self.threads = [threading.Thread(target=self._lose_answers)]
        self.threads += [threading.Thread(target=self._keep_killing, args=(number,)) for number in range(DRAINERS)]

    def __enter__(self) -> Trouble:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if kind is not None:
            for process in self.drainers.values():
                process.kill()
                process.communicate()
        httpx.delete(f"{self.api}/_emulator/faults").raise_for_status()

    def end(self) -> list[int]:
        """Ask the drainers to stop; return their exit statuses."""
        for process in self.drainers.values():
            process.terminate()
        for process in self.drainers.values():
            process.communicate(timeout=PATIENCE)
        return [process.returncode for process in self.drainers.values()]

    def _keep_killing(self, number: int) -> None:
        while True:
            begun = time.monotonic()
            process = self.drainers[number] = self.project.drainer()
            # Where it takes long to start one, it takes long to send, too: killed sooner, none would come to that.
            longest = max(4.0, time.monotonic() - begun)
            if self.stop.wait(self.random.uniform(0.0, longest)):
                return
            process.kill()
            process.communicate()
            self.kills += process.returncode == -signal.SIGKILL

    def _lose_answers(self) -> None:
        faults = f"{self.api}/_emulator/faults"
        while not self.stop.wait(self.random.uniform(0.05, 0.2)):
            if httpx.get(faults).raise_for_status().json()["faults"]:
                continue  # The last one still waits for its call.
            delay = self.random.choice([0, 0, 0.2])
            fault = {"path": "/emails", "method": "POST", "lost_answer": True, "times": 1, "delay": delay}
            httpx.post(faults, json=fault).raise_for_status()
            self.lost_answers += 1


def arrived(api: str) -> Counter[str]:
    """How often each recipient got an e-mail."""
    with PostStack("sk_test_killed_outbox", api) as client:
        emails = client.emails.iterate({"to": "@killed.example", "per_page": 100})
        return Counter(address for email in emails for address in email["toAddresses"])


def test_every_email_arrives_once_whoever_is_killed(
    project: Project, emulator_url: str, emails: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = arrived(emulator_url)
    waiting = "SentEmail.objects.filter(next_attempt_at__isnull=False).count()"
    with Trouble(project, emulator_url) as trouble:
        half = emails // 2
        writers = [
            project.start("-m", "tests.killed.outbox_writer", str(first), str(first + half)) for first in (0, half)
        ]
        committed = {int(line) for writer in writers for line in writer.communicate(timeout=PATIENCE)[0].split()}
        ends_at = time.monotonic() + PATIENCE
        while project.query(waiting) > emails // 20 or trouble.kills < 8:
            assert time.monotonic() < ends_at, "it is not being emptied"
            time.sleep(PAUSE)
    while project.query(waiting):
        assert time.monotonic() < ends_at, "it is not being emptied"
        time.sleep(PAUSE)
    statuses = trouble.end()

    now = arrived(emulator_url)
    now.subtract(before)
    counts = Counter({address: count for address, count in now.items() if count})
    assert counts == Counter({f"committed-{number}@killed.example": 1 for number in committed})
    assert len(committed) == emails - emails // 6
    rows = project.query("list(SentEmail.objects.values_list('status', 'email_id', 'attempts'))")
    assert len(rows) == len({email_id for _, email_id, _ in rows}) == len(committed)
    assert {status for status, _, _ in rows} == {"queued"}
    assert statuses == [0] * DRAINERS
    again = sum(attempts > 1 for _, _, attempts in rows)
    assert again > 0, "nobody was killed, and no answer lost, at a moment that matters"
    with capsys.disabled():
        print(
            f"\n    {len(committed)} e-mails arrived once, {emails // 6} rolled back; {DRAINERS} drainers, "
            f"{trouble.kills} kills, {trouble.lost_answers} answers to lose, {again} e-mails tried more than once"
        )


def test_a_commit_wakes_the_drainer_whatever_the_polling_interval(project: Project) -> None:
    project.environment["KILLED_POLL"] = "3600"
    drainer = project.drainer()
    for number in (2000, 2001):  # The first may come before it waits.
        project.commit(number, number + 1)
        ends_at = time.monotonic() + PATIENCE
        while not project.query(f"SentEmail.objects.filter(status='queued').count() > {number - 2000}"):
            assert time.monotonic() < ends_at, "nobody woke it"
            time.sleep(PAUSE)
    drainer.terminate()
    _, error = drainer.communicate(timeout=PATIENCE)
    assert (drainer.returncode, error) == (0, "")


def test_a_drainer_that_is_asked_to_stop_ends_after_the_call_in_hand(tmp_path: Path) -> None:
    called, may_answer = threading.Event(), threading.Event()

    def answer_when_told(visitor: Visitor) -> None:
        while visitor.request():
            called.set()
            may_answer.wait(PATIENCE)
            visitor.send(ACCEPTED)

    # No database has a part in it: there is nothing to write until the answer has come.
    with (
        serving(answer_when_told) as api,
        databases("sqlite", tmp_path) as settings,
        Project(settings, api.url) as project,
    ):
        # Nothing but the signal may end the call.
        project.environment["KILLED_DEADLINE"] = "120"
        project.commit(1000, 1001)
        drainer = project.drainer()
        assert called.wait(PATIENCE), "it did not call"
        drainer.terminate()
        may_answer.set()
        out, error = drainer.communicate(timeout=PATIENCE)

        assert (drainer.returncode, error) == (0, "")
        assert "1 sent, 0 put off, 0 given up." in out
        assert project.query("SentEmail.objects.get().status") == "queued"
