"""A Celery application as a project has it. Its settings come from the environment: a worker is another program."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

BROKER, QUEUE = "CELERY_PROJECT_BROKER", "CELERY_PROJECT_QUEUE"


def made(broker: str, queue: str) -> Any:
    app = import_module("celery").Celery("project", include=["poststack_tasks.celery"], set_as_current=False)
    app.conf.update(
        broker_url=broker,
        task_default_queue=queue,
        poststack_given_up_queue=f"{queue}.given_up",
        broker_transport_options={"polling_interval": 0.1} if broker.startswith("redis") else {},
    )
    return app


if BROKER in os.environ:
    app = made(os.environ[BROKER], os.environ[QUEUE])
