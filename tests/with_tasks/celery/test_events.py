"""Webhook events that a worker deals with."""

from __future__ import annotations

from typing import Any

import pytest

import poststack_tasks
from poststack.events import WebhookEvent, parse_event
from poststack.receiving import EventHandlers
from poststack.testing import EmulatorSession, webhook_call
from poststack_tasks import event_job, events, on_event
from poststack_tasks.celery import process_event
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_handlers", EventHandlers())


def test_each_handler_deals_with_an_event_once(worker: Any, emu: EmulatorSession) -> None:
    heard: list[str] = []
    failures = [RuntimeError("not today")]

    @on_event("email.bounced")
    def steady(event: WebhookEvent) -> None:
        heard.append(f"steady {event.email_id}")

    @on_event("*")
    def moody(event: WebhookEvent) -> None:
        if failures:
            raise failures.pop()
        heard.append(f"moody {event.email_id}")

    event = parse_event(webhook_call("email.bounced", secret="whsec", email_id="em_1").body)
    process_event.delay(event_job(event)).get(timeout=PATIENCE)
    process_event.delay(event_job(event)).get(timeout=PATIENCE)

    assert heard == ["steady em_1", "moody em_1"]
    assert poststack_tasks.counts()["celery"]["sent"] >= 2
