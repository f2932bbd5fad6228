"""Settings of the project. What differs between tests comes from the environment."""

from __future__ import annotations

import json
import os
from typing import Any

import django

from tests.with_django.queues.project import ENVIRONMENT

CHOSEN: dict[str, Any] = json.loads(os.environ[ENVIRONMENT])
"""`queue` (`celery` or `rq`), `broker` (its URL), `celery` (settings of the application), `databases`, `heard` (the
file for what receivers hear), `poststack` and `outbox` (more of these settings)."""

SECRET_KEY = "only for tests"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = ["tests.with_django.queues.project", "poststack_django"]
ROOT_URLCONF = "tests.with_django.queues.project.urls"
DATABASES = CHOSEN["databases"]
DEFAULT_FROM_EMAIL = "shop@example.com"
BACKEND = "poststack_django.backends.OutboxEmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": BACKEND}}
else:
    EMAIL_BACKEND = BACKEND
POSTSTACK = {
    # The key and the address of the API come from the environment. No attempt ends by itself while a test holds it.
    "TIMEOUT": 90.0,
    "DEADLINE": 90.0,
    "WEBHOOK_SECRETS": ["whsec_test_0123456789"],
    "OUTBOX": {
        "TASKS": CHOSEN["queue"],
        **({"TASK_QUEUE": "tests.with_django.queues.project.rq_queue.mail"} if CHOSEN["queue"] == "rq" else {}),
        # So short that what a killed worker leaves behind is not waited for long. Whoever takes a row over from one
        # that still lives is told the same id.
        "LEASE": 4.0,
        "FIRST_DELAY": 0.1,
        "LONGEST_DELAY": 0.5,
        **CHOSEN.get("outbox", {}),
    },
    **CHOSEN.get("poststack", {}),
}
# As much as the package ever says: tests look for what must not be among it.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"poststack": {"level": "DEBUG", "handlers": ["console"]}},
}
