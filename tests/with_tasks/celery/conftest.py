"""A Celery worker in this process, on a broker in memory: real retries, no server."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

import poststack_tasks
from poststack.testing import EmulatorSession, emulator

if find_spec("celery") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def emu() -> Iterator[EmulatorSession]:
    """Return the API that the worker calls."""
    with emulator() as session:
        client = session.client(max_retries=0)
        poststack_tasks.configure(client=lambda: client, limits=poststack_tasks.Limits(first_delay=0.01))
        yield session
        poststack_tasks.configure(client=None, limits=None)
        poststack_tasks.close_clients()


@pytest.fixture
def app() -> Iterator[Any]:
    """Return an application without a worker, whose queues nobody else uses."""
    with current(made()) as app:
        yield app


@pytest.fixture
def worker(_worker: Any) -> Iterator[Any]:
    """Return an application with a worker."""
    _worker.conf.poststack_given_up_queue = f"given-up-{uuid.uuid4().hex}"
    with current(_worker):
        yield _worker
    for name in ("poststack_keep_given_up", "poststack_client"):
        _worker.conf.changes.pop(name, None)


@pytest.fixture(scope="package")
def _worker() -> Iterator[Any]:
    # One for all tests: to stop it takes seconds.
    app = made()
    start_worker = import_module("celery.contrib.testing.worker").start_worker
    options = {"pool": "solo", "perform_ping_check": False, "shutdown_timeout": 30.0}
    with current(app), level_kept(), start_worker(app, **options):
        yield app


@contextmanager
def level_kept() -> Generator[None]:
    """Keep the level of the log: Celery's worker sets it to ERROR, for this whole process."""
    root = logging.getLogger()
    set_level, level = root.setLevel, root.level
    root.setLevel = lambda level: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        root.setLevel = set_level  # type: ignore[method-assign]
        root.setLevel(level)


def made() -> Any:
    celery: Any = import_module("celery")
    # Nothing of what Celery does where a Django project is set up, as by other tests of this process.
    plain: dict[str, Any] = {"task_cls": "celery.app.task:Task", "fixups": ()}
    app = celery.Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False, **plain)
    app.conf.update(
        task_default_queue=f"mail-{uuid.uuid4().hex}",
        broker_transport_options={"polling_interval": 0.01},
        worker_hijack_root_logger=False,
        result_extended=True,
    )
    app.task(_written, name="tests.written")
    return app


def _written(name: str) -> dict[str, Any]:
    """A task of the application itself."""
    return {"from": "shop@example.com", "to": ["ada@example.com"], "subject": f"Hi {name}", "text": "…"}


@contextmanager
def current(app: Any) -> Generator[Any]:
    """Make it the application that the tasks belong to."""
    before = import_module("celery._state").get_current_app()
    app.set_current()
    try:
        yield app
    finally:
        before.set_current()
