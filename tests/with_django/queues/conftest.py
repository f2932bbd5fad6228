"""Stands for tests of queues in a project: everything is ended with the test, and the logs stay in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services import is_missing

if TYPE_CHECKING:
    from tests.with_django.queues.stand import Stand

if any(find_spec(queue) is None for queue in ("celery", "rq")):
    # Most files are about both; that one is about neither.
    collect_ignore = [file.name for file in Path(__file__).parent.glob("test_*.py") if file.name != "test_imports.py"]


@pytest.fixture
def stands(tmp_path: Path) -> Iterator[Callable[..., Stand]]:
    """Return what sets up a project, its broker and an API for a test; see `stand`."""
    from tests.with_django.queues.stand import stand
    from tests.with_tasks.stand.brokers import BrokerMissingError

    with contextlib.ExitStack() as stack:

        def made(kind: Any, *arguments: Any, **settings: Any) -> Stand:
            try:
                return stack.enter_context(stand(tmp_path, kind, *arguments, **settings))
            except BrokerMissingError as missing:
                is_missing(str(missing))

        yield made
