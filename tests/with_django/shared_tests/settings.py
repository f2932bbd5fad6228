"""The smallest project that sends through PostStack. The environment chooses what else it has: see `test_shared.py`.

It names no mail backend, unless asked to: Django's tests do that themselves.
"""

from __future__ import annotations

import os
from typing import Any

SECRET_KEY = "only for tests"
USE_TZ = True

INSTALLED_APPS: list[str] = []
DATABASES: dict[str, Any] = {}
if os.environ["POSTSTACK_TEST_APP"] == "installed":
    INSTALLED_APPS.append("poststack_django")
    DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
if os.environ["POSTSTACK_TEST_CONFIGURATION"] == "MAILERS":
    MAILERS = {"default": {"BACKEND": "poststack_django.backends.EmailBackend"}}
