"""Stands for tests that kill workers: everything is ended with the test, and the logs stay in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.with_tasks.stand.celery_stand import CeleryStand
    from tests.with_tasks.stand.rq_stand import RqStand

collect_ignore_glob = [f"test_{queue}_*.py" for queue in ("celery", "rq") if find_spec(queue) is None]


@pytest.fixture
def celery_stands(tmp_path: Path) -> Iterator[Callable[..., CeleryStand]]:
    """Return what sets up a broker, an API and an application for a test."""
    from tests.with_tasks.stand.brokers import BrokerMissingError, has_short_visibility
    from tests.with_tasks.stand.celery_stand import celery_stand

    with contextlib.ExitStack() as stack:

        def made(kind: str, **conf: object) -> CeleryStand:
            if kind == "valkey" and not has_short_visibility():
                pytest.skip("before kombu 5.7 a dead worker's jobs come back after minutes")
            folder = tmp_path / kind
            folder.mkdir()
            try:
                return stack.enter_context(celery_stand(kind, folder, **conf))
            except BrokerMissingError as missing:
                is_missing(str(missing))

        yield made


@pytest.fixture
def rq_stands(tmp_path: Path) -> Iterator[Callable[[], RqStand]]:
    """Return what sets up Redis and an API for a test."""
    from tests.with_tasks.stand.brokers import BrokerMissingError
    from tests.with_tasks.stand.rq_stand import rq_stand

    with contextlib.ExitStack() as stack:

        def made() -> RqStand:
            try:
                return stack.enter_context(rq_stand(tmp_path))
            except BrokerMissingError as missing:
                is_missing(str(missing))

        yield made
