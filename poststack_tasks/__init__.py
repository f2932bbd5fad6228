"""Jobs that send e-mail, for task queues: none is lost, none is sent twice, and what became of each is known.

    from poststack_tasks.celery import send_email        # or .rq, .arq, .django

    send_email.delay({"from": "…", "to": ["…"], "subject": "…", "text": "…"})

This package has what all queues share, and needs none of them: the judgement (`decide`), settings (`configure`), who
has a say before an e-mail is sent (`before_send`), and who hears what became of it (`on_outcome`, `counts`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from poststack_tasks.policy import Decision, GiveUp, Limits, RetryLater, Sent, decide, too_late

if TYPE_CHECKING:
    from poststack_tasks.admission import Settled, before_send, forget_before_send
    from poststack_tasks.clients import close_clients
    from poststack_tasks.configuration import TaskSettings, configure, configure_defaults, current_settings
    from poststack_tasks.errors import BatchNotAllSentError, JobError, JobExpiredError
    from poststack_tasks.events import event_job, on_event
    from poststack_tasks.outcomes import Job, Outcome, counts, forget_outcome, on_outcome

__all__ = [
    "BatchNotAllSentError",
    "Decision",
    "GiveUp",
    "Job",
    "JobError",
    "JobExpiredError",
    "Limits",
    "Outcome",
    "RetryLater",
    "Sent",
    "Settled",
    "TaskSettings",
    "before_send",
    "close_clients",
    "configure",
    "configure_defaults",
    "counts",
    "current_settings",
    "decide",
    "event_job",
    "forget_before_send",
    "forget_outcome",
    "on_event",
    "on_outcome",
    "too_late",
]

# Loaded when they are first used: who needs the policy alone, as the outbox of `poststack_django`, loads no client.
_HOMES = {
    "BatchNotAllSentError": "errors",
    "Job": "outcomes",
    "JobError": "errors",
    "JobExpiredError": "errors",
    "Outcome": "outcomes",
    "Settled": "admission",
    "TaskSettings": "configuration",
    "before_send": "admission",
    "close_clients": "clients",
    "configure": "configuration",
    "configure_defaults": "configuration",
    "counts": "outcomes",
    "current_settings": "configuration",
    "event_job": "events",
    "forget_before_send": "admission",
    "forget_outcome": "outcomes",
    "on_event": "events",
    "on_outcome": "outcomes",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
