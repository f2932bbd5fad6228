"""Which serializers a job may have: those that the application's workers read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from poststack_tasks.errors import JobError

__all__ = ["check_serializer"]


def check_serializer(task: Any, options: Mapping[str, Any]) -> None:
    """Raise `JobError` when a job with these options of `apply_async` would be discarded by a worker.

    Celery publishes it nevertheless, and its worker logs the whole e-mail as one that it does not trust.
    """
    conf = task.app.conf
    name = options.get("serializer", task.serializer) or conf.task_serializer
    types: Mapping[str, str] = import_module("kombu.serialization").registry.name_to_type
    if name not in types or conf.accept_content is None:
        return  # Celery refuses a name that it does not know, when it publishes.
    # It takes names and content types.
    if types[name] not in {types.get(one, one) for one in conf.accept_content}:
        raise JobError(
            f"The serializer {name!r} is not in the application's accept_content: its workers would discard the job. "
            "Use 'json', which is enough for every e-mail."
        )
