"""arq workers in processes of their own, stopped and killed, before a real API and a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from poststack import OutcomeUnknownError, PostStackError, WebhookEvent
from poststack_tasks import BatchNotAllSentError, JobError, JobExpiredError, configure
from tests.providers.fakes.base import Fault
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.with_tasks.proving import EMAIL, Api, Worker, Workers, wait_for

pytestmark = [
    pytest.mark.skipif(find_spec("arq") is None, reason="arq has an environment of its own: nox -s arq"),
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
    pytest.mark.slow,
]


@pytest.fixture
def fake() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


class Queue:
    """A queue of arq, its workers, and what became of its jobs."""

    def __init__(self, redis_url: str, workers: Workers) -> None:
        self.redis_url = redis_url
        self.workers = workers
        self.name = f"arq:{uuid.uuid4().hex}"

    def worker(self, settings: str = "WorkerSettings", **environment: str) -> Worker:
        place = f"tests.with_tasks.arq.worker_app.{settings}"
        return self.workers.start("-m", "arq", place, REDIS_URL=self.redis_url, ARQ_QUEUE=self.name, **environment)

    def do(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Await something with an `ArqRedis`."""
        from importlib import import_module

        connections: Any = import_module("arq.connections")

        async def main() -> Any:
            settings = connections.RedisSettings.from_dsn(self.redis_url)
            redis = await connections.create_pool(settings, default_queue_name=self.name)
            try:
                return await work(redis)
            finally:
                await redis.aclose()

        return asyncio.run(main())

    def enqueue(self, payload: Any = EMAIL, **options: Any) -> str:
        from poststack_tasks import arq as mail

        job: Any = self.do(lambda redis: mail.enqueue(redis, payload, **options))
        return str(job.job_id)

    def enqueue_raw(self, *arguments: Any, **options: Any) -> str:
        job: Any = self.do(lambda redis: redis.enqueue_job(*arguments, **options))
        return str(job.job_id)

    def result(self, job_id: str, worker: Worker) -> Any:
        """Wait for the end of a job, and return arq's record of it."""
        from importlib import import_module

        jobs: Any = import_module("arq.jobs")
        found: list[Any] = []

        def ended() -> bool:
            found[:] = [self.do(lambda redis: jobs.Job(job_id, redis, _queue_name=self.name).result_info())]
            return found[0] is not None

        wait_for(f"the end of job {job_id}", ended, worker)
        return found[0]

    def keys_left(self) -> list[bytes]:
        found: list[bytes] = self.do(lambda redis: redis.keys("poststack:arq:*"))
        return found


@pytest.fixture
def queue(redis_url: str, workers: Workers) -> Queue:
    return Queue(redis_url, workers)


def test_the_api_says_how_long_to_wait_and_the_worker_is_free_meanwhile(queue: Queue, api: Api) -> None:
    api.fail(status=503, retry_after=1, times=2)
    worker = queue.worker("AsDocumented")

    job_id = queue.enqueue()
    ended = queue.result(job_id, worker)

    assert ended.success
    assert ended.result == {"id": api.emails[0]["publicId"]}
    assert len(api.emails) == 1
    assert api.keys == {f"arq-{job_id}"}
    times = [attempt.at for attempt in api.attempts]
    assert len(times) == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))
    assert queue.keys_left() == []
    # arq writes the arguments of jobs into its log.
    assert "→" in worker.log
    assert "example" not in worker.log


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(queue: Queue, api: Api, point: Any) -> None:
    held = api.hold(point)
    first = queue.worker()
    job_id = queue.enqueue()
    wait_for("the attempt", held.reached.is_set, first)
    first.kill()

    second = queue.worker()
    ended = queue.result(job_id, second)

    assert ended.success
    assert ended.result.get("replayed", False) is (point == "after")
    assert len(api.emails) == 1
    assert api.keys == {f"arq-{job_id}"}
    assert len(api.attempts) == 2


def test_a_worker_that_is_stopped_hands_its_jobs_on_at_once(queue: Queue, api: Api) -> None:
    held = api.hold("after")
    first = queue.worker("AsDocumented")  # Its timeout is too long to end the attempt before the signal.
    job_id = queue.enqueue()
    wait_for("the attempt", held.reached.is_set, first)
    first.stop()

    assert "will be run again" in first.log
    second = queue.worker("AsDocumented")
    ended = queue.result(job_id, second)

    assert ended.result["replayed"] is True
    assert len(api.emails) == 1
    assert api.keys == {f"arq-{job_id}"}


