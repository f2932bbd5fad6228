"""Jobs through another provider than PostStack: what the queue may repeat, and what it must not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

import poststack_tasks.job
from poststack import OutcomeUnknownError, PostStack, PostStackConnectionError, PostStackError
from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    Failover,
    MailBridge,
    MemoryKeyStore,
    SqliteKeyStore,
)
from poststack_tasks import (
    BatchNotAllSentError,
    GiveUp,
    Job,
    JobError,
    Outcome,
    RetryLater,
    Sent,
    configure,
    configure_defaults,
    current_settings,
    forget_outcome,
    on_outcome,
)
from poststack_tasks.clients import async_client, get_client
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import FakeSendGrid

EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}
JOB = Job("test", "j1")


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> SqliteKeyStore:
    return SqliteKeyStore(tmp_path / "keys.db")


def attempt_with(mailer: Any, name: str, payload: Any, job: Job) -> Outcome:
    """Try once through a mailer of one's own, synchronous or not."""
    if isinstance(mailer, (AsyncMailBridge, AsyncFailover)):
        does: Any = getattr(poststack_tasks.job, f"a{name}")

        async def main() -> Outcome:
            try:
                outcome: Outcome = await does(job, payload, client=mailer)
                return outcome
            finally:
                await mailer.close()

        return asyncio.run(main())
    does = getattr(poststack_tasks.job, name)
    configure(client=lambda: mailer)
    outcome: Outcome = does(job, payload)
    poststack_tasks.close_clients()
    return outcome


class Attempts:
    """Tries jobs through a SendGrid that is a fake."""

    def __init__(self, fake: FakeSendGrid, store: Any, kind: Callable[..., Any]) -> None:
        self.fake, self.store, self.kind = fake, store, kind

    def email(self, payload: Any = EMAIL, job: Job = JOB, **options: Any) -> Outcome:
        return attempt_with(self._mailer(options), "send_email", payload, job)

    def batch(self, payloads: Any, job: Job = JOB, **options: Any) -> Outcome:
        return attempt_with(self._mailer(options), "send_batch", payloads, job)

    def _mailer(self, options: dict[str, Any]) -> Any:
        given = {"keys": self.store, "max_retries": 0, **self.fake.settings(), **options}
        return self.kind("sendgrid", **given)


@pytest.fixture(params=[MailBridge, AsyncMailBridge])
def attempts(request: pytest.FixtureRequest, fake: FakeSendGrid, store: SqliteKeyStore) -> Attempts:
    return Attempts(fake, store, request.param)


def test_a_job_is_sent_and_its_repetition_is_not(attempts: Attempts) -> None:
    first, again = attempts.email(), attempts.email()
    other = attempts.email(job=Job("test", "j2"))

    assert [one.decision for one in (first, again, other)] == [Sent()] * 3
    assert first.result == {"id": attempts.fake.delivered[0].message_id, "provider": "sendgrid"}
    assert again.result == {**first.result, "replayed": True}
    assert len(attempts.fake.delivered) == 2


def test_without_a_store_nothing_is_sent_and_the_job_waits_for_one(attempts: Attempts) -> None:
    outcome = attempts.email(keys=None)

    assert isinstance(outcome.decision, RetryLater)
    assert "sendgrid would then send its e-mail twice" in outcome.decision.reason
    assert "RedisKeyStore" in str(outcome.error)
    assert attempts.fake.requests == []
    assert attempts.email().decision == Sent()


def test_a_store_that_ends_with_the_worker_is_none(attempts: Attempts) -> None:
    outcome = attempts.email(keys=MemoryKeyStore())

    assert isinstance(outcome.decision, RetryLater)
    assert "MemoryKeyStore" in outcome.decision.reason
    assert attempts.fake.requests == []


def test_an_email_that_may_have_been_sent_is_given_up_with_the_reason(attempts: Attempts) -> None:
    attempts.fake.faults.append(Fault(taken=True, reset=True))
    told: list[Outcome] = []
    on_outcome(told.append)

    outcome = attempts.email()
    forget_outcome(told.append)

    assert outcome.decision == GiveUp("it may have been sent, and the provider cannot tell a repetition")
    assert isinstance(outcome.error, OutcomeUnknownError)
    assert outcome.error.code == "outcome_unknown"
    assert [one.name for one in told] == ["given_up"]


def test_what_a_killed_worker_has_begun_is_not_sent_again(attempts: Attempts) -> None:
    attempts.store.begin("test-j1", "sendgrid")

    outcome = attempts.email()

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, OutcomeUnknownError)
    assert "may have been sent" in str(outcome.error)
    assert attempts.fake.requests == []


