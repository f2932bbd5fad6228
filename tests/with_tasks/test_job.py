"""One attempt of a job, synchronous and asynchronous, at an emulator in memory."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import poststack_tasks.job
from poststack import PostStackConnectionError, PostStackError, PostStackTimeoutError
from poststack.testing import EmulatorSession
from poststack_tasks import (
    BatchNotAllSentError,
    GiveUp,
    Job,
    JobError,
    JobExpiredError,
    Limits,
    Outcome,
    RetryLater,
    Sent,
    TaskSettings,
)

EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}
JOB = Job("test", "j1")


class TimeLimitError(Exception):
    """As queues end an attempt that takes long."""


class Attempts:
    """Does jobs, in one of the two ways, at one emulator."""

    def __init__(self, session: EmulatorSession, asynchronous: bool) -> None:
        self.session = session
        self.asynchronous = asynchronous
        self.sync_client: Any = session.client(max_retries=0)
        self.async_client: Any = session.async_client(max_retries=0)

    def email(self, payload: object = EMAIL, key: Any = None, job: Job = JOB, **settings: Any) -> Outcome:
        return self._do("send_email", job, payload, key, settings)

    def batch(self, payloads: object, key: Any = None, job: Job = JOB, **settings: Any) -> Outcome:
        return self._do("send_batch", job, payloads, key, settings)

    def answer(self, does: Callable[..., Any]) -> None:
        """Let a client of one's own do what the function does, for e-mails and batches."""

        async def adoes(payload: Any) -> Any:
            return does(payload)

        self.sync_client = SimpleNamespace(emails=SimpleNamespace(send=does, batch=does))
        self.async_client = SimpleNamespace(emails=SimpleNamespace(send=adoes, batch=adoes))

    @property
    def keys(self) -> list[str]:
        return [email.payload["idempotency_key"] for email in self.session.sent]

    def _do(self, name: str, job: Job, payload: object, key: Any, settings: Mapping[str, Any]) -> Outcome:
        options: dict[str, Any] = {"time_limits": (TimeLimitError,)}
        own = TaskSettings(client=lambda: self.sync_client, **settings)
        if self.asynchronous:
            does: Any = getattr(poststack_tasks.job, f"a{name}")
            outcome = asyncio.run(does(job, payload, key, settings=own, client=self.async_client, **options))
        else:
            does = getattr(poststack_tasks.job, name)
            outcome = does(job, payload, key, settings=own, **options)
        assert isinstance(outcome, Outcome)
        return outcome


@pytest.fixture(params=["sync", "async"])
def attempts(request: pytest.FixtureRequest, poststack_emulator: EmulatorSession) -> Attempts:
    return Attempts(poststack_emulator, request.param == "async")


def answering(answer: object) -> Callable[..., Any]:
    def does(payload: object) -> object:
        return answer

    return does


def raises(error: BaseException) -> Callable[..., Any]:
    def does(payload: object) -> None:
        raise error

    return does


def test_an_email_is_sent_under_the_key_of_its_job(attempts: Attempts) -> None:
    outcome = attempts.email()

    assert outcome.decision == Sent()
    assert outcome.name == "sent"
    assert outcome.error is None
    assert outcome.result == {"id": attempts.session.sent[0].id}
    assert attempts.keys == ["test-j1"]
    json.dumps(outcome.result)


def test_a_key_that_was_given_is_used(attempts: Attempts) -> None:
    attempts.email(key="welcome/42")
    attempts.email({**EMAIL, "idempotency_key": "welcome/43"})

    assert attempts.keys == ["welcome/42", "welcome/43"]


def test_a_job_that_comes_again_sends_nothing_again(attempts: Attempts) -> None:
    first = attempts.email()
    again = attempts.email(job=replace(JOB, attempt=2, first_attempt_at=time.time()))

    assert again.result == {"id": first.result["id"], "replayed": True}
    assert len(attempts.session.sent) == 1


