"""Settings of the small project whose processes `test_outbox` kills. What differs comes from the environment."""

from __future__ import annotations

import json
import os

import django

SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = ["poststack_django"]
DATABASES = json.loads(os.environ["KILLED_DATABASES"])
DEFAULT_FROM_EMAIL = "shop@example.com"
BACKEND = "poststack_django.backends.OutboxEmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": BACKEND}}
else:
    EMAIL_BACKEND = BACKEND
POSTSTACK = {
    # Short times, so that what a killed process leaves behind is not waited for long. The key and the address of the
    # API come from the environment.
    "TIMEOUT": float(os.environ.get("KILLED_DEADLINE", "2")),
    "DEADLINE": float(os.environ.get("KILLED_DEADLINE", "2")),
    "OUTBOX": {
        "POLL": float(os.environ.get("KILLED_POLL", "0.5")),
        "BATCH_SIZE": 7,
        "LEASE": float(os.environ.get("KILLED_DEADLINE", "2")) + 1.0,
        "FIRST_DELAY": 0.05,
        "LONGEST_DELAY": 0.5,
    },
}
