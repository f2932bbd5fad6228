"""The tasks of Celery, on a real worker in this process."""

from __future__ import annotations

import logging
import queue
from typing import TYPE_CHECKING, Any

import pytest

import poststack_tasks
from poststack import PostStackConnectionError, PostStackError
from poststack.testing import EmulatorSession
from poststack_tasks import BatchNotAllSentError, JobExpiredError
from poststack_tasks.celery import send_batch, send_email
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from poststack.types import SendEmail

MAIL: SendEmail = {
    "from": "shop@example.com",
    "to": ["ada@example.com"],
    "subject": "Secret subject",
    "text": "Secret body",
}


def test_an_email_is_sent_under_a_key_made_of_the_jobs_id(worker: Any, emu: EmulatorSession) -> None:
    result = send_email.delay(MAIL)
    answer = result.get(timeout=PATIENCE)

    (sent,) = emu.sent
    assert answer == {"id": sent.id}
    again = emu.client().emails.send({**MAIL, "idempotency_key": f"celery-{result.id}"})
    assert (again["id"], len(emu.sent)) == (sent.id, 1)


def test_what_has_a_key_of_its_own_is_sent_once_however_often_it_is_enqueued(worker: Any, emu: EmulatorSession) -> None:
    first = send_email.delay(MAIL, idempotency_key="welcome/1").get(timeout=PATIENCE)
    again = send_email.delay({**MAIL, "idempotency_key": "welcome/1"}).get(timeout=PATIENCE)

    assert len(emu.sent) == 1
    assert again == {"id": first["id"], "replayed": True}


@pytest.mark.parametrize(
    "trouble", [{"status": 503}, {"status": 429, "retry_after": 0.02}, {"status": 409, "code": "in_progress"},
                {"reset": True}, {"lost_answer": True}], ids=str,
)  # fmt: skip
def test_what_may_pass_is_waited_out_by_the_queue(worker: Any, emu: EmulatorSession, trouble: dict[str, Any]) -> None:
    emu.fail(times=2, path="/emails", **trouble)

    answer = send_email.delay(MAIL).get(timeout=PATIENCE)

    assert [one.id for one in emu.sent] == [answer["id"]]


