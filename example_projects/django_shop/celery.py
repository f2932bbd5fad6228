"""The Celery application, which worker and beat are started with: `celery -A example_projects.django_shop worker`."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_projects.django_shop.settings")

app = Celery("kettle_and_leaf")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # Of poststack_django, too.


@setup_logging.connect  # type: ignore[untyped-decorator]
def leave_logging_to_django(**kwargs: object) -> None:
    """Without this, Celery would replace what the settings say."""
