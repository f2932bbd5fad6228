"""A process that is killed while it sends a bulk, again and again, and is started with the same keys until it ends."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from tests.providers.fakes.sendgrid import API_KEY, FakeSendGrid
from tests.services import is_missing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COUNT = 120
CONCURRENCY = 4


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        server.latency = 0.02
        yield server


@contextmanager
def sending(fake: FakeSendGrid, place: str, prefix: str) -> Generator[subprocess.Popen[str]]:
    arguments = [str(fake.settings()["endpoint"]), API_KEY, place, prefix, str(COUNT)]
    command = [sys.executable, "-m", "tests.killed.bulk_sender", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def sent_until_done(fake: FakeSendGrid, place: str, prefix: str, kills: int) -> list[str]:
    """Kill it so often, each time after some more requests, and return what the last process says."""
    chance = random.Random(17)
    for _ in range(kills):
        seen, more = len(fake.requests), chance.randrange(1, 25)
        with sending(fake, place, prefix) as process:
            while len(fake.requests) < seen + more and process.poll() is None:
                fake.wait(chance.uniform(0.0005, 0.005))
            process.kill()
        assert process.returncode in {0, -signal.SIGKILL}
    with sending(fake, place, prefix) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    said: list[str] = json.loads(out)
    return said


def check(fake: FakeSendGrid, said: list[str], kills: int) -> None:
    delivered = [one.to[0][1] for one in fake.delivered]
    assert len(delivered) == len(set(delivered)), "an e-mail was sent twice"
    assert set(said) <= {"sent", "ambiguous"}
    for number, word in enumerate(said):
        if word == "sent":
            assert f"u{number}@example.net" in delivered
    # Those of one request, where many are in it, and else one for each request under way.
    in_doubt = said.count("ambiguous")
    assert in_doubt <= COUNT // 4 + kills * CONCURRENCY
    assert in_doubt < COUNT


@pytest.mark.skipif(sys.platform == "win32", reason="Processes end otherwise there.")
def test_a_bulk_that_is_killed_again_and_again_sends_nothing_twice(fake: FakeSendGrid, tmp_path: Path) -> None:
    said = sent_until_done(fake, str(tmp_path / "keys.db"), "", kills=5)
    check(fake, said, kills=5)


@pytest.mark.skipif(find_spec("redis") is None, reason="redis is not installed.")
def test_the_same_with_keys_in_a_redis(fake: FakeSendGrid, tmp_path: Path) -> None:
    with ExitStack() as running:
        try:
            url = running.enter_context(redis_server(tmp_path))
        except DemoError as error:
            is_missing(str(error))
        said = sent_until_done(fake, url, "keys:", kills=3)
    check(fake, said, kills=3)


CONTENDER = """
import sys
from poststack.mailbridge import SqliteKeyStore
print("ready", flush=True)
sys.stdin.readline()
won = []
for number in range(int(sys.argv[2])):
    if number % 3 == 0:
        store = SqliteKeyStore(f"{sys.argv[1]}.{number}")  # All of them make the file at the same moment.
    if store.begin(f"key-{number}", sys.argv[3]).state == "new":
        won.append(number)
        store.finish(f"key-{number}", "id")
    store.begin(f"own-{number}-{sys.argv[3]}", sys.argv[3])
    store.abandon(f"own-{number}-{sys.argv[3]}")
print(*won)
"""


def test_of_several_processes_one_alone_gets_each_key(tmp_path: Path) -> None:
    count, place = 60, str(tmp_path / "keys.db")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, place, str(count), f"process-{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    won: list[int] = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        won += map(int, out.split())
    assert sorted(won) == list(range(count))
