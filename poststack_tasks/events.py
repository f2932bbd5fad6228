"""Webhook events as jobs: the receiver answers at once, a worker does the work, and each handler does it once.

In the worker's modules:

    from poststack_tasks import on_event

    @on_event("email.bounced")
    def stop_writing_to(event):
        ...

In the receiver, `process_event.delay(event_job(event))` with the `process_event` of a queue's module.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from poststack import PostStackError, WebhookEvent
from poststack.receiving import EventHandlers, MemoryEventStore, WebhookReceiver
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import JobError
from poststack_tasks.outcomes import Job, Outcome, tell
from poststack_tasks.policy import GiveUp, Sent, decide

if TYPE_CHECKING:
    from poststack.events import EventType
    from poststack.receiving import EventStore

__all__ = ["event_job", "on_event", "process_event"]

Handler = TypeVar("Handler", bound=Callable[..., Any])

_handlers: Final = EventHandlers()
_memory: Final = MemoryEventStore()


def on_event(*types: EventType | str) -> Callable[[Handler], Handler]:
    """Decorate a handler of events of these types, called by `process_event` in a worker; `"*"` means all.

    Raises `ValueError` for a name that no event has.
    """
    return _handlers.on(*types)


def event_job(event: WebhookEvent) -> dict[str, Any]:
    """Return a verified event as the JSON that `process_event` takes."""
    return {
        "id": event.id,
        "type": event.type,
        "timestamp": None if event.timestamp is None else event.timestamp.isoformat(),
        "email_id": event.email_id,
        "data": dict(event.data),
    }


def process_event(job: Job, event: object, *, settings: TaskSettings | None = None) -> Outcome:
    """Call the handlers that have not dealt with the event yet. When one fails, it alone is called again later."""
    settings = current_settings() if settings is None else settings
    now = time.time()
    try:
        read = _event_of(event)
    except JobError as error:
        return tell(Outcome(job, GiveUp("it is no event"), error))
    store: EventStore = _memory if settings.event_store is None else settings.event_store
    # The signature was checked by whoever enqueued the event, so there is no secret here: nothing is received.
    answer = WebhookReceiver(["not used: events come from the queue"], store=store, handlers=_handlers).handle(read)
    if answer.status == 200:
        return tell(Outcome(job, Sent(), None, {"event": read.id}))
    # 500: a handler failed; 503: another worker is at it, or the store is away.
    failure = PostStackError(answer.status, answer.text)
    age = max(0.0, now - (job.first_attempt_at or now))
    decision = decide(failure, attempt=job.attempt, age=age, random=random.random, limits=settings.limits)
    return tell(Outcome(job, decision, failure))


def _event_of(value: object) -> WebhookEvent:
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
    event_id, kind, data = fields.get("id"), fields.get("type"), fields.get("data")
    timestamp, email_id = fields.get("timestamp"), fields.get("email_id")
    if not isinstance(event_id, str) or not isinstance(kind, str) or not isinstance(data, Mapping):
        raise JobError("Give what poststack_tasks.event_job(event) returns, made of a verified event.")
    try:
        at = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else None
    except ValueError:
        at = None
    return WebhookEvent(
        event_id, kind, at, email_id if isinstance(email_id, str) else None, cast("Mapping[str, Any]", data)
    )
