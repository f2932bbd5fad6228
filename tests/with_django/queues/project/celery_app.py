"""The project's Celery application."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

from tests.with_django.queues.project import ENVIRONMENT

CHOSEN: dict[str, Any] = json.loads(os.environ[ENVIRONMENT])

app: Any = import_module("celery").Celery("project", broker=CHOSEN["broker"])
app.conf.update(CHOSEN["celery"])
app.autodiscover_tasks()


def _plain(number: int) -> int:
    return number


plain: Any = app.task(_plain, name="project.plain")
"""A task that is none of ours, to compare with."""