def test_an_answer_that_was_lost_is_asked_for_again(attempts: Attempts) -> None:
    attempts.session.fail(lost_answer=True, times=1)

    lost = attempts.email()
    again = attempts.email()

    assert isinstance(lost.decision, RetryLater)
    assert isinstance(lost.error, PostStackConnectionError)
    assert again.decision == Sent()
    assert len(attempts.session.sent) == 1


@pytest.mark.parametrize("job_id", ["x" * 300, "emoji \U0001f600", "line\nbreak", "a" * 246, "\ud800"])
def test_any_id_of_a_queue_makes_a_key(attempts: Attempts, job_id: str) -> None:
    job = Job("test", job_id)

    assert isinstance(attempts.email(job=job).decision, Sent)
    assert isinstance(attempts.batch([{**EMAIL, "subject": "Batch"}], job=job).decision, Sent)
    assert all(len(key) <= 255 for key in attempts.keys)
    assert len(attempts.session.sent) == 2


def test_the_answer_says_how_long_to_wait(attempts: Attempts) -> None:
    attempts.session.fail(503, retry_after=40, times=1)

    outcome = attempts.email()

    assert outcome.decision == RetryLater(40.0, "status 503 at attempt 1")
    assert isinstance(outcome.error, PostStackError)
    assert outcome.name == "retried"
    assert outcome.answers == [outcome.answers[0]]
    assert outcome.payloads == [{**EMAIL, "idempotency_key": "test-j1"}]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_given_up_with_the_error_to_raise(attempts: Attempts, status: int) -> None:
    attempts.session.fail(status, error="ada@example.org is not wanted", times=1)

    outcome = attempts.email()

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, PostStackError)
    assert (outcome.error.status_code, outcome.error.error) == (status, "[address] is not wanted")
    assert outcome.result["error"] == "[address] is not wanted"
    assert outcome.name == "given_up"


@pytest.mark.parametrize(
    ("payload", "key"),
    [(None, None), ({**EMAIL, "to": []}, None), ({**EMAIL, "n": object()}, None), (EMAIL, 42), (EMAIL, "")],
)
def test_a_job_that_is_wrong_is_given_up_without_a_call(attempts: Attempts, payload: object, key: object) -> None:
    outcome = attempts.email(payload, key)

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, JobError)
    assert attempts.session.sent == []


def test_an_expired_job_is_not_sent(attempts: Attempts) -> None:
    outcome = attempts.email(job=Job("test", "j", 3, time.time() - 61, time.time() - 60, expires=60))

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, JobExpiredError)
    assert str(outcome.error) == "The job was not tried again: it expired before attempt 3."
    assert attempts.session.sent == []


def test_the_moment_of_enqueuing_counts_for_an_expiry(attempts: Attempts) -> None:
    now = time.time()

    assert attempts.email(job=Job("test", "1", enqueued_at=now - 50, expires=60)).decision == Sent()
    assert attempts.email(job=Job("test", "2", expires="2026-01-01T00:00:00Z")).name == "given_up"
    assert attempts.email(job=Job("test", "3", expires="no moment")).name == "given_up"
    assert attempts.email(job=Job("test", "4", enqueued_at=now - 50), limits=Limits(expires=40)).name == "given_up"
    assert attempts.keys == ["test-1"]


def test_a_retry_that_would_come_too_late_is_none(attempts: Attempts) -> None:
    attempts.session.fail(503, retry_after=40)
    now = time.time()

    in_time = attempts.email(job=Job("test", "j", 1, now, now, expires=60))
    late = attempts.email(job=Job("test", "j", 1, now - 30, now - 30, expires=60))
    beyond = attempts.email(job=Job("test", "j", 9, now - 100, now - 100), limits=Limits(horizon=120))

    assert isinstance(in_time.decision, RetryLater)
    assert late.decision == GiveUp("status 503, and the next attempt would come after it expires")
    assert beyond.decision == GiveUp("status 503, and the next attempt would come after the horizon ends")


def test_a_job_that_waited_longer_than_the_api_remembers_is_not_sent(attempts: Attempts) -> None:
    outcome = attempts.email(job=Job("test", "old", enqueued_at=time.time() - 14 * 86_400))

    assert isinstance(outcome.error, JobExpiredError)
    assert attempts.session.sent == []


