"""Jobs of `poststack_tasks` in a project that has this app: their e-mails are rows like all others.

    from poststack_tasks.celery import send_email

    send_email.delay({"from": "…", "to": ["…"], "subject": "…", "text": "…"}, idempotency_key=f"welcome/{user.pk}")

The worker needs no second configuration: it sends through the project's default mailer. The row is there before the
call, so that webhooks find it, and has the job's idempotency key: every attempt finds the same one. The staging guard
and the suppressions apply. `post_send` and `send_failed` are sent in the worker; `pre_send` and `SEND_DEFAULTS`, which
are about messages of Django, do not apply.

A database that fails costs the row, not the e-mail: it is logged, and the job goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from poststack_tasks.admission import before_send
from poststack_tasks.configuration import configure_defaults
from poststack_tasks.outcomes import on_outcome

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_tasks.admission import Verdict
    from poststack_tasks.outcomes import Job, Outcome

__all__ = ["register"]


def register() -> None:
    """Let all queues of this process know of the project. Calling it again changes nothing.

    It is cheap: no queue is imported, and models only with the first job.
    """
    configure_defaults(client=_client)
    before_send(_prepared)
    on_outcome(_record)


def _client() -> Any:
    return import_module("poststack_django.jobs.client").JobClient()


def _prepared(job: Job, emails: Sequence[SendEmail]) -> Sequence[Verdict]:
    from poststack_django.jobs.preparing import prepare

    return prepare(emails)


def _record(outcome: Outcome) -> None:
    if outcome.payloads:  # Else it is the job of a webhook event, or none that could be read.
        from poststack_django.jobs.recording import record

        record(outcome)
