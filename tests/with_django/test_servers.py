"""What holds on SQLite holds on the servers, and what they alone could get wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.core.mail import EmailMessage

from poststack.events import parse_event
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, EmailRecipient, SentEmail
from poststack_django.outgoing import Outgoing
from poststack_django.records import record_attempts
from tests.with_django.api import event_body
from tests.with_django.databases import KINDS, Kind, database_settings, run_python
from tests.with_django.histories import ignore

if TYPE_CHECKING:
    from poststack.types import SendEmail

PAYLOAD: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "…"}


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("POSTSTACK_REQUIRE_SERVICES") != "1", reason="takes minutes: CI runs it")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_that_use_a_database_pass_on_each(kind: Kind) -> None:
    names = ("admin", "batches", "outbox", "outbox_draining", "recording", "retention", "suppressions", "webhooks")
    files = [f"tests/with_django/test_{name}.py" for name in names]
    with database_settings(kind) as databases:
        options = ("--quiet", "--reuse-db", "-p", "no:cacheprovider", "-m", "not repetitive")
        run = run_python(databases, "-m", "pytest", *options, *files)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("keys", [("order-é", "order-e"), ("order-A", "order-a")])
def test_keys_that_differ_in_an_accent_or_a_capital_are_different(database: str, keys: tuple[str, str]) -> None:
    for key in keys:
        record_attempts([Outgoing(EmailMessage(), {**PAYLOAD, "idempotency_key": key})])

    assert set(SentEmail.objects.values_list("idempotency_key", flat=True)) == set(keys)


def test_ids_that_differ_in_a_capital_are_different(database: str) -> None:
    for email_id in ("em_a", "em_A"):
        SentEmail.objects.create(idempotency_key=email_id, email_id=email_id, from_email="a@example.com")
    events = [("evt_a", "em_a", "email.delivered"), ("evt_A", "em_A", "email.bounced")]
    for event_id, email_id, kind in events:
        assert record_event(parse_event(event_body(kind, email_id, event_id)), ignore)

    assert dict(SentEmail.objects.values_list("email_id", "status")) == {"em_a": "delivered", "em_A": "bounced"}


def test_addresses_that_differ_in_an_accent_are_different(database: str) -> None:
    addresses = ["jose@example.com", "josé@example.com"]
    record_attempts([Outgoing(EmailMessage(), {**PAYLOAD, "to": addresses, "idempotency_key": "k"})])

    assert set(EmailRecipient.objects.values_list("address", flat=True)) == set(addresses)


def test_searching_ignores_capitals_all_the_same(database: str) -> None:
    record_attempts([Outgoing(EmailMessage(), {**PAYLOAD, "to": ["100%_Ada@example.com"], "idempotency_key": "Key-1"})])

    assert SentEmail.objects.filter(recipients__address__icontains="%_ADA@Ex").count() == 1
    assert SentEmail.objects.filter(recipients__address__icontains="0_ADA@Ex").count() == 0
    assert SentEmail.objects.filter(idempotency_key__iexact="kEY-1").count() == 1
    assert SentEmail.objects.filter(idempotency_key__iexact="ke__1").count() == 0


def test_every_json_value_of_an_event_is_stored(database: str) -> None:
    deep: Any = 1
    for number in range(200):
        deep = [deep] if number % 2 else {"a": deep}
    values: dict[str, Any] = {
        "deep": deep,
        "reason": "nul \x00, half \ud800, whole 🎉",
        "n": float("nan"),
        "large": 10**30,
    }
    record_event(parse_event(event_body("email.bounced", **values)), ignore)

    data = EmailEvent.objects.get().data
    assert data["reason"] == "nul \ufffd, half \ufffd, whole 🎉"
    assert (data["n"], data["large"]) == (None, 10**30)
