"""Functions that have a say before an attempt calls the API, at an emulator in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

import poststack_tasks
import poststack_tasks.job
from poststack import PostStackError
from poststack_tasks import BatchNotAllSentError, GiveUp, Job, Outcome, RetryLater, Sent, Settled, TaskSettings

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession

JOB = Job("test", "j1")


def email(to: str) -> dict[str, Any]:
    return {"from": "shop@example.com", "to": [to], "subject": "Hi", "text": "Hello"}


@pytest.fixture(params=["sync", "async"])
def batch(request: pytest.FixtureRequest, poststack_emulator: EmulatorSession) -> Any:
    """Send a batch to these addresses, in each of the two ways."""

    def send(*addresses: str) -> Outcome:
        payloads = [email(address) for address in addresses]
        if request.param == "async":
            client = poststack_emulator.async_client(max_retries=0)
            return asyncio.run(poststack_tasks.job.asend_batch(JOB, payloads, client=client, settings=TaskSettings()))
        settings = TaskSettings(client=lambda: poststack_emulator.client(max_retries=0))
        return poststack_tasks.job.send_batch(JOB, payloads, settings=settings)

    return send


def one(session: EmulatorSession, to: str = "ada@example.org") -> Outcome:
    settings = TaskSettings(client=lambda: session.client(max_retries=0))
    return poststack_tasks.job.send_email(JOB, email(to), settings=settings)


def test_an_email_can_be_kept_back_and_the_job_is_done(
    poststack_emulator: EmulatorSession, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[Job, Sequence[Any]]] = []

    @poststack_tasks.before_send
    def keep_back(job: Job, emails: Sequence[Any]) -> list[Any]:
        heard.append((job, emails))
        return [Settled({"status": "withheld"}) for _ in emails]

    with caplog.at_level(logging.INFO, "poststack.tasks"):
        outcome = one(poststack_emulator)

    assert (type(outcome.decision), outcome.result) == (Sent, {"status": "withheld"})
    ((job, (asked,)),) = heard
    assert (job.id, asked["to"], asked["idempotency_key"]) == ("j1", ["ada@example.org"], "test-j1")
    assert poststack_emulator.sent == []
    assert "nothing was to be sent" in caplog.text


def test_an_email_can_be_changed(poststack_emulator: EmulatorSession) -> None:
    poststack_tasks.before_send(lambda job, emails: [{**each, "to": ["qa@example.org"]} for each in emails])

    outcome = one(poststack_emulator)

    assert outcome.payloads[0]["to"] == poststack_emulator.sent[0].payload["to"] == ["qa@example.org"]


def test_an_error_is_judged_as_if_the_api_had_answered_it(poststack_emulator: EmulatorSession) -> None:
    poststack_tasks.before_send(lambda job, emails: [PostStackError(422, "Suppressed", "suppressed") for _ in emails])

    outcome = one(poststack_emulator)

    assert isinstance(outcome.decision, GiveUp)
    assert getattr(outcome.error, "code", None) == "suppressed"
    assert poststack_emulator.sent == []


def test_the_verdicts_on_a_batch_stay_with_their_emails(batch: Any, poststack_emulator: EmulatorSession) -> None:
    @poststack_tasks.before_send
    def judge(job: Job, emails: Sequence[Any]) -> list[Any]:
        verdicts: dict[str, Any] = {
            "held@example.org": Settled({"status": "withheld"}),
            "known@example.org": Settled({"id": "em_known", "replayed": True}),
            "out@example.org": PostStackError(422, "Suppressed", "suppressed"),
        }
        return [verdicts.get(each["to"][0], each) for each in emails]

    outcome = batch("held@example.org", "a@example.org", "known@example.org", "out@example.org", "b@example.org")

    assert [sent.payload["to"] for sent in poststack_emulator.sent] == [["a@example.org"], ["b@example.org"]]
    held, first, known, out, last = outcome.result
    assert (held, known, out["code"]) == (
        {"status": "withheld"}, {"id": "em_known", "replayed": True}, "suppressed",
    )  # fmt: skip
    assert [first["id"], last["id"]] == [sent.id for sent in poststack_emulator.sent]
    assert isinstance(outcome.error, BatchNotAllSentError)
    assert list(outcome.error.refused) == [3]


def test_a_batch_without_anything_to_send_makes_no_call(batch: Any, poststack_emulator: EmulatorSession) -> None:
    poststack_tasks.before_send(lambda job, emails: [Settled({"status": "withheld"}) for _ in emails])

    assert batch("a@example.org", "b@example.org").name == "sent"
    assert poststack_emulator.sent == []


def test_each_function_is_asked_about_what_the_ones_before_let_through(poststack_emulator: EmulatorSession) -> None:
    asked: list[Any] = []

    def ask(job: Job, emails: Any) -> list[Any]:
        asked.append(emails)
        return list(emails)

    poststack_tasks.before_send(lambda job, emails: [Settled({"status": "withheld"}) for _ in emails])
    poststack_tasks.before_send(ask)

    one(poststack_emulator)

    assert asked == []


@pytest.mark.parametrize("error", [RuntimeError("ada@example.org"), ValueError("wrong")])
def test_nothing_passes_a_function_that_fails_and_the_job_is_tried_again(
    poststack_emulator: EmulatorSession, error: Exception
) -> None:
    def fail(job: Job, emails: Sequence[Any]) -> list[Any]:
        raise error

    poststack_tasks.before_send(fail)
    failed = one(poststack_emulator)
    poststack_tasks.forget_before_send(fail)
    again = one(poststack_emulator)

    assert isinstance(failed.decision, RetryLater)
    assert failed.decision.reason == f"a function of before_send failed with {type(error).__name__}"
    assert "ada" not in str(failed.error)
    assert [sent.id for sent in poststack_emulator.sent] == [again.result["id"]]


def test_a_function_with_too_few_verdicts_lets_nothing_pass(poststack_emulator: EmulatorSession) -> None:
    poststack_tasks.before_send(lambda job, emails: [])

    assert one(poststack_emulator).name == "retried"
    assert poststack_emulator.sent == []


def test_an_expired_job_asks_nobody(poststack_emulator: EmulatorSession) -> None:
    asked: list[Any] = []

    def ask(job: Job, emails: Any) -> list[Any]:
        asked.append(emails)
        return list(emails)

    poststack_tasks.before_send(ask)
    settings = TaskSettings(client=lambda: poststack_emulator.client(max_retries=0))
    late = Job("test", "j2", enqueued_at=1.0, expires="2020-01-01T00:00:00Z")

    assert poststack_tasks.job.send_email(late, email("ada@example.org"), settings=settings).name == "given_up"
    assert asked == []
