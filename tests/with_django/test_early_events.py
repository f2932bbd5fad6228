"""An event that comes before the id of its e-mail is stored: its receivers are told once, and of the right e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.outbox import drain
from poststack_django.signals import bounced
from tests.with_django.api import RecordingApi, event_body, signed
from tests.with_django.messages import message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bounces() -> Iterator[list[SentEmail | None]]:
    heard: list[SentEmail | None] = []

    def hear(email: SentEmail | None, **_: Any) -> None:
        heard.append(email)

    bounced.connect(hear)
    yield heard
    bounced.disconnect(hear)


def webhook(email_id: str = "em_1", number: int = 1) -> int:
    body = event_body("email.bounced", email_id, number)
    answer = Client().post("/webhooks/poststack/", body, content_type="application/json", headers=signed(body))
    return answer.status_code


@pytest.mark.parametrize("backend", [EmailBackend, OutboxEmailBackend])
def test_a_webhook_that_overtakes_the_answer_is_told_with_its_email(
    backend: type[EmailBackend], api: RecordingApi, bounces: list[SentEmail | None]
) -> None:
    def overtake(payload: dict[str, Any]) -> None:
        assert webhook() == 200
        assert bounces == [], "nobody could do anything about an e-mail that is not known yet"

    api.on_send = overtake
    backend().send_messages([message()])
    drain()

    row = SentEmail.objects.get()
    assert bounces == [row]
    assert (row.status, EmailEvent.objects.get().state) == ("bounced", "handled")
    assert webhook() == 200
    assert len(bounces) == 1


def test_an_answer_that_was_lost_is_waited_for(api: RecordingApi, bounces: list[SentEmail | None]) -> None:
    from poststack.transports.base import TransportTimeoutError

    OutboxEmailBackend().send_messages([message()])
    api.will_raise(TransportTimeoutError("lost"))
    drain()
    webhook("em_2")
    assert bounces == []

    SentEmail.objects.update(next_attempt_at=timezone.now())
    api.will_answer(202, {"id": "em_2", "replayed": True})
    drain()

    assert bounces == [SentEmail.objects.get()]


def test_an_event_of_an_email_from_elsewhere_is_told_at_once(
    api: RecordingApi, bounces: list[SentEmail | None]
) -> None:
    webhook("em_elsewhere")

    assert bounces == [None]


def test_one_that_was_taken_for_ours_is_told_with_a_later_event(
    api: RecordingApi, bounces: list[SentEmail | None]
) -> None:
    SentEmail.objects.create(idempotency_key="k", from_email="a@example.com")
    webhook("em_elsewhere", 1)
    assert (bounces, EmailEvent.objects.get().state) == ([], "early")

    EmailEvent.objects.update(received_at=timezone.now() - timedelta(minutes=2))
    webhook("em_elsewhere", 2)

    assert bounces == [None]
    assert list(EmailEvent.objects.order_by("pk").values_list("state", flat=True)) == ["handled", "early"]


def test_the_command_tells_what_nobody_else_has(api: RecordingApi, bounces: list[SentEmail | None]) -> None:
    SentEmail.objects.create(idempotency_key="k", from_email="a@example.com")
    webhook("em_elsewhere")
    EmailEvent.objects.update(received_at=timezone.now() - timedelta(hours=1))
    call_command("poststack_retry_receivers", verbosity=0)

    assert bounces == [None]
