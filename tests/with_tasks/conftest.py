"""What tests of task queues share: each begins without settings, clients and observers of others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import poststack_tasks
from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack_tasks import admission, configuration, outcomes
from tests.services import is_missing
from tests.with_tasks.proving import Api, Workers, proxied


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave nothing behind that a worker process of its own would not have either."""
    monkeypatch.setattr(configuration, "_explicit", {})
    monkeypatch.setattr(configuration, "_defaults", {})
    monkeypatch.setattr(admission, "_checks", [])
    monkeypatch.setattr(outcomes, "_observers", [])
    monkeypatch.setattr(outcomes, "_counts", type(outcomes._counts)())  # pyright: ignore[reportPrivateUsage]
    yield
    poststack_tasks.close_clients()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Redis that nobody else uses."""
    with contextlib.ExitStack() as running:
        try:
            url = running.enter_context(redis_server(tmp_path_factory.mktemp("redis")))
        except DemoError as error:
            is_missing(str(error))
        yield url


@pytest.fixture
def api(emulator_url: str) -> Iterator[Api]:
    """Return the API that workers call, empty and without faults."""
    with proxied(emulator_url) as api:
        yield api


@pytest.fixture
def workers(tmp_path: Path, api: Api) -> Iterator[Workers]:
    """Return what starts workers, which send through `api`."""
    workers = Workers(tmp_path, {"POSTSTACK_API_KEY": "sk_test_workers", "POSTSTACK_BASE_URL": api.url})
    try:
        yield workers
    finally:
        workers.close()
