"""The Celery application of a project that uses our task."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from poststack_tasks.celery import send_email

Celery: Any = import_module("celery").Celery
app = Celery("benchmark", broker=os.environ["BENCHMARK_BROKER"], include=["poststack_tasks.celery"])
app.conf.task_ignore_result = True
task: Any = send_email


@app.task  # type: ignore[untyped-decorator]
def plain(payload: dict[str, Any]) -> None:
    """Do nothing: it is there to be enqueued without us."""
