"""The modules of `docs/tasks-….md`, each run by a real worker of its queue, which is killed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.with_tasks.proving import EMAIL, ROOT, Api, Worker, Workers, wait_for

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="kills processes"), pytest.mark.slow]


@dataclass
class Recipe:
    """How one queue is used, with the module of its page as `mail`."""

    name: str
    package: str
    worker: list[str]
    enqueue: str
    """Statements that enqueue `email`."""
    given_up: str
    """Statements that print whether one job was given up and is kept, as JSON."""
    also: list[str] = field(default_factory=list[str])
    """A program that runs beside the worker."""
    shorter: dict[str, str] = field(default_factory=dict[str, str])
    """Times of the page that would be long for a test."""
    survives_kill: bool = True


RECIPES = [
    Recipe(
        "saq",
        "saq",
        ["-m", "saq", "mail.settings"],
        "asyncio.run(mail.queue.enqueue(mail.email_job(email)))",
        """
async def main():
    await mail.queue.connect()
    return [(job.status, job.attempts, "Refused" in job.error) async for job in mail.queue.iter_jobs()]
print(json.dumps(asyncio.run(main()) == [("failed", 1, True)]))
""",
        shorter={'"timeout": 45': '"timeout": 2', '"sweep": 5': '"sweep": 1'},
    ),
    Recipe(
        "dramatiq",
        "dramatiq",
        ["-m", "dramatiq", "mail", "--processes", "1", "--threads", "2"],
        "mail.enqueue(email)",
        'print(json.dumps(mail.broker.client.zcard("dramatiq:default.XQ") == 1))',
        shorter={"heartbeat_timeout=10_000": "heartbeat_timeout=4_000"},
    ),
    Recipe(
        "taskiq",
        "taskiq_redis",
        ["-m", "taskiq", "worker", "mail:broker", "--workers", "1"],
        "asyncio.run(mail.enqueue(email))",
        """
async def main():
    await mail.later.startup()
    return await mail.later.get_schedules()
print(json.dumps(asyncio.run(main()) == []))
""",
        also=["-m", "taskiq", "scheduler", "mail:scheduler", "--update-interval", "1"],
        shorter={"idle_timeout=60_000": "idle_timeout=3_000"},
    ),
    Recipe(
        "huey",
        "huey",
        ["-m", "huey.bin.huey_consumer", "mail.huey", "-w", "2"],
        "mail.enqueue(email)",
        "print(json.dumps(mail.huey.result_count() == 1))",
        survives_kill=False,
    ),
]  # fmt: skip


class Kitchen:
    """A recipe at work."""

    def __init__(self, recipe: Recipe, workers: Workers, folder: Path) -> None:
        self.recipe = recipe
        self.workers = workers
        page = (ROOT / f"docs/tasks-{recipe.name}.md").read_text("utf-8")
        found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
        assert found is not None
        module = found[1]
        for long, short in recipe.shorter.items():
            assert long in module
            module = module.replace(long, short)
        (folder / "mail.py").write_text(module, "utf-8")

    def worker(self) -> Worker:
        return self.workers.start(*self.recipe.worker)

    def run(self, code: str) -> Any:
        return self.workers.run("-c", f"import asyncio, json, mail; email = {EMAIL!r}\n{code}")

    def enqueue(self) -> None:
        self.run(self.recipe.enqueue)


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.name)
def kitchen(request: pytest.FixtureRequest, workers: Workers, tmp_path: Path) -> Kitchen:
    recipe: Recipe = request.param
    if find_spec(recipe.package) is None:
        other = " It has an environment of its own: nox -s arq" if recipe.name == "saq" else ""
        pytest.skip(f"{recipe.package} is not installed.{other}")
    if recipe.name != "huey":
        redis_url: str = request.getfixturevalue("redis_url")
        database = RECIPES.index(recipe) + 4
        workers.environment["REDIS_URL"] = f"{redis_url.rpartition('/')[0]}/{database}"
    workers.environment |= {
        "HUEY_FILE": str(tmp_path / "huey.sqlite3"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    kitchen = Kitchen(recipe, workers, tmp_path)
    if recipe.name != "huey":
        empty = "import os, redis; redis.Redis.from_url(os.environ['REDIS_URL']).flushdb()"
        workers.run("-c", empty)
    return kitchen


@pytest.fixture
def beside(kitchen: Kitchen) -> Callable[[], None]:
    """Start what runs beside the worker."""

    def start() -> None:
        if kitchen.recipe.also:
            kitchen.workers.start(*kitchen.recipe.also)

    return start


def test_each_attempt_comes_when_the_api_says(kitchen: Kitchen, api: Api, beside: Callable[[], None]) -> None:
    api.fail(status=503, retry_after=1, times=2)
    beside()
    worker = kitchen.worker()
    kitchen.enqueue()

    wait_for("the e-mail", lambda: api.emails, worker)

    assert len(api.attempts) == 3
    assert len(api.emails) == 1
    assert len(api.keys) == 1
    assert next(iter(api.keys)).startswith(f"{kitchen.recipe.name}-")
    assert all(later.at - earlier.at >= 1 for earlier, later in pairwise(api.attempts))
    assert "example" not in worker.log


def test_a_refusal_ends_the_job_and_is_kept(kitchen: Kitchen, api: Api) -> None:
    api.fail(status=422, error="Refused for ada@example.org")
    worker = kitchen.worker()
    kitchen.enqueue()

    wait_for("the attempt", lambda: api.attempts, worker)
    wait_for("the end of it", lambda: "given up" in worker.log, worker)
    wait_for("what is kept of it", lambda: kitchen.run(kitchen.recipe.given_up), worker)

    assert len(api.attempts) == 1
    assert "example" not in worker.log


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_killed_worker(kitchen: Kitchen, api: Api, point: Any) -> None:
    held = api.hold(point)
    first = kitchen.worker()
    kitchen.enqueue()
    wait_for("the attempt", held.reached.is_set, first)
    first.kill()

    second = kitchen.worker()
    if kitchen.recipe.name == "taskiq":
        # It looks for what was left only when something else arrives.
        def looked() -> bool:
            kitchen.run("asyncio.run(mail.look_for_lost_tasks.kiq())")
            return len(api.attempts) == 2

        wait_for("the second attempt", looked, second)
    elif kitchen.recipe.survives_kill:
        wait_for("the second attempt", lambda: len(api.attempts) == 2, second)
    else:
        # What was enqueued later is sent, and what was being sent is not: it is gone.
        kitchen.enqueue()
        wait_for("the second e-mail", lambda: len(api.keys) == 2, second)
        wait_for("its acceptance", lambda: len(api.emails) == (2 if point == "after" else 1), second)
        assert len(api.attempts) == 2
        return
    wait_for("the e-mail", lambda: api.emails, second)

    assert len(api.emails) == 1
    assert len(api.keys) == 1
