"""Events as jobs: each handler deals with each event once, in a worker of either kind."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from poststack import WebhookEvent
from poststack.receiving import Claim, EventHandlers, MemoryEventStore, Progress
from poststack_tasks import (
    GiveUp,
    Job,
    JobError,
    JobExpiredError,
    Limits,
    Outcome,
    RetryLater,
    Sent,
    TaskSettings,
    event_job,
    events,
    on_event,
)

EVENT = WebhookEvent(
    "ev_1", "email.bounced", datetime(2026, 11, 1, 12, tzinfo=timezone.utc), "em_1", {"recipient": "ada@example.org"}
)
JOB = Job("test", "j1")

Processor = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_handlers", EventHandlers())
    monkeypatch.setattr(events, "_memory", MemoryEventStore())


@pytest.fixture(params=["sync", "async"])
def process(request: pytest.FixtureRequest) -> Processor:
    def do(event: object, job: Job = JOB, **settings: Any) -> Outcome:
        own = TaskSettings(**settings)
        if request.param == "async":
            return asyncio.run(events.aprocess_event(job, event, settings=own))
        return events.process_event(job, event, settings=own)

    return do


def test_an_event_comes_out_of_the_queue_as_it_was(process: Processor) -> None:
    seen: list[WebhookEvent] = []
    on_event("email.bounced")(seen.append)

    outcome = process(json.loads(json.dumps(event_job(EVENT))))

    assert seen == [EVENT]
    assert outcome.decision == Sent()
    assert outcome.result == {"event": "ev_1"}


def test_an_event_without_time_and_email_is_one_too(process: Processor) -> None:
    seen: list[WebhookEvent] = []
    on_event("*")(seen.append)
    bare = WebhookEvent("ev_2", "contact.created", None, None, {})

    assert process(event_job(bare)).decision == Sent()
    assert process({**event_job(bare), "id": "ev_3", "timestamp": "no moment"}).decision == Sent()

    assert [(event.id, event.timestamp) for event in seen] == [("ev_2", None), ("ev_3", None)]


def test_an_event_that_comes_again_is_not_handled_again(process: Processor) -> None:
    seen: list[str] = []

    @on_event("email.bounced")
    def handler(event: WebhookEvent) -> None:
        seen.append(event.id)

    assert process(event_job(EVENT)).decision == Sent()
    assert process(event_job(EVENT), Job("test", "j2")).decision == Sent()
    assert seen == ["ev_1"]


def test_only_the_handler_that_failed_is_called_again(process: Processor, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    @on_event("email.bounced")
    def works(event: WebhookEvent) -> None:
        calls.append("works")

    @on_event("*")
    def fails_once(event: WebhookEvent) -> None:
        calls.append("fails")
        if calls.count("fails") == 1:
            raise RuntimeError

    with caplog.at_level(logging.INFO, "poststack.tasks"):
        first = process(event_job(EVENT))
        second = process(event_job(EVENT), Job("test", "j1", 2, time.time() - 5, time.time() - 5))

    assert isinstance(first.decision, RetryLater)
    assert first.decision.reason == "A handler failed at attempt 1"
    assert second.decision == Sent()
    assert calls == ["works", "fails", "fails"]
    assert "example.org" not in "".join(
        record.getMessage() for record in caplog.records if record.name == "poststack.tasks"
    )


@pytest.mark.parametrize("asynchronous", [False, True])
def test_handlers_of_both_kinds_are_called_outside_of_a_workers_loop_when_they_block(
    process: Processor, asynchronous: bool
) -> None:
    seen: list[Any] = []

    if asynchronous:

        @on_event("email.bounced")
        async def writes(event: WebhookEvent) -> None:
            await asyncio.sleep(0)
            seen.append(event.id)

    else:

        @on_event("email.bounced")
        def blocks(event: WebhookEvent) -> None:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            seen.append(event.id)

    assert process(event_job(EVENT)).decision == Sent()
    assert seen == ["ev_1"]


def test_an_object_with_an_asynchronous_call_is_waited_for(process: Processor) -> None:
    class Handler:
        seen: list[str] = []  # noqa: RUF012

        async def __call__(self, event: WebhookEvent) -> None:
            await asyncio.sleep(0)
            self.seen.append(event.id)

    on_event("email.bounced")(Handler())

    assert process(event_job(EVENT)).decision == Sent()
    assert Handler.seen == ["ev_1"]


def test_an_event_in_another_workers_hands_is_looked_at_later(process: Processor) -> None:
    on_event("email.bounced")(print)
    store = MemoryEventStore()
    store.begin("ev_1/builtins.print")

    outcome = process(event_job(EVENT), event_store=store)

    assert isinstance(outcome.decision, RetryLater)
    assert "being handled" in outcome.decision.reason


def test_a_store_that_is_away_is_waited_for(process: Processor) -> None:
    class Away(MemoryEventStore):
        def begin(self, key: str) -> Claim:
            raise ConnectionError

    on_event("email.bounced")(print)

    assert isinstance(process(event_job(EVENT), event_store=Away()).decision, RetryLater)


@pytest.mark.parametrize("event", [None, {}, {"id": "ev_1"}, {**event_job(EVENT), "data": []}, "ev_1", EVENT], ids=str)
def test_what_is_no_event_is_given_up(process: Processor, event: object) -> None:
    outcome = process(event)

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, JobError)


def test_an_event_whose_handler_never_works_is_given_up(process: Processor) -> None:
    @on_event("email.bounced")
    def fails(event: WebhookEvent) -> None:
        raise RuntimeError

    now = time.time()
    outcome = process(event_job(EVENT), Job("test", "j1", 20, now - 90_000, now - 90_000))
    stale = process(event_job(EVENT), Job("test", "j1", 1, now - 1000), limits=Limits(longest_wait=100))

    assert isinstance(outcome.decision, GiveUp)
    assert "A handler failed" in outcome.decision.reason
    assert isinstance(stale.error, JobExpiredError)


def test_a_cancelled_job_leaves_no_event_claimed() -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Slow(MemoryEventStore):
        def begin(self, key: str) -> Claim:
            asked.set()
            go_on.wait()
            return super().begin(key)

    store = Slow()
    on_event("email.bounced")(print)

    async def main() -> None:
        settings = TaskSettings(event_store=store)
        task = asyncio.ensure_future(events.aprocess_event(JOB, event_job(EVENT), settings=settings))
        await asyncio.to_thread(asked.wait)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert store.begin("ev_1/builtins.print").progress is Progress.NEW