def test_a_refusal_fails_at_once_with_type_and_fields(
    worker: Any, emu: EmulatorSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    emu.fail(422, code="unprocessable_entity", error="ada@example.com is not to be written to", path="/emails")

    result = send_email.delay(MAIL)
    with pytest.raises(PostStackError) as raised:
        result.get(timeout=PATIENCE)

    assert result.state == "FAILURE"
    assert (raised.value.status_code, raised.value.code) == (422, "unprocessable_entity")
    assert raised.value.request_id
    assert "[address] is not to be written to" in str(raised.value)
    assert "given up: refused with status 422" in caplog.text
    # Nothing of the e-mail, no traceback of what is expected.
    assert not [text for text in ("ada@", "Secret", "Traceback") if text in caplog.text]


def test_a_job_given_up_stays_in_a_queue_of_its_own(worker: Any, emu: EmulatorSession) -> None:
    emu.fail(422, code="unprocessable_entity", path="/emails")

    result = send_email.delay(MAIL, idempotency_key="receipt/7")
    with pytest.raises(PostStackError):
        result.get(timeout=PATIENCE)

    with worker.connection_for_read() as connection:
        message = connection.SimpleQueue(worker.conf.poststack_given_up_queue).get(timeout=PATIENCE)
    (args, kwargs, _), headers = message.decode(), message.headers
    assert (headers["task"], headers["id"]) == ("poststack.send_email", result.id)
    assert (args, kwargs) == ([MAIL], {"idempotency_key": "receipt/7"})
    why = headers["poststack_given_up"]
    assert why["reason"].startswith("refused with status 422")
    assert (why["status"], why["code"], why["attempts"]) == (422, "unprocessable_entity", 1)
    assert why["routing_key"] == worker.conf.task_default_queue


def test_keeping_them_can_be_switched_off(worker: Any, emu: EmulatorSession) -> None:
    worker.conf.poststack_keep_given_up = False
    emu.fail(422, path="/emails")

    result = send_email.delay(MAIL)
    with pytest.raises(PostStackError):
        result.get(timeout=PATIENCE)

    with worker.connection_for_read() as connection, pytest.raises(queue.Empty):
        connection.SimpleQueue(worker.conf.poststack_given_up_queue).get(block=False)


def test_what_has_expired_is_not_sent(worker: Any, emu: EmulatorSession) -> None:
    result = send_email.delay(MAIL, expires=-1)

    with pytest.raises(JobExpiredError, match="expired"):
        result.get(timeout=PATIENCE)

    assert emu.sent == []


def test_no_attempt_is_waited_for_that_would_come_too_late(worker: Any, emu: EmulatorSession) -> None:
    emu.fail(503, retry_after=600, path="/emails")

    ours = send_email.delay(MAIL, expires=300)
    with pytest.raises(PostStackError, match=r".+"):
        ours.get(timeout=PATIENCE)
    theirs = send_email.apply_async([MAIL], expires=300)  # Celery's own option.
    with pytest.raises(PostStackError, match=r".+"):
        theirs.get(timeout=PATIENCE)

    assert emu.sent == []


def test_a_batch_is_one_call_with_a_key_for_each(worker: Any, emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1, path="/emails/batch")

    answer = send_batch.delay([MAIL, {**MAIL, "to": ["bob@example.com"]}]).get(timeout=PATIENCE)

    assert [one["id"] for one in answer] == [one.id for one in emu.sent]
    assert [one["replayed"] for one in answer] == [True, True]


def test_a_batch_that_is_accepted_in_part_tells_which(worker: Any, emu: EmulatorSession) -> None:
    emu.client().suppressions.add({"email": "bob@example.com", "reason": "manual"})

    result = send_batch.delay([MAIL, {**MAIL, "to": ["bob@example.com"]}])
    with pytest.raises(BatchNotAllSentError) as raised:
        result.get(timeout=PATIENCE)

    assert raised.value.results[0]["id"] == emu.sent[0].id
    assert list(raised.value.refused) == [1]
    assert "bob@" not in str(raised.value)


def test_a_worker_without_a_key_loses_nothing(
    worker: Any, emu: EmulatorSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = poststack_tasks.current_settings().client
    poststack_tasks.configure(client=None)
    worker.conf.task_always_eager = True
    with pytest.raises(PostStackConnectionError, match="POSTSTACK_API_KEY"):
        send_email.delay(MAIL).get()
    worker.conf.task_always_eager = False

    worker.conf.poststack_client = client
    assert send_email.delay(MAIL).get(timeout=PATIENCE)["id"] == emu.sent[0].id


def test_a_worker_with_wrong_settings_loses_nothing(worker: Any, emu: EmulatorSession) -> None:
    told: queue.SimpleQueue[poststack_tasks.Outcome] = queue.SimpleQueue()
    poststack_tasks.on_outcome(told.put)
    worker.conf.poststack_timeout = "5"
    try:
        result = worker.send_task("poststack.send_email", [MAIL])  # By a project with settings of its own.
        outcome = told.get(timeout=PATIENCE)
    finally:
        worker.conf.changes.pop("poststack_timeout")
        poststack_tasks.forget_outcome(told.put)

    assert isinstance(outcome.decision, poststack_tasks.RetryLater)
    assert "the settings of the worker are wrong: The setting `timeout` is a number" in outcome.decision.reason
    assert result.get(timeout=PATIENCE)["id"] == emu.sent[0].id


def test_a_retry_that_the_broker_does_not_take_is_not_lost(
    worker: Any, emu: EmulatorSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    emu.fail(503, times=1, path="/emails")
    publish = worker.amqp.send_task_message
    failures = [OSError("the broker is away")]

    def unreliable(producer: Any, name: str, message: Any, **options: Any) -> Any:
        if message.headers["retries"] and failures:
            raise failures.pop()
        return publish(producer, name, message, **options)

    monkeypatch.setattr(worker.amqp, "send_task_message", unreliable)
    send_email.delay(MAIL).get(timeout=PATIENCE)

    assert failures == []
    assert len(emu.sent) == 1
