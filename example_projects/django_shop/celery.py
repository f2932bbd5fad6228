"""The Celery application, which worker and beat are started with: `celery -A example_projects.django_shop worker`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery  # pyright: ignore[reportMissingTypeStubs]
from celery.signals import setup_logging  # pyright: ignore[reportMissingTypeStubs]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_projects.django_shop.settings")

app: Any = Celery("kettle_and_leaf")  # Celery has no types.
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # Of poststack_django, too.


@setup_logging.connect  # type: ignore[untyped-decorator]
def leave_logging_to_django(**kwargs: object) -> None:
    """Without this, Celery would replace what the settings say."""
