"""Northlight's programs, for tests: the site under gunicorn, RQ workers, Redis and the emulator."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from example_projects.demo.flask import COMMAND, Site, opened
from example_projects.demo.programs import ON_THIS_MACHINE, ROOT
from example_projects.demo.redis_server import RedisMissingError
from example_projects.demo.stage import Stage
from tests.services import is_missing

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["site", "worker"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    with Stage(tmp_path_factory.mktemp("northlight"), once=True, stop=threading.Event()) as stage:
        try:
            running = opened(stage)
        except RedisMissingError as error:
            is_missing(str(error))
        yield running


@contextlib.contextmanager
def worker(site: Site) -> Generator[subprocess.Popen[bytes]]:
    """Run a worker in a session of its own, so that it can be killed with all that it has started."""
    command = [sys.executable, *COMMAND, "worker"]
    environment = {**os.environ, **ON_THIS_MACHINE, **site.environment}
    with (site.stage.folder / f"worker-{time.monotonic_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
                break
