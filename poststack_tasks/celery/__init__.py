"""Celery tasks that send e-mail.

    from poststack_tasks.celery import send_email

    send_email.delay({"from": "…", "to": ["…"], "subject": "…", "text": "…"})
    send_email.delay({...}, idempotency_key=f"welcome/{user.pk}", expires=600)

The worker has to import this module: `Celery(..., include=["poststack_tasks.celery"])`. It reads the API key from
`POSTSTACK_API_KEY`, or from `app.conf.poststack_api_key`; all fields of `poststack_tasks.TaskSettings` can be set so.

A payload that is no e-mail is refused by `delay` with `poststack_tasks.JobError`. What may go better later is tried
again by the queue, with `Retry-After`, for a day. What is given up ends as `FAILURE` and is kept in the queue
`poststack.given_up`: see `poststack tasks failed`.
"""

from __future__ import annotations

from poststack_tasks.celery.tasks import process_event, send_batch, send_email
from poststack_tasks.celery.typed import BatchTask, EmailTask, EventTask

__all__ = ["BatchTask", "EmailTask", "EventTask", "process_event", "send_batch", "send_email"]