def test_an_answer_that_was_lost_doubles_nothing(queue: Queue, api: Api) -> None:
    api.fail(lost_answer=True, times=2)
    worker = queue.worker()

    ended = queue.result(queue.enqueue(idempotency_key="welcome/42"), worker)

    assert ended.result["replayed"] is True
    assert len(api.emails) == 1
    assert api.keys == {"welcome/42"}
    assert len(api.attempts) == 3


def test_an_attempt_that_takes_too_long_is_tried_again(queue: Queue, api: Api) -> None:
    held = api.hold("after")
    worker = queue.worker(POSTSTACK_TEST_DEADLINE="0.5")

    ended = queue.result(queue.enqueue(), worker)

    assert held.reached.is_set()
    assert ended.result["replayed"] is True
    assert len(api.emails) == 1


def test_a_refusal_is_kept_with_its_type_and_without_addresses(queue: Queue, api: Api) -> None:
    api.fail(status=422, error="ada@example.org is not wanted", code="unprocessable_entity")
    worker = queue.worker()

    ended = queue.result(queue.enqueue(), worker)

    assert not ended.success
    assert type(ended.result) is PostStackError
    assert (ended.result.status_code, ended.result.error) == (422, "[address] is not wanted")
    assert len(api.attempts) == 1
    assert "example" not in worker.log


def test_an_expired_job_is_not_sent(queue: Queue, api: Api) -> None:
    by_helper = queue.enqueue(expires=-1)
    raw = queue.enqueue_raw("poststack.send_email", EMAIL, expires="2026-01-01T00:00:00Z")
    worker = queue.worker()

    assert type(queue.result(by_helper, worker).result) is JobExpiredError
    assert type(queue.result(raw, worker).result) is JobExpiredError
    assert api.attempts == []


def test_the_policy_ends_before_arq_forgets_the_job(queue: Queue, api: Api) -> None:
    api.fail(status=503, retry_after=60)
    job_id = queue.enqueue_raw("poststack.send_email", EMAIL, _expires=30)

    ended = queue.result(job_id, queue.worker())

    assert isinstance(ended.result, PostStackError)
    assert ended.result.status_code == 503
    assert len(api.attempts) == 1


def test_a_raw_job_that_is_wrong_is_refused_by_the_worker(queue: Queue, api: Api) -> None:
    job_id = queue.enqueue_raw("poststack.send_email", {**EMAIL, "api_key": "sk_test_secret"})
    worker = queue.worker()

    ended = queue.result(job_id, worker)

    assert type(ended.result) is JobError
    assert "sk_test_secret" not in worker.log
    assert api.attempts == []


def test_a_batch_is_sent_once_and_each_refusal_is_told(queue: Queue, api: Api) -> None:
    from poststack_tasks import arq as mail

    api.fail(lost_answer=True, times=1)
    worker = queue.worker()
    job: Any = queue.do(lambda redis: mail.enqueue_batch(redis, [EMAIL, EMAIL], idempotency_key="news/1"))
    ended = queue.result(job.job_id, worker)

    assert [one["replayed"] for one in ended.result] == [True, True]
    assert len(api.emails) == 2

    wrong = {**EMAIL, "from": "nobody@unverified.invalid@"}
    job = queue.do(lambda redis: mail.enqueue_batch(redis, [EMAIL, wrong]))
    ended = queue.result(job.job_id, worker)

    assert type(ended.result) is BatchNotAllSentError
    assert list(ended.result.refused) == [1]


def test_an_event_is_handled_once(queue: Queue, api: Api) -> None:
    from poststack_tasks import arq as mail

    event = WebhookEvent(f"ev_{uuid.uuid4().hex}", "email.bounced", None, "em_1", {})
    worker = queue.worker()

    job: Any = queue.do(lambda redis: mail.enqueue_event(redis, event))
    again: Any = queue.do(lambda redis: mail.enqueue_event(redis, event))
    ended = queue.result(job.job_id, worker)

    assert again is None
    assert ended.result == {"event": event.id}
    assert queue.do(lambda redis: redis.lrange("bounced", 0, -1)).count(event.id.encode()) == 1


def test_without_startup_each_job_has_a_client(queue: Queue, api: Api) -> None:
    ended = queue.result(queue.enqueue(), queue.worker("WithoutStartup"))

    assert ended.success
    assert len(api.emails) == 1


def test_a_worker_without_a_key_is_mended_by_a_deployment(queue: Queue, api: Api) -> None:
    job_id = queue.enqueue()
    first = queue.worker("WithoutStartup", POSTSTACK_API_KEY="")
    wait_for("an attempt", lambda: "↻" in first.log, first)
    first.stop()

    assert queue.result(job_id, queue.worker()).success
    assert len(api.emails) == 1


