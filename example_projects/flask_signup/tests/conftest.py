"""The application with a database and a Redis of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from rq import Queue, SimpleWorker
from rq.scheduler import RQScheduler

import poststack_tasks
from example_projects.demo.redis_server import redis_server
from example_projects.flask_signup import create_app, database
from poststack.testing import EmulatorSession

if TYPE_CHECKING:
    from flask import Flask

Work: TypeAlias = Callable[[], None]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def app(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Flask]:
    monkeypatch.setenv("SIGNUP_DATA_DIR", str(tmp_path))
    app = create_app(
        {
            "TESTING": True,
            "WTF_CSRF_ENABLED": False,
            "DATABASE": database.path(),
            "REDIS_URL": redis_url,
            "POSTSTACK_WEBHOOK_SECRETS": "whsec_test_0123456789",
        }
    )
    yield app

    queue: Queue = app.extensions["letters"]
    queue.delete(delete_jobs=True)
    queue.connection.flushdb()  # pyright: ignore[reportUnknownMemberType]  # its options are untyped
    queue.connection.close()


@pytest.fixture
def work(app: Flask, poststack_emulator: EmulatorSession) -> Generator[Work]:
    """Do all that is in the queue, as the worker does, with a client of the emulator."""
    poststack_tasks.configure(client=lambda: poststack_emulator.client(max_retries=0))
    queue: Queue = app.extensions["letters"]
    # As if a scheduler ran, which would put jobs back.
    queue.connection.set(RQScheduler.get_locking_key(queue.name), "a scheduler")

    def work() -> None:
        SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="WARNING")

    yield work
    poststack_tasks.close_clients()
    poststack_tasks.configure(client=None)
