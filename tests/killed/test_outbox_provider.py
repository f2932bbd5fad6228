"""Drainers that are killed while they send through a provider that knows no idempotency keys.

No e-mail is sent twice. One whose acceptance nobody heard of is sent by nobody again, and its row says so.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.killed.test_outbox import PAUSE, Project, databases
from tests.patience import PATIENCE
from tests.providers.fakes.base import Fault
from tests.providers.fakes.sendgrid import FakeSendGrid

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("django") is None, reason="Django is not installed."),
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
]

EMAILS = 60
DRAINERS = 3
WAITING = "SentEmail.objects.filter(next_attempt_at__isnull=False).count()"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def project(request: pytest.FixtureRequest, tmp_path: Path, fake: FakeSendGrid) -> Iterator[Project]:
    provider = {"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": json.dumps(fake.settings())}
    with (
        databases(request.param, tmp_path) as settings,
        Project(settings, "http://127.0.0.1:9", **provider) as project,
    ):
        yield project


def wait_until_empty(project: Project) -> None:
    ends_at = time.monotonic() + PATIENCE
    while project.query(WAITING):
        assert time.monotonic() < ends_at, "it is not being emptied"
        time.sleep(PAUSE)


def test_an_email_whose_acceptance_nobody_heard_of_is_not_sent_again(project: Project, fake: FakeSendGrid) -> None:
    fake.faults.append(Fault(taken=True, stall=PATIENCE, reset=True))
    project.environment["KILLED_DEADLINE"] = "20"  # Nothing but the kill ends the call.
    project.commit(0, 1)
    drainer = project.drainer()
    ends_at = time.monotonic() + PATIENCE
    while not fake.delivered:
        assert time.monotonic() < ends_at, "it did not call"
        time.sleep(0.02)
    drainer.kill()
    drainer.communicate()
    assert project.query("SentEmail.objects.get().status") == "waiting"

    project.environment["KILLED_DEADLINE"] = "2"
    project.query("SentEmail.objects.update(next_attempt_at='2020-01-01T00:00:00Z')")  # The lease is over.
    second = project.drainer()
    wait_until_empty(project)
    second.terminate()
    second.communicate(timeout=PATIENCE)

    assert len(fake.delivered) == 1
    status, code, error = project.query("SentEmail.objects.values_list('status', 'error_code', 'error').get()")
    assert (status, code) == ("unknown", "outcome_unknown")
    assert "begun at sendgrid" in error


def test_whoever_is_killed_nothing_is_sent_twice(
    project: Project, fake: FakeSendGrid, capsys: pytest.CaptureFixture[str]
) -> None:
    if "mariadb" in project.environment["KILLED_DATABASES"]:
        pytest.skip("two databases say it all, and this takes a while")
    fake.latency = 0.1
    project.commit(0, EMAILS)
    stop, chance, kills = threading.Event(), random.Random(11), Counter[str]()

    def keep_killing() -> None:
        while not stop.is_set():
            process: subprocess.Popen[str] = project.drainer()
            stop.wait(chance.uniform(0.2, 3.0))
            process.kill()
            process.communicate()
            kills["all"] += 1

    threads = [threading.Thread(target=keep_killing) for _ in range(DRAINERS)]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + PATIENCE
    while project.query(WAITING) > EMAILS // 10 and time.monotonic() < ends_at:
        time.sleep(PAUSE)
    stop.set()
    for thread in threads:
        thread.join()
    last = project.drainer()
    wait_until_empty(project)
    last.terminate()
    last.communicate(timeout=PATIENCE)

    sent = Counter(one.to[0][1] for one in fake.delivered)
    told = project.query("list(EmailRecipient.objects.values_list('address', 'sent_email__status'))")
    statuses = dict(told)
    assert set(sent.values()) == {1}
    assert len(statuses) == len(told) == EMAILS - EMAILS // 6
    assert set(statuses.values()) <= {"queued", "unknown"}
    # What is said to have left has left; what nobody knows of may have.
    assert {address for address, status in statuses.items() if status == "queued"} <= set(sent)
    assert set(sent) <= set(statuses)
    doubtful = sum(status == "unknown" for status in statuses.values())
    assert doubtful < len(statuses)
    with capsys.disabled():
        print(f"\n    {len(sent)} e-mails sent once, {doubtful} of {len(statuses)} in doubt; {kills['all']} kills")