def test_a_time_limit_ends_an_attempt_like_no_answer(attempts: Attempts) -> None:
    attempts.answer(raises(TimeLimitError("ada@example.org")))

    outcome = attempts.email()

    assert isinstance(outcome.decision, RetryLater)
    assert isinstance(outcome.error, PostStackTimeoutError)
    assert "example.org" not in str(outcome.error)


def test_a_time_limit_while_the_job_is_looked_at_is_no_success(attempts: Attempts) -> None:
    class Slow(dict[str, Any]):
        def items(self) -> Any:
            raise TimeLimitError

    assert isinstance(attempts.email(Slow(EMAIL)).decision, RetryLater)
    assert isinstance(attempts.batch([Slow(EMAIL)]).decision, RetryLater)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("secret"), KeyError("secret"), json.JSONDecodeError("secret", "secret", 0), OSError("secret")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_client_of_ones_own_raises_is_tried_again(attempts: Attempts, error: Exception) -> None:
    attempts.answer(raises(error))

    for outcome in (attempts.email(), attempts.batch([EMAIL])):
        assert isinstance(outcome.decision, RetryLater)
        assert isinstance(outcome.error, PostStackConnectionError)
        assert "secret" not in f"{outcome.error}{outcome.decision}{outcome.result}"
        assert outcome.error.__cause__ is error


def test_arguments_that_a_client_refuses_would_be_refused_again(attempts: Attempts) -> None:
    attempts.answer(raises(ValueError("ada@example.org is wrong")))

    outcome = attempts.email()

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, JobError)
    assert str(outcome.error) == "[address] is wrong"


@pytest.mark.parametrize("answer", [None, {}, {"id": ""}, {"id": 7}, [], "em_1"], ids=repr)
def test_an_answer_without_an_id_leaves_doubt_and_is_asked_for_again(attempts: Attempts, answer: object) -> None:
    attempts.answer(answering(answer))

    assert isinstance(attempts.email().decision, RetryLater)
    assert isinstance(attempts.batch([EMAIL, EMAIL]).decision, RetryLater)


def test_the_end_of_the_process_is_not_held_up(attempts: Attempts) -> None:
    attempts.answer(raises(SystemExit(3)))

    with pytest.raises(SystemExit):
        attempts.email()


def test_a_batch_has_a_key_for_each_email(attempts: Attempts) -> None:
    outcome = attempts.batch([EMAIL, {**EMAIL, "idempotency_key": "own"}, EMAIL], "news/1")

    assert outcome.decision == Sent()
    assert sorted(attempts.keys) == ["news/1-0", "news/1-2", "own"]
    assert [set(one) for one in outcome.result] == [{"id"}] * 3


def test_a_batch_that_comes_again_sends_nothing_again(attempts: Attempts) -> None:
    attempts.session.fail(lost_answer=True, times=1)

    assert isinstance(attempts.batch([EMAIL] * 3).decision, RetryLater)
    again = attempts.batch([EMAIL] * 3)

    assert [one["replayed"] for one in again.result] == [True] * 3
    assert len(attempts.session.sent) == 3


def test_a_batch_with_a_wrong_key_is_given_up(attempts: Attempts) -> None:
    assert attempts.batch([EMAIL], "k" * 255).name == "given_up"
    assert attempts.batch([{**EMAIL, "idempotency_key": ""}]).name == "given_up"
    assert attempts.session.sent == []


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        (None, GiveUp),
        ("unprocessable_entity", GiveUp),
        ("monthly_limit_exceeded", GiveUp),
        ("idempotency_in_progress", RetryLater),
        ("rate_limit_exceeded", RetryLater),
        ("internal_error", RetryLater),
    ],
)
def test_each_email_of_a_batch_is_judged(attempts: Attempts, code: str | None, decision: type) -> None:
    refused = {"error": "ada@example.org: no"} | ({"code": code} if code else {})
    attempts.answer(answering({"data": [{"id": "em_1"}, refused]}))

    outcome = attempts.batch([EMAIL, EMAIL])

    assert type(outcome.decision) is decision
    assert outcome.result == [{"id": "em_1"}, {"error": "[address]: no", "code": code}]
    assert isinstance(outcome.answers[1], PostStackError)
    if decision is GiveUp:
        assert isinstance(outcome.error, BatchNotAllSentError)
        assert outcome.error.refused == {1: "[address]: no"}


