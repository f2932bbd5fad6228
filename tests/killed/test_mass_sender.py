"""A process that is killed while it sends many e-mails with one call, and started again until it comes to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from poststack import PostStack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Processes end otherwise there."),
]

ROOT = Path(__file__).parents[2]
COUNT = 2_000
KILLS = 4


def start(url: str, flavour: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "tests.killed.mass_sender", url, f"news-{flavour}", str(COUNT), flavour]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def accepted(client: PostStack) -> int:
    return client.emails.list({"subject": "News", "per_page": 1})["meta"]["total"]


@pytest.fixture
def url(emulator_url: str) -> Iterator[str]:
    """Return the address of an emulator that takes its time and loses some of its answers."""
    faults = f"{emulator_url}/_emulator/faults"
    slow = {"path": "/emails", "method": "POST", "delay": 0.05}
    for fault in ({**slow, "lost_answer": True, "share": 0.2, "seed": 3}, slow):
        httpx.post(faults, json=fault).raise_for_status()
    yield emulator_url
    httpx.delete(faults).raise_for_status()


@pytest.mark.parametrize("flavour", ["threads", "asyncio"])
def test_killed_again_and_again_it_sends_everything_once(url: str, flavour: str) -> None:
    chance = random.Random(f"{flavour} 5")
    ids: dict[str, str] = {}
    kills = 0

    def read(out: str) -> int:
        """Take what was said of each e-mail, and return how many were accepted by an earlier call."""
        lines = [line.split(" ", 3) for line in out.splitlines(keepends=True) if line.endswith("\n")]
        for index, email_id, _, error in lines:
            assert error == "None\n"
            # What was said once is so for ever.
            assert ids.setdefault(index, email_id) == email_id
        return sum(replayed == "True" for _, _, replayed, _ in lines)

    with PostStack("sk_test_killed", url) as client:
        before = accepted(client)
        for _ in range(KILLS):
            # The next one is killed a little further on: after so many e-mails, in the middle of some call.
            aim = accepted(client) - before + chance.randrange(1, COUNT // KILLS - 100)
            with start(url, flavour) as process:
                while accepted(client) - before < aim and process.poll() is None:
                    pass
                process.kill()
                assert process.stdout is not None
                read(process.stdout.read())
            kills += process.returncode == -signal.SIGKILL
        assert kills > 0

        with start(url, flavour) as process:
            out, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        assert read(out) > 0

        assert accepted(client) - before == COUNT
        assert len(ids) == len(set(ids.values())) == COUNT