def test_what_was_certainly_not_taken_is_tried_again(attempts: Attempts) -> None:
    attempts.fake.faults.append(answers(429, '{"errors":[{"message":"slow down"}]}', Retry_After="30"))

    first, second = attempts.email(), attempts.email()

    assert isinstance(first.decision, RetryLater)
    assert first.decision.delay >= 30
    assert second.decision == Sent()
    assert len(attempts.fake.delivered) == 1


def test_what_the_provider_cannot_say_is_given_up(attempts: Attempts) -> None:
    outcome = attempts.email({**EMAIL, "unsubscribe": True})

    assert isinstance(outcome.decision, GiveUp)
    assert isinstance(outcome.error, JobError)
    assert "`unsubscribe`: only PostStack knows it" in str(outcome.error)
    assert attempts.fake.requests == []


def test_a_batch_tells_of_each_email(attempts: Attempts) -> None:
    emails = [
        {**EMAIL, "text": "one"},
        {**EMAIL, "to": ["refused@example.org"], "text": "two"},
        {**EMAIL, "unsubscribe": True},
    ]

    outcome = attempts.batch(emails)

    assert isinstance(outcome.error, BatchNotAllSentError)
    assert outcome.error.results[0]["id"] == attempts.fake.delivered[0].message_id
    assert [one.get("code") for one in outcome.error.results] == [None, "invalid_recipient", "validation_error"]


def test_of_a_batch_only_what_is_certainly_not_sent_is_sent_again(attempts: Attempts) -> None:
    emails = [{**EMAIL, "text": f"text {number}"} for number in range(3)]
    attempts.fake.faults.extend([answers(503), Fault(taken=True, reset=True), answers(502)])

    first = attempts.batch(emails, concurrency=1)
    second = attempts.batch(emails, concurrency=1)

    assert isinstance(first.decision, RetryLater)
    assert [getattr(answer, "status_code", 0) for answer in first.answers] == [503, 0, 0]
    assert [type(answer).__name__ for answer in first.answers[1:]] == ["OutcomeUnknownError"] * 2
    assert isinstance(second.decision, GiveUp)
    assert [isinstance(answer, OutcomeUnknownError) for answer in second.answers] == [False, True, True]
    assert sorted(one.text or "" for one in attempts.fake.delivered) == ["text 0", "text 1"]


@pytest.mark.parametrize(
    ("status", "expected"), [(401, 401), (403, 401), (413, 413), (429, 429), (503, 503), (400, 422), (402, 429)]
)
def test_a_batch_fails_as_an_email_does(attempts: Attempts, status: int, expected: int) -> None:
    attempts.fake.faults.extend([answers(status), answers(status)])

    alone, batch = attempts.email(), attempts.batch([EMAIL], job=Job("test", "j2"))

    assert isinstance(alone.error, PostStackError)
    assert isinstance(batch.error, PostStackError)
    assert alone.error.status_code == batch.error.status_code == expected
    assert type(alone.decision) is type(batch.decision)
    assert alone.error.may_have_taken_effect == batch.error.may_have_taken_effect


def test_an_email_without_an_id_is_sent_all_the_same(attempts: Attempts) -> None:
    first, again = attempts.email(sandbox=True), attempts.email(sandbox=True)

    assert first.result == {"id": "sendgrid-test-j1", "provider": "sendgrid"}
    assert again.result == {**first.result, "replayed": True}


@pytest.mark.parametrize(("kind", "bridge"), [(Failover, MailBridge), (AsyncFailover, AsyncMailBridge)])
def test_a_failover_needs_a_store_of_its_own(kind: Any, bridge: Any, fake: FakeSendGrid, store: SqliteKeyStore) -> None:
    def bridges() -> list[Any]:
        away = bridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)
        return [away, bridge("sendgrid", **fake.settings(), max_retries=0)]

    without = attempt_with(kind(bridges()), "send_email", EMAIL, JOB)
    outcome = attempt_with(kind(bridges(), keys=store), "send_email", EMAIL, JOB)

    assert isinstance(without.decision, RetryLater)
    assert outcome.result["provider"] == "sendgrid"
    assert len(fake.delivered) == 1


def test_a_mailer_of_the_other_kind_is_not_used(fake: FakeSendGrid, store: SqliteKeyStore) -> None:
    with MailBridge("sendgrid", **fake.settings(), keys=store) as mailer:
        mixed: Any = mailer
        outcome = asyncio.run(poststack_tasks.job.asend_email(JOB, EMAIL, client=mixed))

    assert isinstance(outcome.decision, RetryLater)
    assert "of the other kind" in outcome.decision.reason
    assert fake.requests == []


