"""Webhook events as jobs: the receiver answers at once, a worker does the work, and each handler does it once.

In the worker's modules:

    from poststack_tasks import on_event

    @on_event("email.bounced")
    def stop_writing_to(event):
        ...

In the receiver, `process_event.delay(event_job(event))` with the `process_event` of a queue's module.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from poststack import PostStackError, WebhookEvent
from poststack.receiving import (
    AsyncWebhookReceiver,
    EventHandlers,
    MemoryEventStore,
    Progress,
    WebhookReceiver,
)
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import JobError, JobExpiredError
from poststack_tasks.outcomes import Job, Outcome, for_queue, tell
from poststack_tasks.policy import GiveUp, Sent, decide, too_late

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from poststack.events import EventType
    from poststack.receiving import Claim, EventStore, WebhookAnswer

__all__ = ["aprocess_event", "event_job", "event_of", "on_event", "process_event"]

Handler = TypeVar("Handler", bound=Callable[..., Any])

_handlers: Final = EventHandlers()
_memory: Final = MemoryEventStore()


def on_event(*types: EventType | str) -> Callable[[Handler], Handler]:
    """Decorate a handler of events of these types, called by `process_event` in a worker; `"*"` means all.

    An `async def` runs on the event loop of an asynchronous worker (arq), elsewhere on one of its own.

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
    turn = _EventTurn(job, event, settings)
    if turn.event is not None:
        receiver = WebhookReceiver(_NO_SECRET, store=turn.store, handlers=_handlers, call=_call)
        turn.answer = receiver.handle(turn.event)
    return turn.end()


async def aprocess_event(job: Job, event: object, *, settings: TaskSettings | None = None) -> Outcome:
    """Do as `process_event` on an event loop, which handlers that are not `async def` do not hold: threads run them."""
    turn = _EventTurn(job, event, settings)
    if turn.event is not None:
        receiver = AsyncWebhookReceiver(_NO_SECRET, store=_AsyncStore(turn.store), handlers=_handlers, call=_acall)
        turn.answer = await receiver.handle(turn.event)
    return turn.end()


# The signature was checked by whoever enqueued the event: nothing is received here.
_NO_SECRET: Final = ("not used: events come from the queue",)


class _EventTurn:
    """What the synchronous and the asynchronous way have in common: everything but the handlers."""

    def __init__(self, job: Job, event: object, settings: TaskSettings | None) -> None:
        self.now = time.time()
        self.job = job if job.first_attempt_at is not None else replace(job, first_attempt_at=self.now)
        self.settings = current_settings() if settings is None else settings
        self.store: EventStore = _memory if self.settings.event_store is None else self.settings.event_store
        self.answer: WebhookAnswer | None = None
        self.event: WebhookEvent | None = None
        self._refusal: tuple[GiveUp, Exception] | None = None
        try:
            read = event_of(event)
        except JobError as error:
            self._refusal = GiveUp("it is no event"), error
            return
        begun = self.now if job.enqueued_at is None else job.enqueued_at
        late = too_late(self.now - begun, None, job.attempt, self.settings.limits)
        if late is None:
            self.event = read
        else:
            self._refusal = late, JobExpiredError(f"The event was not handled: {late.reason}.")

    def end(self) -> Outcome:
        """Decide, and tell everybody."""
        if self._refusal is not None:
            return tell(Outcome(self.job, *self._refusal))
        answer, event = self.answer, self.event
        if answer is None or event is None:
            raise RuntimeError("No handler was asked.")
        if answer.status == 200:
            return tell(Outcome(self.job, Sent(), None, {"event": event.id}))
        # 500: a handler failed; 503: another worker is at it, or the store is away.
        failure = PostStackError(answer.status, answer.text)
        age = max(0.0, time.time() - (self.job.first_attempt_at or self.now))
        decision = decide(failure, attempt=self.job.attempt, age=age, random=random.random, limits=self.settings.limits)
        if not isinstance(decision, Sent):
            ended = ", and its patience ends" if isinstance(decision, GiveUp) else ""
            decision = replace(decision, reason=f"{answer.text.rstrip('.')} at attempt {self.job.attempt}{ended}")
        return tell(Outcome(self.job, for_queue(self.job, decision), failure))


class _AsyncStore:
    """A store for event loops, made of one that may wait: threads ask it."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def abegin(self, key: str) -> Claim:
        claiming = asyncio.ensure_future(asyncio.to_thread(self._store.begin, key))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # The thread goes on. What it claims for nobody would be taken for an event in work until the lease ends.
            claim = await claiming
            if claim.progress is Progress.NEW:
                await asyncio.to_thread(self._store.abandon, claim)
            raise

    async def afinish(self, claim: Claim) -> None:
        await asyncio.to_thread(self._store.finish, claim)

    async def aabandon(self, claim: Claim) -> None:
        await asyncio.to_thread(self._store.abandon, claim)


def _call(handler: Callable[..., Any], event: WebhookEvent) -> None:
    answer = handler(event)
    if asyncio.iscoroutine(answer):
        asyncio.run(cast("Coroutine[Any, Any, object]", answer))


async def _acall(handler: Callable[..., Any], event: WebhookEvent) -> None:
    if iscoroutinefunction(handler):
        await handler(event)
        return
    answer = await asyncio.to_thread(handler, event)
    if isawaitable(answer):  # An object whose `__call__` is `async def`.
        await answer


def event_of(value: object) -> WebhookEvent:
    """Return the event that `event_job` has made a job of. Raises `JobError` for anything else."""
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
