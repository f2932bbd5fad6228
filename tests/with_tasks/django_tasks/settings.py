"""A Django project that knows Django Tasks, and nothing of poststack_django."""

from __future__ import annotations

import os

import django

TASKS_PACKAGE = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
BACKENDS = {
    "database": "django_tasks_db.DatabaseBackend",
    "immediate": f"{TASKS_PACKAGE}.backends.immediate.ImmediateBackend",
}

SECRET_KEY = "test"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["TASKS_DATABASE"],
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
    }
}
INSTALLED_APPS = ["django_tasks_db"] if django.VERSION >= (6, 0) else ["django_tasks", "django_tasks_db"]
BACKEND = BACKENDS[os.environ.get("TASKS_BACKEND", "database")]
TASKS: dict[str, dict[str, object]] = {"default": {"BACKEND": BACKEND, "QUEUES": []}}
# The address comes from the environment.
POSTSTACK_API_KEY = "sk_test_django_tasks"
POSTSTACK_DEADLINE = 20
POSTSTACK_TIMEOUT: object = os.environ.get("TASKS_WRONG_TIMEOUT")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
