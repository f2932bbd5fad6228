"""The project. As Celery's documentation has it, its application is loaded with the package of the settings."""

from __future__ import annotations

import json
import os

ENVIRONMENT = "QUEUES_PROJECT"
"""The environment variable with what differs between tests, as JSON: see `settings.py`."""

if json.loads(os.environ.get(ENVIRONMENT, "{}")).get("queue") == "celery":
    from tests.with_django.queues.project import celery_app

    __all__ = ["ENVIRONMENT", "celery_app"]
