"""The Celery application of the stand: what a project would have, and points to hold a worker at.

Its settings come from the environment, because a worker is a program of its own.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

import poststack_tasks
from poststack_tasks.clients import get_client
from tests.with_tasks.stand.holding import ANSWERED, RETRIED, TAKEN, hold_here

__all__ = ["CONF", "SUBJECT", "WARM", "make_app"]

CONF = "STAND_CELERY"
"""The environment variable with the settings, as JSON. It makes this module an application."""
WARM = "STAND_WARM"
"""The environment variable with a recipient to whom the worker writes before it forks."""
SUBJECT = "Hi"


def make_app(conf: dict[str, Any]) -> Any:
    """Return an application that is not the current one."""
    celery: Any = import_module("celery")
    import_module("poststack_tasks.celery")  # Only workers import what `include` names.
    app = celery.Celery("stand", include=["poststack_tasks.celery"], set_as_current=False)
    app.conf.update(conf)
    return app


def _hold_answered(outcome: poststack_tasks.Outcome) -> None:
    if outcome.name == "sent":
        hold_here(outcome.job.id, ANSWERED)


def _hold_retried(request: Any, **_: Any) -> None:
    hold_here(request.id, RETRIED)


def _hold_taken() -> None:
    taking: Any = import_module("kombu.transport.redis").QoS
    append = taking.append

    def held(self: Any, message: Any, delivery_tag: str) -> None:
        hold_here(str(message.headers.get("id")), TAKEN)
        append(self, message, delivery_tag)

    taking.append = held


if CONF in os.environ:
    app = make_app(json.loads(os.environ[CONF]))
    app.set_current()
    poststack_tasks.on_outcome(_hold_answered)
    import_module("celery.signals").task_retry.connect(_hold_retried)
    if str(app.conf.broker_url).startswith("redis:"):
        _hold_taken()
    if WARM in os.environ:
        # Opens a connection that all children inherit.
        get_client(poststack_tasks.current_settings(app.conf)).emails.send(
            {"from": "shop@example.com", "to": [os.environ[WARM]], "subject": SUBJECT, "text": "before the fork"}
        )
