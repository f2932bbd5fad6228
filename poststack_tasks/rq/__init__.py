"""RQ jobs that send e-mail.

    from poststack_tasks.rq import enqueue, send_email

    enqueue(queue, {"from": "…", "to": ["…"], "subject": "…", "text": "…"}, idempotency_key=f"welcome/{user.id}")
    queue.enqueue(send_email, {...})        # works, too; see below

Start workers with their scheduler: `rq worker --with-scheduler`. They read the API key from `POSTSTACK_API_KEY`, or
from `poststack_tasks.configure(api_key=…)` in a module that they import.

What may go better later is tried again by the queue, with `Retry-After`, for a day. What is given up is among RQ's
failed jobs: see `poststack tasks failed`. The functions are sent once, however often RQ runs them.

                                    `enqueue`                       `queue.enqueue(send_email, …)`
    a payload that is no e-mail     `JobError` at once              given up by the worker
    the same key once more          the job there is already        a second job; the API sends once
    the job's process is killed     run again at once               among the failed jobs
    the whole worker is killed      run again by another one        run again, once it had begun to send
    `expires` in seconds            counts from `enqueue` on        counts from RQ's `created_at` on
    RQ's log and dashboards         nothing of the e-mail           addresses and text; give `description=`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poststack_tasks import events, job
from poststack_tasks.rq.attempts import has_own_keys, run
from poststack_tasks.rq.enqueuing import enqueue, enqueue_batch, enqueue_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poststack.types import BatchEmails, SendEmail

__all__ = ["enqueue", "enqueue_batch", "enqueue_event", "process_event", "send_batch", "send_email"]

# The names of these functions are kept in Redis, so they live here, where they stay.


def send_email(payload: SendEmail, idempotency_key: str | None = None, expires: float | str | None = None) -> Any:
    """Send an e-mail once, however often RQ runs this; return `{"id": …}`, or a `Retry` for RQ.

    Called by a job of one's own it raises instead, after having seen to it that RQ runs that job again. Such a job has
    to give an `idempotency_key`. Without a worker it raises what the client raises.
    """
    has_key = idempotency_key is not None or has_own_keys([payload])
    return run(expires, has_key, lambda one, ways: job.send_email(one, payload, idempotency_key, **ways))


def send_batch(
    payloads: Sequence[SendEmail] | BatchEmails,
    idempotency_key: str | None = None,
    expires: float | str | None = None,
) -> Any:
    """Send up to 100 e-mails in one call, each once; return a list of `{"id": …}`. See `send_email`."""
    has_key = idempotency_key is not None or has_own_keys(payloads)
    return run(expires, has_key, lambda one, ways: job.send_batch(one, payloads, idempotency_key, **ways))


def process_event(event: Mapping[str, Any]) -> Any:
    """Call the handlers of `poststack_tasks.on_event` for what `event_job` returned, each once.

    What is done is remembered in the queue's Redis, unless `configure(event_store=…)` says otherwise.
    """
    return run(None, True, lambda one, ways: events.process_event(one, event, settings=ways["settings"]))
