"""Stands for tests that kill workers: everything is ended with the test, and the logs stay in its folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.with_tasks.stand.celery_stand import CeleryStand

# They take minutes, with four brokers: `POSTSTACK_EXHAUSTIVE=1` runs them.
collect_ignore_glob = (
    [] if find_spec("celery") and os.environ.get("POSTSTACK_EXHAUSTIVE") == "1" else ["test_celery*.py", "test_rq*.py"]
)


@pytest.fixture
def celery_stands(tmp_path: Path) -> Iterator[Callable[..., CeleryStand]]:
    """Return what sets up a broker, an API and an application for a test."""
    from tests.with_tasks.stand.brokers import BrokerMissingError
    from tests.with_tasks.stand.celery_stand import celery_stand

    with contextlib.ExitStack() as stack:

        def made(kind: str, **conf: object) -> CeleryStand:
            folder = tmp_path / kind
            folder.mkdir()
            try:
                return stack.enter_context(celery_stand(kind, folder, **conf))
            except BrokerMissingError as missing:
                is_missing(str(missing))

        yield made