class Settings:
    """Tries a job with what is configured, in both ways."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def attempt(self, job: Job = JOB) -> Outcome:
        if not self.asynchronous:
            return poststack_tasks.job.send_email(job, EMAIL)

        async def main() -> Outcome:
            client = async_client(current_settings())
            try:
                return await poststack_tasks.job.asend_email(job, EMAIL, client=client)
            finally:
                await client.aclose()

        return asyncio.run(main())


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def configured(request: pytest.FixtureRequest) -> Settings:
    return Settings(request.param)


def test_settings_name_the_provider(configured: Settings, fake: FakeSendGrid, store: SqliteKeyStore) -> None:
    configure(provider="sendgrid", provider_options={**fake.settings(), "keys": store})

    assert configured.attempt().result["provider"] == "sendgrid"


def test_the_environment_names_the_provider(
    configured: Settings, fake: FakeSendGrid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**fake.settings(), "keys": f"sqlite:{tmp_path / 'named.db'}"}
    monkeypatch.setenv("POSTSTACK_PROVIDER", "SendGrid")
    monkeypatch.setenv("POSTSTACK_PROVIDER_OPTIONS", json.dumps(options))

    assert configured.attempt().decision == configured.attempt().decision == Sent()
    assert len(fake.delivered) == 1
    configure(api_key="sk_test_1")
    assert isinstance(get_client(current_settings()), PostStack)


def test_the_provider_is_asked_once_and_the_queue_waits(
    configured: Settings, fake: FakeSendGrid, store: SqliteKeyStore
) -> None:
    configure(provider="sendgrid", provider_options={**fake.settings(), "keys": store, "max_retries": 5})
    fake.faults.append(answers(503))

    assert isinstance(configured.attempt().decision, RetryLater)
    assert len(fake.requests) == 1


def test_settings_of_a_provider_share_a_mailer_until_they_change(fake: FakeSendGrid, store: SqliteKeyStore) -> None:
    configure(provider="sendgrid", provider_options={**fake.settings(), "keys": store})
    first = get_client(current_settings())
    configure(provider_options={**fake.settings(), "keys": store})

    assert get_client(current_settings()) is first
    configure(provider_options={**fake.settings(), "keys": store, "sandbox": True})
    assert get_client(current_settings()) is not first


def test_a_provider_goes_before_a_client_of_the_project_and_the_other_way_round() -> None:
    def client() -> Any:
        raise NotImplementedError

    configure_defaults(client=client)
    conf = {"poststack_provider": "sendgrid", "poststack_provider_options": {"api_key": "SG.x"}}

    assert current_settings(conf).client is None
    assert current_settings(conf).provider == "sendgrid"
    configure(client=client)
    assert current_settings(conf).provider is None
    configure(client=None, provider="postmark")
    assert (current_settings(conf).provider, current_settings(conf).provider_options) == ("postmark", {})


def test_both_a_client_and_a_provider_are_refused() -> None:
    configure(client=PostStack, provider="sendgrid")

    with pytest.raises(ValueError, match="`client` and `provider`"):
        current_settings()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"provider": "sendgird"}, "There is no provider 'sendgird'"),
        ({"provider": "sendgrid", "provider_options": {"api_keys": "SG.secret"}}, "Did you mean 'api_key'"),
        ({"provider": "sendgrid", "provider_options": {"api_key": "SG.secret", "keys": "mysql:x"}}, "`keys` as text"),
        ({"provider": lambda: 1 / 0}, "raised ZeroDivisionError"),
        ({"provider": lambda: PostStack("sk_test_secret")}, "not PostStack"),
    ],
)  # fmt: skip
def test_wrong_settings_keep_the_job(settings: dict[str, Any], told: str) -> None:
    configure(**settings)

    outcome = Settings(asynchronous=False).attempt()

    assert isinstance(outcome.decision, RetryLater)
    assert told in outcome.decision.reason
    assert isinstance(outcome.error, PostStackConnectionError)
    assert "secret" not in str(outcome.error)


def test_a_path_that_leads_nowhere_is_found_with_the_settings() -> None:
    configure(provider="tests.with_tasks.nowhere:mailer")

    with pytest.raises(ValueError, match="cannot be imported"):
        current_settings()


def test_settings_show_no_secret(store: SqliteKeyStore) -> None:
    configure(provider="sendgrid", provider_options={"api_key": "SG.secret", "keys": store})

    assert "SG.secret" not in repr(current_settings())
