"""Events and ids that arrive in the same moment, in connections of their own, on each database server."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from poststack.events import parse_event
from poststack_django.backends import OutboxEmailBackend
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, SentEmail, Suppression
from poststack_django.outbox import drain
from poststack_django.records import record_accepted
from poststack_django.retention import prune
from poststack_django.telling import GRACE
from tests.with_django.api import event_body
from tests.with_django.histories import (
    RECIPIENTS,
    Accepted,
    Settled,
    Step,
    Told,
    arrive,
    expected,
    ignore,
    outcome,
    stored,
)
from tests.with_django.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack_django.telling import Turn
    from tests.with_django.api import RecordingApi

ROUNDS = 25 if os.environ.get("POSTSTACK_EXHAUSTIVE") == "1" else 10
"""How often each race is run: by every run of the tests anew, with other winners."""


def at_once(*functions: Callable[[], object]) -> list[BaseException]:
    """Call them in threads that start together; return what they raised."""
    barrier = threading.Barrier(len(functions))
    raised: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        barrier.wait()
        try:
            function()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_an_event_that_arrives_with_the_answer_is_never_left_alone(database: str) -> None:
    for number in range(ROUNDS):
        row = SentEmail.objects.create(idempotency_key=f"k{number}", from_email="a@example.com")
        event = parse_event(event_body("email.delivered", f"em_{number}", number))
        raised = at_once(
            partial(record_accepted, [(row, {"id": f"em_{number}"})]),
            partial(record_event, event, ignore),
        )

        assert raised == []
    assert set(SentEmail.objects.values_list("status", flat=True)) == {"delivered"}
    assert EmailEvent.objects.filter(sent_email=None).count() == 0


def test_an_event_that_arrives_before_the_senders_transaction_ends_is_adopted_by_its_end(database: str) -> None:
    row = SentEmail.objects.create(idempotency_key="k", from_email="a@example.com")
    event = parse_event(event_body("email.delivered"))
    with transaction.atomic(using=database):
        record_accepted([(row, {"id": "em_1"})])
        raised = at_once(partial(record_event, event, ignore))
        assert raised == []
        assert EmailEvent.objects.get().sent_email is None

    row.refresh_from_db()
    assert (row.status, row.events.count()) == ("delivered", 1)


def test_one_event_delivered_many_times_at_once_is_stored_and_told_once(database: str) -> None:
    told: list[object] = []

    def tell(turn: Turn, email: SentEmail | None) -> None:
        told.append(email)

    event = parse_event(event_body("email.bounced"))
    raised = at_once(*[partial(record_event, event, tell)] * 6)

    assert raised == []
    assert (EmailEvent.objects.count(), len(told)) == (1, 1)


def test_an_event_of_a_dead_process_is_told_again_by_one_of_many(database: str) -> None:
    told: list[object] = []

    def tell(turn: Turn, email: SentEmail | None) -> None:
        told.append(email)

    for number in range(ROUNDS):
        event = parse_event(event_body("email.bounced", number=number))
        record_event(event, ignore)
        EmailEvent.objects.update(received_at=timezone.now() - GRACE * 2)
        raised = at_once(*[partial(record_event, event, tell)] * 4)

        assert raised == []
        assert len(told) == number + 1


def test_an_address_is_suppressed_once_by_many_events_at_once(database: str, settings: Any) -> None:
    settings.POSTSTACK = {"SUPPRESSIONS": True}
    kinds = ["email.bounced", "email.complained", "email.unsubscribed"]
    for number in range(ROUNDS):
        bodies = [event_body(kind, number=f"{number}-{kind}", recipient=f"{number}@example.com") for kind in kinds]
        raised = at_once(*[partial(record_event, parse_event(body), ignore) for body in bodies])

        assert raised == []
    assert Suppression.objects.count() == ROUNDS


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_history_spread_over_processes_ends_in_what_it_adds_up_to(database: str, seed: int) -> None:
    random = Random(seed)  # The order within each thread; that among them is nobody's.
    kinds = ["sent", "deferred", "delivered", "opened", "bounced", "complained"]
    history = [Told(number, random.choice(kinds), random.choice(["", *RECIPIENTS])) for number in range(5)]
    steps: list[Step] = [*history, *random.choices(history, k=3), Accepted(), Accepted(), Settled()]
    random.shuffle(steps)
    stored()
    raised = at_once(*[partial(arrive, steps[at::3]) for at in range(3)])

    overall, each = outcome()
    assert raised == []
    assert (overall[0], tuple(status for status, _ in each)) == expected(history)
    assert EmailEvent.objects.filter(sent_email=None).count() == 0


def test_events_that_arrive_while_their_email_is_pruned_break_nothing(database: str) -> None:
    for number in range(ROUNDS):
        email_id = f"em_{number}"
        old = timezone.now() - timedelta(days=100)
        SentEmail.objects.create(
            idempotency_key=email_id, email_id=email_id, from_email="a@example.com", status="delivered", created_at=old
        )
        events = [parse_event(event_body("email.opened", email_id, f"{number}-{again}")) for again in range(3)]
        before = timezone.now() - timedelta(days=90)
        raised = at_once(*[partial(record_event, event, ignore) for event in events], partial(prune, before))

        assert raised == []
    assert SentEmail.objects.count() == 0


def test_different_events_at_once_end_in_the_worst(database: str) -> None:
    for number in range(ROUNDS):
        email_id = f"em_{number}"
        SentEmail.objects.create(idempotency_key=email_id, email_id=email_id, from_email="a@example.com")
        kinds = ["email.sent", "email.delivered", "email.complained", "email.opened"]
        events = [parse_event(event_body(kind, email_id, f"{number}-{kind}")) for kind in kinds]
        raised = at_once(*[partial(record_event, event, ignore) for event in events])

        assert raised == []
    assert set(SentEmail.objects.values_list("status", flat=True)) == {"complained"}


def test_an_event_that_is_being_stored_holds_up_no_other_one(database: str) -> None:
    row = SentEmail.objects.create(idempotency_key="k", email_id="em_1", from_email="a@example.com")
    event = parse_event(event_body("email.delivered"))
    with transaction.atomic(using=database):
        EmailEvent.objects.create(event_id="evt_uncommitted", email_id="em_1", type="email.bounced")
        raised = at_once(partial(record_event, event, ignore))
        assert raised == []

    row.refresh_from_db()
    assert row.status == "delivered"


def test_a_transaction_that_stays_open_holds_up_no_drainer(api: RecordingApi, database: str) -> None:
    def put(*numbers: int) -> None:
        OutboxEmailBackend().send_messages([message(number) for number in numbers])

    def put_and_drain() -> None:
        put(*range(7))
        drained.append(drain().sent)

    drained: list[int] = []
    with transaction.atomic(using=database):
        put(100)
        raised = at_once(put_and_drain)
        assert (raised, drained) == ([], [7])

    assert drain().sent == 1
