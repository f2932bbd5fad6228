"""Jobs that were given up stay in the broker, in a queue that no worker reads: nothing that was accepted is gone.

A message there is the job as it was enqueued, with headers that say why it is there. `poststack tasks retry` puts it
back where it came from.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from poststack_tasks.celery.enqueuing import HIDDEN_ARGUMENTS
from poststack_tasks.celery.headers import GIVEN_UP
from poststack_tasks.errors import masked
from poststack_tasks.failed import expiry_known
from poststack_tasks.policy import GiveUp

if TYPE_CHECKING:
    from poststack_tasks.configuration import TaskSettings
    from poststack_tasks.outcomes import Outcome

__all__ = ["given_up_queue", "keep_given_up"]

logger: logging.Logger = logging.getLogger("poststack.tasks")

_LONGEST_MESSAGE: Final = 1_000
"""Characters. A frame of AMQP has to hold all headers."""


def keep_given_up(task: Any, outcome: Outcome, settings: TaskSettings) -> None:
    """Publish a job once more, to the queue of those given up. When the broker does not take it, that is logged."""
    if not settings.keep_given_up or not isinstance(outcome.decision, GiveUp):
        return
    request = task.request
    origin: dict[str, Any] = request.delivery_info or {}
    error = outcome.error
    why: dict[str, Any] = {
        "reason": outcome.decision.reason,
        "at": time.time(),
        "attempts": outcome.job.attempt,
        "error": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "message": masked(str(error))[:_LONGEST_MESSAGE],
        "expires_at": expiry_known(outcome.job.expires, outcome.job.enqueued_at or outcome.job.first_attempt_at),
        "exchange": origin.get("exchange"),
        "routing_key": origin.get("routing_key"),
        "ignore_result": bool(request.ignore_result),
    }
    try:
        task.app.send_task(
            task.name,
            request.args,
            request.kwargs,
            task_id=request.id,
            queue=given_up_queue(settings),
            headers={**(request.headers or {}), GIVEN_UP: why},
            ignore_result=True,
            **HIDDEN_ARGUMENTS,
        )
    except Exception as failure:  # noqa: BLE001  # the error that is raised next says what happened to the e-mail
        logger.error(  # its traceback may show the arguments
            "celery job %s: the broker did not take it into %s (%s).",
            request.id,
            settings.given_up_queue,
            type(failure).__name__,
        )


def given_up_queue(settings: TaskSettings) -> Any:
    """Return the queue, which is declared when something is published to it."""
    kombu: Any = import_module("kombu")
    name = settings.given_up_queue
    return kombu.Queue(name, kombu.Exchange(name, type="direct"), routing_key=name)
