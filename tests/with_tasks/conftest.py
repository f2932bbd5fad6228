"""What tests of task queues share: each begins without settings, clients and observers of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import poststack_tasks
from poststack_tasks import configuration, outcomes


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave nothing behind that a worker process of its own would not have either."""
    monkeypatch.setattr(configuration, "_explicit", {})
    monkeypatch.setattr(configuration, "_defaults", {})
    monkeypatch.setattr(outcomes, "_observers", [])
    monkeypatch.setattr(outcomes, "_counts", type(outcomes._counts)())  # pyright: ignore[reportPrivateUsage]
    yield
    poststack_tasks.close_clients()
