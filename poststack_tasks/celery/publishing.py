"""What is done to jobs of this package that are published without its tasks: by `app.send_task`, with their names.

It is done in every process that has imported `poststack_tasks.celery`, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from poststack_tasks.celery.enqueuing import HIDDEN_ARGUMENTS
from poststack_tasks.celery.headers import ENQUEUED_AT, GIVEN_UP
from poststack_tasks.celery.redis_broker import close_gap_of_any_application

__all__ = ["mark_jobs"]


def mark_jobs(names: Iterable[str]) -> None:
    """Hide the arguments of tasks with these names in workers' events and logs, and protect them on Redis."""
    ours: Final = frozenset(names)

    def mark(sender: str, headers: dict[str, Any], **_: Any) -> None:
        if sender not in ours:
            return
        if "argsrepr" in headers:  # Celery's old protocol has none.
            headers.update(HIDDEN_ARGUMENTS)
        if ENQUEUED_AT not in headers and GIVEN_UP not in headers:
            headers[ENQUEUED_AT] = time.time()
            close_gap_of_any_application()

    signal: Any = import_module("celery.signals").before_task_publish
    signal.connect(mark, weak=False, dispatch_uid="poststack_tasks.mark_jobs")
