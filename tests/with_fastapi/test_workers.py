"""Several workers of a real server share what they know of events."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from poststack.testing import webhook_call
from tests.services import is_missing

pytestmark = [pytest.mark.anyio, pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/11")


@pytest.fixture
def prefix() -> Iterator[str]:
    redis: Any = import_module("redis")
    own = f"poststack-test:{uuid.uuid4().hex}:"
    with redis.Redis.from_url(REDIS) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            is_missing(f"There is no Redis at {REDIS}.")
        yield own
        for name in client.scan_iter(f"{own}*"):
            client.delete(name)


@pytest.fixture
def server(prefix: str) -> Iterator[str]:
    command = [sys.executable, "-m", "uvicorn", "tests.with_fastapi.webhook_app:app", "--port", "0", "--workers", "2"]
    environment = {**os.environ, "TEST_PREFIX": prefix, "TEST_REDIS": REDIS, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address, started = "", 0
        try:
            for line in process.stderr:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    address = found[0]
                started += "Application startup complete" in line
                if started == 2:
                    break
            else:
                pytest.fail("The server ended before it was ready.")
            yield address
        finally:
            process.terminate()
            process.stderr.read()


async def test_an_event_that_all_workers_get_at_once_is_handled_once(server: str, prefix: str) -> None:
    call = webhook_call(secret="secret")

    async def deliver() -> tuple[int, int]:
        # A connection each: the workers take turns at accepting them.
        async with httpx.AsyncClient(base_url=server, trust_env=False) as browser:
            answer = await browser.post("/webhooks/poststack", content=call.body, headers=dict(call.headers))
            return answer.status_code, int((await browser.get("/pid")).text)

    workers: set[int] = set()
    while len(workers) < 2:
        answers = await asyncio.gather(*[deliver() for _ in range(20)])
        workers |= {worker for _, worker in answers}
        assert {status for status, _ in answers} <= {200, 503}

    redis: Any = import_module("redis")
    with redis.Redis.from_url(REDIS) as client:
        assert int(client.get(f"{prefix}handled")) == 1