def test_a_worker_with_wrong_settings_is_mended_by_a_deployment(queue: Queue, api: Api) -> None:
    from poststack_tasks import arq as mail

    event = WebhookEvent(f"ev_{uuid.uuid4().hex}", "email.bounced", None, "em_1", {})
    jobs = [queue.enqueue(), str(queue.do(lambda redis: mail.enqueue_event(redis, event)).job_id)]
    first = queue.worker("WithoutStartup", POSTSTACK_TEST_WRONG="five")
    wait_for("an attempt of each", lambda: first.log.count("↻") >= len(jobs), first)
    first.stop()

    assert "the settings of the worker are wrong: The setting `timeout` is a number" in first.log
    second = queue.worker()
    assert all(queue.result(job_id, second).success for job_id in jobs)
    assert len(api.emails) == 1


def test_a_worker_with_startup_and_without_a_key_does_not_start(queue: Queue) -> None:
    worker = queue.worker(POSTSTACK_API_KEY="")

    assert worker.process.wait(60) != 0
    assert "POSTSTACK_API_KEY" in worker.log


def test_what_could_not_be_sent_is_refused_when_it_is_enqueued(queue: Queue) -> None:
    from poststack_tasks import arq as mail

    wrong: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({**EMAIL, "to": []}, {}),
        ({**EMAIL, "text": b"bytes"}, {}),
        ({**EMAIL, "api_key": "x"}, {}),
        (EMAIL, {"idempotency_key": ""}),
        (EMAIL, {"expires": "soon"}),
    ]
    for payload, options in wrong:
        with pytest.raises(JobError):
            queue.enqueue(payload, **options)
    with pytest.raises(JobError):
        queue.do(lambda redis: mail.enqueue_batch(redis, [EMAIL], idempotency_key="k" * 255))
    assert queue.do(lambda redis: redis.zcard(queue.name)) == 0


def test_a_job_with_an_id_of_its_own_is_enqueued_once(queue: Queue) -> None:
    from poststack_tasks import arq as mail

    job_id = queue.enqueue(_job_id=f"welcome-{queue.name}")

    assert queue.do(lambda redis: mail.enqueue(redis, EMAIL, _job_id=job_id)) is None


def test_a_deadline_that_arq_would_not_wait_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from poststack_tasks import arq as mail

    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_1")
    configure(deadline=44)

    with pytest.raises(ValueError, match="at most 40 s"):
        asyncio.run(mail.startup({}))


def test_a_client_of_ones_own_is_used_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    from poststack_tasks import arq as mail

    own = SimpleNamespace()
    ctx: dict[str, Any] = {"poststack": own}

    async def main() -> None:
        await mail.startup(ctx)
        await mail.shutdown(ctx)

    asyncio.run(main())

    assert ctx == {"poststack": own}


def test_a_killed_worker_is_gone(queue: Queue) -> None:
    worker = queue.worker()
    worker.kill()

    assert worker.process.returncode == -signal.SIGKILL


def through(fake: FakeSendGrid, keys: str | None) -> dict[str, str]:
    options = {**fake.settings(), **({"keys": keys} if keys else {})}
    return {"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": json.dumps(options)}


def test_another_provider_sends_once_although_a_worker_is_killed(
    queue: Queue, redis_url: str, fake: FakeSendGrid
) -> None:
    fake.faults.append(Fault(taken=True, stall=60, reset=True))
    first = queue.worker(**through(fake, redis_url))
    job_id = queue.enqueue()
    wait_for("the provider has the e-mail", lambda: fake.delivered, first)
    first.kill()
    second = queue.worker(**through(fake, redis_url))

    found = queue.result(job_id, second)

    assert (found.success, isinstance(found.result, OutcomeUnknownError)) == (False, True)
    other = queue.enqueue()
    assert queue.result(other, second).result["provider"] == "sendgrid"
    assert len(fake.delivered) == 2


def test_without_a_store_of_keys_the_job_waits_for_one(queue: Queue, redis_url: str, fake: FakeSendGrid) -> None:
    first = queue.worker(**through(fake, None))
    job_id = queue.enqueue()
    wait_for("the job is tried again", lambda: "store of idempotency keys" in first.log, first)
    first.stop()
    assert fake.requests == []

    second = queue.worker(**through(fake, redis_url))
    assert queue.result(job_id, second).success
    assert len(fake.delivered) == 1
