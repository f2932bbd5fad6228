"""Two that write in the same moment, on SQLite: it lets nobody write who has read while another one wrote."""

from __future__ import annotations

import threading
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection

from poststack.events import parse_event
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.outgoing import Outgoing
from poststack_django.records import record_attempts
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
from tests.with_django.test_concurrency import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.types import SendEmail

pytestmark = pytest.mark.django_db(transaction=True)

PAYLOAD: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "…"}


def inserting_together(*functions: Callable[[], object]) -> list[BaseException]:
    """Call them in threads, each of which waits for the others before it first writes; return what they raised."""
    barrier = threading.Barrier(len(functions), timeout=10)

    def run(function: Callable[[], object]) -> None:
        waited = False

        def wait(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            nonlocal waited
            if sql.startswith(("INSERT", "UPDATE")) and not waited:
                waited = True
                barrier.wait()
            return execute(sql, *rest)

        with connection.execute_wrapper(wait):
            function()

    return at_once(*[partial(run, function) for function in functions])


def test_events_that_arrive_together_are_all_stored() -> None:
    SentEmail.objects.create(idempotency_key="k", email_id="em_1", from_email="a@example.com")
    kinds = ["email.sent", "email.delivered", "email.opened"]
    events = [parse_event(event_body(kind, "em_1", kind)) for kind in kinds]

    raised = inserting_together(*[partial(record_event, event, ignore) for event in events])

    assert raised == []
    assert sorted(EmailEvent.objects.values_list("type", flat=True)) == sorted(kinds)
    assert SentEmail.objects.get().status == "delivered"


def test_emails_that_leave_together_are_all_stored() -> None:
    outgoing = [Outgoing(EmailMessage(), {**PAYLOAD, "idempotency_key": key}) for key in "abc"]

    raised = inserting_together(*[partial(record_attempts, [one]) for one in outgoing])

    assert raised == []
    assert SentEmail.objects.count() == len(outgoing)


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(8))
def test_any_history_spread_over_processes_ends_in_what_it_adds_up_to(seed: int) -> None:
    random = Random(seed)
    kinds = ["sent", "deferred", "delivered", "opened", "bounced", "complained"]
    history = [Told(number, random.choice(kinds), random.choice(["", *RECIPIENTS])) for number in range(5)]
    steps: list[Step] = [*history, *random.choices(history, k=3), Accepted(), Accepted(), Settled()]
    random.shuffle(steps)
    stored()
    raised = at_once(*[partial(arrive, steps[at::3]) for at in range(3)])

    overall, each = outcome()
    assert raised == []
    assert (overall[0], tuple(status for status, _ in each)) == expected(history)