def test_a_quota_is_waited_for_when_asked(attempts: Attempts) -> None:
    attempts.answer(answering({"data": [{"error": "used up", "code": "monthly_limit_exceeded"}]}))

    assert isinstance(attempts.batch([EMAIL], limits=Limits(wait_for_quota=True)).decision, RetryLater)


def test_a_batch_that_is_refused_as_a_whole_tells_the_first_reason(attempts: Attempts) -> None:
    attempts.answer(answering({"data": [{"error": "first"}, {"error": "second"}]}))

    outcome = attempts.batch([EMAIL, EMAIL])

    assert isinstance(outcome.error, PostStackError)
    assert (outcome.error.status_code, outcome.error.error) == (422, "first")


def test_a_batch_waits_as_long_as_its_slowest_email(attempts: Attempts) -> None:
    attempts.session.fail(503, retry_after=30, times=1)

    outcome = attempts.batch([EMAIL] * 5)

    assert isinstance(outcome.decision, RetryLater)
    assert outcome.decision.delay == 30
    assert attempts.session.sent == []


@pytest.mark.parametrize("answer", [{"data": []}, {"data": [{"id": "em_1"}]}, {"data": None}, [], None], ids=repr)
def test_an_answer_of_another_length_is_no_answer(attempts: Attempts, answer: object) -> None:
    attempts.answer(answering(answer))

    outcome = attempts.batch([EMAIL, EMAIL])

    assert isinstance(outcome.decision, RetryLater)
    assert "whose is whose" in str(outcome.error)


def test_a_worker_without_a_key_is_mended_by_a_deployment(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = poststack_tasks.job.send_email(JOB, EMAIL, settings=TaskSettings())

    assert isinstance(outcome.decision, RetryLater)
    assert "POSTSTACK_API_KEY" in str(outcome.error)
    assert "the worker has no client" in caplog.text


def test_a_factory_that_fails_is_called_again_and_its_text_is_not_told() -> None:
    def factory() -> Any:
        raise RuntimeError("password")

    outcome = poststack_tasks.job.send_email(JOB, EMAIL, settings=TaskSettings(client=factory))

    assert isinstance(outcome.decision, RetryLater)
    assert "password" not in f"{outcome.error}{outcome.decision}"
    assert "RuntimeError" in str(outcome.error)


def test_cancelling_an_attempt_cancels_it(poststack_emulator: EmulatorSession) -> None:
    async def never(payload: object) -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        client: Any = SimpleNamespace(emails=SimpleNamespace(send=never))
        attempt = poststack_tasks.job.asend_email(JOB, EMAIL, client=client, settings=TaskSettings())
        task = asyncio.ensure_future(attempt)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_an_asynchronous_client_without_a_deadline_is_given_one() -> None:
    async def never(payload: object) -> Any:
        await asyncio.Event().wait()

    client: Any = SimpleNamespace(emails=SimpleNamespace(send=never, batch=never))
    settings = TaskSettings(deadline=0.001)

    async def main() -> list[Outcome]:
        return [
            await poststack_tasks.job.asend_email(JOB, EMAIL, client=client, settings=settings),
            await poststack_tasks.job.asend_batch(JOB, [EMAIL], client=client, settings=settings),
        ]

    for outcome in asyncio.run(main()):
        assert isinstance(outcome.decision, RetryLater)
        assert isinstance(outcome.error, PostStackTimeoutError)


def test_a_queue_that_cannot_wait_gives_up(attempts: Attempts) -> None:
    attempts.session.fail(503, retry_after=40, times=1)

    outcome = attempts.email(job=Job("test", "j1", can_wait=False))

    assert outcome.decision == GiveUp("status 503 at attempt 1, and the queue cannot try it again later")
    assert isinstance(outcome.error, PostStackError)
