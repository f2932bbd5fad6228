"""What the backend stores: a row before the call, its id after it, and whatever fails in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import QuerySet

from poststack import PostStackConnectionError, PostStackError
from poststack.transports.base import TransportTimeoutError
from poststack_django.backends import EmailBackend
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.status import Status
from tests.with_django.api import RecordingApi
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db


def test_the_row_is_there_before_the_call_and_has_its_id_after_it(backend: EmailBackend, api: RecordingApi) -> None:
    before: list[tuple[str, str, str | None]] = []
    api.on_send = lambda payload: before.extend(SentEmail.objects.values_list("idempotency_key", "status", "email_id"))
    one = message(cc=["c@example.com"], bcc=["d@example.com"])
    vars(one)["tags"] = ["welcome"]
    backend.send_messages([one])

    key = api.payloads[0]["idempotency_key"]
    row = SentEmail.objects.get()
    assert before == [(key, "pending", None)]
    assert (row.idempotency_key, row.email_id, row.status, row.test_mode) == (key, "em_1", "queued", True)
    assert (row.subject, row.from_email, row.tags) == ("Subject 1", "a@example.com", ["welcome"])
    assert (row.to, row.cc, row.bcc) == (["b@example.com"], ["c@example.com"], ["d@example.com"])
    assert {recipient.status for recipient in row.recipients.all()} == {"queued"}
    assert row.sent_at is not None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((422, {"error": "Domain not verified"}), Status.REFUSED),
        ((401, {"error": "Invalid API key", "code": "unauthorized"}), Status.REFUSED),
        ((503, {"error": "Down"}), Status.UNKNOWN),
        ((202, {"unexpected": True}), Status.UNKNOWN),
    ],
)
def test_a_failure_is_stored(
    backend: EmailBackend, api: RecordingApi, answer: tuple[int, dict[str, object]], status: Status
) -> None:
    api.will_answer(*answer)
    with pytest.raises(PostStackError):
        backend.send_messages([message()])

    row = SentEmail.objects.get()
    assert (row.status, row.email_id, row.error_code) == (status, None, answer[1].get("code", ""))
    assert row.error


def test_repeating_with_the_key_of_an_unconfirmed_send_uses_its_row(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_raise(TransportTimeoutError("read timed out"))
    one = message()
    with pytest.raises(PostStackConnectionError):
        backend.send_messages([one])
    again = message()
    vars(again)["idempotency_key"] = status_of(one).idempotency_key
    api.will_answer(202, {"id": "em_x", "replayed": True})
    backend.send_messages([again])

    row = SentEmail.objects.get()
    assert (row.email_id, row.status, row.error) == ("em_x", Status.QUEUED, "")
    assert status_of(again).replayed is True


def test_a_failure_does_not_unsend_what_another_process_sent_meanwhile(
    backend: EmailBackend, api: RecordingApi
) -> None:
    def another_process(payload: dict[str, Any]) -> None:
        SentEmail.objects.filter(idempotency_key="order-1").update(email_id="em_other", status=Status.QUEUED)

    api.on_send = another_process
    api.will_raise(TransportTimeoutError("no answer"))
    repeated = message()
    vars(repeated)["idempotency_key"] = "order-1"
    with pytest.raises(PostStackConnectionError):
        backend.send_messages([repeated])

    row = SentEmail.objects.get()
    assert (row.email_id, row.status) == ("em_other", Status.QUEUED)


def test_a_failed_repetition_does_not_unsend(backend: EmailBackend, api: RecordingApi) -> None:
    for answer in ({"id": "em_x"}, None):
        one = message()
        vars(one)["idempotency_key"] = "order-1"
        if answer is not None:
            api.will_answer(202, answer)
            backend.send_messages([one])
            continue
        api.will_answer(422, {"error": "Idempotency key reused"})
        with pytest.raises(PostStackError):
            backend.send_messages([one])

    row = SentEmail.objects.get()
    assert (row.status, row.error) == (Status.QUEUED, "Idempotency key reused")


def test_an_event_that_came_first_is_adopted(backend: EmailBackend) -> None:
    EmailEvent.objects.create(event_id="evt_1", email_id="em_1", type="email.delivered")
    backend.send_messages([message()])

    row = SentEmail.objects.get()
    assert row.status == Status.DELIVERED
    assert [event.event_id for event in row.events.all()] == ["evt_1"]


def test_a_database_that_fails_before_does_not_stop_the_mail(
    backend: EmailBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    monkeypatch.setattr(SentEmail, "save", down)

    assert backend.send_messages([message()]) == 1
    assert "Storing an e-mail before sending it failed with DatabaseError" in caplog.text


def test_a_database_that_fails_after_does_not_fail_the_mail(
    backend: EmailBackend, api: RecordingApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    api.on_send = lambda payload: monkeypatch.setattr(QuerySet, "update", down)

    assert backend.send_messages([message()]) == 1
    assert "Storing the id em_1 failed" in caplog.text


def test_the_callers_transaction_survives_a_failure_to_record(
    backend: EmailBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    with transaction.atomic():
        monkeypatch.setattr(SentEmail, "save", down)
        backend.send_messages([message()])
        EmailEvent.objects.create(event_id="evt_own", type="x")

    assert EmailEvent.objects.filter(event_id="evt_own").exists()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_the_database_has_ended_is_not_lost_in_silence(
    backend: EmailBackend, api: RecordingApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlock(*_: Any, **__: Any) -> None:
        # What InnoDB does to the victim: everything is undone, and the savepoints are gone.
        connection.connection.rollback()
        raise OperationalError("deadlock")

    def store_and_send() -> None:
        with transaction.atomic():
            EmailEvent.objects.create(event_id="evt_own", type="x")
            backend.send_messages([message()])

    monkeypatch.setattr(SentEmail, "save", deadlock)
    with pytest.raises(OperationalError, match="deadlock"):
        store_and_send()

    assert api.payloads == []


@pytest.mark.django_db(transaction=True)
def test_a_rollback_takes_the_row_with_it_and_nothing_breaks(backend: EmailBackend, api: RecordingApi) -> None:
    with transaction.atomic():
        backend.send_messages([message()])
        transaction.set_rollback(True)

    assert len(api.payloads) == 1
    assert SentEmail.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_after_the_callers_commit_raises_nothing(
    backend: EmailBackend, caplog: pytest.LogCaptureFixture
) -> None:
    def down_after_commit(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT") and not connection.in_atomic_block:
            raise DatabaseError("down")
        return execute(sql, *rest)

    with connection.execute_wrapper(down_after_commit), transaction.atomic():
        backend.send_messages([message()])

    assert SentEmail.objects.get().email_id == "em_1"
    assert "on_commit" in caplog.text


def test_recording_can_be_switched_off(backend: EmailBackend, api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}

    assert backend.send_messages([message()]) == 1
    assert SentEmail.objects.count() == 0


def test_receivers_are_given_the_row(backend: EmailBackend, told: list[dict[str, Any]]) -> None:
    one = message()
    backend.send_messages([one])

    (heard,) = told
    assert heard["email"] == SentEmail.objects.get()
    assert (heard["message"], heard["status"], heard["sender"]) == (one, status_of(one), EmailBackend)


@pytest.mark.django_db(transaction=True)
def test_sending_inside_an_event_loop_that_may_be_held_up_stores_the_id(api: RecordingApi) -> None:
    async def view() -> int:
        return EmailBackend(block_event_loop=True).send_messages([message()])

    assert asyncio.run(view()) == 1
    assert SentEmail.objects.get().email_id == "em_1"
