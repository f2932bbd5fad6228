"""Receivers of events: each is called once, by one process, and again where that has failed."""

from __future__ import annotations

import io
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import path
from django.utils import timezone

from poststack import WebhookEvent
from poststack_django import signals
from poststack_django.choices import EventState
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.receivers import EVENT_SIGNALS
from poststack_django.telling import GRACE, OWN_TYPES, event_of, taken_over
from poststack_django.webhooks import WebhookView
from tests.with_django.api import RecordingApi, event_body, signed
from tests.with_django.histories import ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from django.dispatch import Signal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.with_django.test_receivers")]

urlpatterns = [
    path("plain/", WebhookView.as_view()),
    path("strict/", WebhookView.as_view(fail_on_receiver_error=True)),
]


class Receivers:
    """Three of them, of which any may be made to fail."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.events: list[WebhookEvent] = []
        self.emails: list[SentEmail | None] = []
        self.failing: set[str] = set()

    def all_events(self, event: WebhookEvent, email: SentEmail | None, **_: Any) -> None:
        self.emails.append(email)
        self._be_called("all_events", event)

    def first(self, event: WebhookEvent, **_: Any) -> None:
        self._be_called("first", event)

    async def second(self, event: WebhookEvent, **_: Any) -> None:
        self._be_called("second", event)

    def _be_called(self, name: str, event: WebhookEvent) -> None:
        self.called.append(name)
        self.events.append(event)
        if name in self.failing:
            raise LookupError("text with ada@example.com")


@contextmanager
def connected(*pairs: tuple[Signal, Callable[..., Any]]) -> Generator[None]:
    for signal, receiver in pairs:
        signal.connect(receiver)
    try:
        yield
    finally:
        for signal, receiver in pairs:
            signal.disconnect(receiver)


@pytest.fixture
def receivers(api: RecordingApi) -> Iterator[Receivers]:
    made = Receivers()
    with connected((signals.tracking, made.all_events), (signals.bounced, made.first), (signals.bounced, made.second)):
        yield made


def deliver(kind: str = "email.bounced", number: int = 1, to: str = "/plain/") -> int:
    body = event_body(kind, number=number, recipient="ada@example.com")
    answer: Any = Client().post(to, body, content_type="application/json", headers=signed(body))
    status: int = answer.status_code
    return status


def retry(**options: Any) -> str:
    out = io.StringIO()
    call_command("poststack_retry_receivers", stdout=out, **options)
    return out.getvalue()


def stored() -> EmailEvent:
    return EmailEvent.objects.get()


def left_behind(kind: str = "email.bounced", age: timedelta = GRACE * 2) -> EmailEvent:
    """An event whose process died after it was stored."""
    event = WebhookEvent("evt_1", kind, None, "em_1", {"email_id": "em_1"})
    record_event(event, ignore)
    EmailEvent.objects.update(received_at=timezone.now() - age)
    return stored()


# Which signals an event has


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("email.delivered", ["tracking", "delivered"]),
        ("email.deferred", ["tracking", "deferred"]),
        ("email.soft_bounced", ["tracking", "deferred"]),
        ("email.bounced", ["tracking", "bounced"]),
        ("email.failed", ["tracking", "failed"]),
        ("email.complained", ["tracking", "complained"]),
        ("email.unsubscribed", ["tracking", "unsubscribed"]),
        ("email.opened", ["tracking", "opened"]),
        ("email.clicked", ["tracking", "clicked"]),
        ("email.inbound", ["tracking", "inbound"]),
        ("inbound_email.received", ["tracking", "inbound"]),
        ("email.sent", ["tracking"]),
        ("contact.created", ["tracking"]),
    ],
)
def test_each_type_has_its_signal(api: RecordingApi, kind: str, names: list[str]) -> None:
    heard: list[tuple[str, Any, Any]] = []

    def hear(name: str, *, sender: Any, event: WebhookEvent, email: SentEmail | None, **_: Any) -> None:
        heard.append((name, event.type, sender))

    listeners = [(signal, partial(hear, name)) for name, signal in EVENT_SIGNALS.items()]
    with connected(*listeners):
        assert deliver(kind) == 200

    assert heard == [(name, kind, WebhookView) for name in names]


def test_every_signal_of_events_is_public_and_described() -> None:
    for name, signal in EVENT_SIGNALS.items():
        assert getattr(signals, name) is signal
        assert f"`{name}" in (signals.__doc__ or "")
        assert name in signals.__all__


# The outcome is stored


def test_an_event_whose_receivers_have_run_is_dealt_with(receivers: Receivers) -> None:
    assert deliver() == 200

    assert (stored().state, stored().failures) == (EventState.HANDLED, [])
    assert receivers.called == ["all_events", "first", "second"]


def test_an_event_is_new_while_its_receivers_run(api: RecordingApi) -> None:
    seen: list[str] = []

    def hear(**_: Any) -> None:
        seen.append(stored().state)

    with connected((signals.tracking, hear)):
        deliver()

    assert seen == [EventState.NEW]


def test_failures_are_stored_without_their_texts(receivers: Receivers) -> None:
    receivers.failing = {"first", "second"}
    assert deliver() == 200

    event = stored()
    assert event.state == EventState.FAILED
    assert [(failure["signal"], failure["error"]) for failure in event.failures] == [("bounced", "LookupError")] * 2
    assert [failure["receiver"].rpartition(".")[2] for failure in event.failures] == ["first", "second"]
    assert all(datetime.fromisoformat(failure["at"]) for failure in event.failures)
    assert "ada" not in str(event.failures)


# Called again


def test_the_command_calls_only_what_failed(receivers: Receivers) -> None:
    SentEmail.objects.create(idempotency_key="k", email_id="em_1", from_email="a@example.com")
    receivers.failing = {"first"}
    deliver()
    received_at = stored().received_at
    receivers.failing.clear()
    receivers.called.clear()

    assert retry() == "1 events dealt with, 0 still failing.\n"
    assert receivers.called == ["first"]
    assert receivers.events[-1] == receivers.events[0]
    assert (stored().state, stored().failures, stored().received_at) == (EventState.HANDLED, [], received_at)
    assert retry() == "0 events dealt with, 0 still failing.\n"


def test_the_command_fails_while_receivers_do(receivers: Receivers) -> None:
    receivers.failing = {"first", "second"}
    deliver()
    receivers.failing = {"second"}
    with pytest.raises(CommandError, match="1 events still fail"):
        retry()

    (failure,) = stored().failures
    assert failure["receiver"].endswith("Receivers.second")


def test_the_command_names_what_fails(receivers: Receivers) -> None:
    receivers.failing = {"first"}
    deliver()
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("poststack_retry_receivers", verbosity=2, stdout=out)

    assert "evt_1: tests.with_django.test_receivers.Receivers.first failed with LookupError" in out.getvalue()


def test_a_receiver_that_is_gone_is_not_forgotten_unasked(receivers: Receivers) -> None:
    receivers.failing = {"first"}
    deliver()
    signals.bounced.disconnect(receivers.first)
    with pytest.raises(CommandError):
        retry()
    assert stored().failures[0]["error"] == "NoSuchReceiver"

    assert retry(forget_missing=True) == "1 events dealt with, 0 still failing.\n"
    assert stored().state == EventState.HANDLED


def test_the_command_tells_of_events_whose_process_died(receivers: Receivers) -> None:
    row = SentEmail.objects.create(idempotency_key="k", email_id="em_1", from_email="a@example.com")
    left_behind(age=timedelta(minutes=10))

    assert retry(older_than=3_600) == "0 events dealt with, 0 still failing.\n"
    assert retry() == "1 events dealt with, 0 still failing.\n"
    assert receivers.called == ["all_events", "first", "second"]
    assert receivers.emails == [row]


def test_the_command_takes_as_many_as_it_may(receivers: Receivers) -> None:
    receivers.failing = {"all_events"}
    for number in range(3):
        deliver("email.sent", number)
    receivers.failing.clear()

    assert retry(limit=2) == "2 events dealt with, 0 still failing.\n"
    assert EmailEvent.objects.filter(state=EventState.FAILED).count() == 1


def test_the_command_is_silent_if_asked(receivers: Receivers) -> None:
    assert retry(verbosity=0) == ""


@pytest.mark.parametrize("options", [{"limit": 0}, {"older_than": -1}])
def test_the_command_refuses_nonsense(receivers: Receivers, options: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="or more"):
        retry(**options)


def test_the_command_needs_tables(settings: Any) -> None:
    settings.POSTSTACK = {"RECORD": False}
    with pytest.raises(CommandError, match="INSTALLED_APPS"):
        retry()


def test_what_this_package_notes_itself_is_told_to_nobody(receivers: Receivers) -> None:
    EmailEvent.objects.create(event_id="x", type=f"{OWN_TYPES}canceled", received_at=timezone.now() - timedelta(1))

    assert retry() == "0 events dealt with, 0 still failing.\n"
    assert receivers.called == []


# Delivered again


def test_a_repetition_makes_up_for_a_process_that_died(receivers: Receivers) -> None:
    left_behind()
    assert deliver() == 200

    assert receivers.called == ["all_events", "first", "second"]
    assert stored().state == EventState.HANDLED
    assert deliver() == 200
    assert len(receivers.called) == 3


def test_a_repetition_leaves_those_alone_who_are_at_it(receivers: Receivers) -> None:
    left_behind(age=GRACE / 2)
    assert deliver() == 200

    assert receivers.called == []
    assert stored().state == EventState.NEW


def test_only_one_takes_an_event_over(receivers: Receivers) -> None:
    event = left_behind()
    first, second = taken_over(event), taken_over(event)

    assert first is not None
    assert second is None


def test_one_who_was_taken_for_dead_does_not_overwrite_the_outcome(receivers: Receivers) -> None:
    slow = taken_over(left_behind())
    EmailEvent.objects.update(received_at=timezone.now() - GRACE * 2)
    deliver()
    receivers.failing = {"first"}
    assert slow is not None

    assert slow.tell(event_of(slow.stored), None, WebhookView) is False
    assert stored().state == EventState.HANDLED


def test_a_failure_is_no_matter_for_poststack_by_default(receivers: Receivers) -> None:
    receivers.failing = {"first"}
    assert [deliver(), deliver()] == [200, 200]

    assert receivers.called == ["all_events", "first", "second"]


def test_poststack_can_be_made_to_try_again(receivers: Receivers, caplog: pytest.LogCaptureFixture) -> None:
    receivers.failing = {"first"}
    assert [deliver(to="/strict/"), deliver(to="/strict/")] == [500, 500]
    assert receivers.called == ["all_events", "first", "second", "first"]
    receivers.failing.clear()

    assert [deliver(to="/strict/"), deliver(to="/strict/")] == [200, 200]
    assert receivers.called == ["all_events", "first", "second", "first", "first"]
    assert EmailEvent.objects.count() == 1
    # Errors may be sent by e-mail, whose events would fail again, and so on.
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_a_strict_view_does_not_vouch_for_those_who_are_at_it(receivers: Receivers) -> None:
    left_behind(age=GRACE / 2)

    assert deliver(to="/strict/") == 500
    assert receivers.called == []


def test_a_strict_view_cannot_remember_without_tables(receivers: Receivers, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}
    receivers.failing = {"first"}
    assert [deliver(to="/strict/"), deliver(to="/strict/"), deliver()] == [500, 500, 200]

    assert receivers.called == ["all_events", "first", "second"] * 3


def test_an_outcome_that_cannot_be_stored_leaves_the_event_new(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from django.db import DatabaseError
    from django.db.models import QuerySet

    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    def hear(**_: Any) -> None:
        monkeypatch.setattr(QuerySet, "update", down)

    with connected((signals.tracking, hear)):
        assert deliver("email.opened", to="/strict/") == 500

    assert stored().state == EventState.NEW
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_an_object_that_is_called_has_the_name_of_its_class() -> None:
    assert signals.receiver_name(partial(print)) == "functools.partial"
    assert signals.receiver_name(Receivers.first) == "tests.with_django.test_receivers.Receivers.first"
