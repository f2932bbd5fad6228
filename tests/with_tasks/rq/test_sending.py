"""Jobs on real workers: sent once, tried again later, given up, whatever the worker class and the serializer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

import poststack_tasks
from poststack import WebhookEvent
from poststack_tasks.rq import enqueue, enqueue_batch, enqueue_event, send_batch, send_email
from tests.with_tasks.rq.stand import Api, Stand, wait_until

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "The text"}
FINAL = {"finished", "failed", "stopped", "canceled"}


def status_of(job: Any) -> str:
    return str(job.get_status().value)


def ended(job: Any) -> str:
    """Return the state of a job that has ended."""
    return str(wait_until(lambda: (status := status_of(job)) in FINAL and status, f"job {job.id} ends"))


def notes(job: Any) -> dict[str, Any]:
    found: dict[str, Any] = job.get_meta()["poststack"]
    return found


def why(job: Any) -> str:
    """Return what RQ keeps of how a job failed."""
    result: Any = job.latest_result()
    return str(result.exc_string)


def others(stand: Stand, connection: Any, serializer: str) -> Any:
    return Queue(stand.name, connection=connection, serializer=JSONSerializer if serializer == "json" else None)


def kinds_of(serializer: str) -> list[str]:
    return ["--serializer", "rq.serializers.JSONSerializer"] if serializer == "json" else []


@pytest.mark.parametrize(
    ("kind", "serializer"),
    [("Worker", "pickle"), ("Worker", "json"), ("SimpleWorker", "json"), ("SpawnWorker", "pickle")],
)
def test_a_job_whose_api_was_busy_is_sent_by_the_queue(
    stand: Stand, connection: Any, kind: str, serializer: str
) -> None:
    queue = others(stand, connection, serializer)
    stand.api.fail(status=503, times=1, path="/emails")
    stand.api.fail(status=429, retry_after=2, times=1, path="/emails")
    worker = stand.worker(*kinds_of(serializer), kind=f"rq.worker.{kind}")
    job: Any = enqueue(queue, EMAIL)
    assert ended(job) == "finished", worker.written()
    (mail,) = stand.api.mails()
    assert job.return_value()["id"] == mail["publicId"]
    assert mail["payload"]["idempotency_key"] == f"rq-{job.id}"
    assert notes(job)["attempt"] == 3
    assert "failure" not in notes(job)
    assert "example.com" not in worker.written()


def test_a_plain_job_is_sent_by_the_queue_and_may_be_named_by_hand(api: Api, served: Any) -> None:
    api.fail(status=503, times=1, path="/emails")
    job: Any = served.enqueue(send_email, EMAIL, idempotency_key="welcome/1")
    batch: Any = served.enqueue(send_batch, [EMAIL, EMAIL])
    assert ended(job) == ended(batch) == "finished"
    assert sorted(mail["payload"]["idempotency_key"] for mail in api.mails()) == sorted(
        ["welcome/1", f"rq-{batch.id}-0", f"rq-{batch.id}-1"]
    )
    assert len(batch.return_value()) == 2


@pytest.mark.parametrize("by_hand", [False, True], ids=["enqueue", "plain"])
def test_a_refusal_is_final_told_once_and_without_addresses(stand: Stand, queue: Any, by_hand: bool) -> None:
    stand.api.fail(status=403, times=5, path="/emails")
    worker = stand.worker()
    if by_hand:
        job: Any = queue.enqueue(send_email, EMAIL, description="poststack.send_email")
    else:
        job = enqueue(queue, EMAIL)
    assert ended(job) == "failed"
    assert job.id in queue.failed_job_registry.get_job_ids()
    assert [fault["times"] for fault in stand.api.faults()] == [4]
    job.refresh()
    assert job.retries_left == 0
    failure = notes(job)["failure"]
    assert (failure["status"], failure["given_up"], failure["error"]) == (403, True, "PostStackError")
    assert "refused" in failure["reason"]
    assert "example.com" not in json.dumps(failure) + worker.written() + why(job)


def test_patience_ends_with_the_reason_kept(api: Api, served: Any) -> None:
    api.fail(status=429, retry_after=600, times=1, path="/emails")
    job: Any = enqueue(served, EMAIL, expires=60)
    assert ended(job) == "failed"
    assert "expires" in notes(job)["failure"]["reason"]
    assert api.mails() == []


def test_an_attempt_that_takes_too_long_is_made_again_with_its_key(api: Api, served: Any) -> None:
    api.fail(delay=8, times=1, path="/emails")
    job: Any = enqueue(served, EMAIL, job_timeout=2)
    assert ended(job) == "finished"
    assert [mail["payload"]["idempotency_key"] for mail in api.mails()] == [f"rq-{job.id}"]
    assert notes(job)["attempt"] > 1


def test_without_a_scheduler_the_worker_waits_and_nothing_is_lost(stand: Stand, queue: Any) -> None:
    stand.api.fail(status=503, times=1, path="/emails")
    stand.api.fail(status=429, retry_after=2, times=1, path="/emails")
    worker = stand.worker(scheduler=False)
    job: Any = enqueue(queue, EMAIL)
    assert ended(job) == "finished"
    assert "--with-scheduler" in worker.written()
    assert len(stand.api.mails()) == 1
    assert queue.scheduled_job_registry.get_job_ids() == []


def test_a_wait_that_no_time_limit_allows_is_cut_short(stand: Stand, queue: Any) -> None:
    stand.api.fail(status=429, retry_after=600, times=1, path="/emails")
    stand.worker(scheduler=False)
    job: Any = enqueue(queue, EMAIL, job_timeout=4)
    assert ended(job) == "finished"
    assert len(stand.api.mails()) == 1


@pytest.mark.parametrize("kind", ["Worker", "SpawnWorker"])
def test_a_job_whose_process_was_killed_is_run_again(stand: Stand, queue: Any, kind: str) -> None:
    stand.api.fail(delay=60, times=1, path="/emails")  # Accepted, or not: nobody hears of it.
    worker = stand.worker(kind=f"rq.worker.{kind}", scheduler=False)
    job: Any = enqueue(queue, EMAIL)
    wait_until(lambda: not stand.api.faults(), "the request is held")
    worker.kill(*worker.children())
    assert ended(job) == "finished"
    assert notes(job)["attempt"] == 2
    assert len(stand.api.mails()) == 1


@pytest.mark.parametrize("by_hand", [False, True], ids=["enqueue", "plain"])
def test_a_job_whose_worker_was_killed_is_run_by_another(stand: Stand, queue: Any, by_hand: bool) -> None:
    stand.api.fail(delay=90, times=1, path="/emails")
    worker = stand.worker()
    job: Any = queue.enqueue(send_email, EMAIL) if by_hand else enqueue(queue, EMAIL)
    wait_until(lambda: not stand.api.faults(), "the request is held")
    worker.kill()
    # Sooner than the minute after which RQ takes it for abandoned by itself.
    connection = queue.connection
    key = queue.started_job_registry.key
    for execution in connection.zrange(key, 0, -1):
        connection.zadd(key, {execution: 1})
    stand.worker(scheduler=False)
    assert ended(job) == "finished"
    assert len(stand.api.mails()) == 1
    assert notes(job)["attempt"] == 2


def test_a_job_of_the_application_hears_of_failures_and_is_run_again(api: Api, served: Any) -> None:
    api.fail(status=503, times=2, path="/emails")
    job: Any = served.enqueue("tests.with_tasks.rq.projects.welcome", "ada@example.com", "welcome/7")
    assert ended(job) == "finished"
    (mail,) = api.mails()
    assert job.return_value() == f"sent {mail['publicId']}"


def test_a_job_of_the_application_is_refused_without_a_key(api: Api, served: Any) -> None:
    job: Any = served.enqueue("tests.with_tasks.rq.projects.welcome", "ada@example.com", None)
    assert ended(job) == "failed"
    assert "idempotency_key" in why(job)
    assert api.mails() == []


def test_each_handler_of_an_event_does_its_work_once(stand: Stand, queue: Any, tmp_path: Any) -> None:
    event: Any = {"id": "evt_1", "type": "email.bounced", "timestamp": None, "email_id": None, "data": {}}
    events = tmp_path / "events"
    # RQ imports what a worker is told to; handlers are in there.
    settings = tmp_path / "worker_settings.py"
    settings.write_text("import tests.with_tasks.rq.projects\n")
    stand.worker("--config", "worker_settings", "--path", str(tmp_path), EVENTS_FILE=str(events))
    job: Any = enqueue_event(queue, event)
    assert enqueue_event(queue, event).id == job.id
    assert ended(job) == "finished"
    assert notes(job)["attempt"] == 2
    assert events.read_text().split() == ["evt_1"]


def test_a_worker_with_wrong_settings_loses_nothing(
    stand: Stand, queue: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[poststack_tasks.Outcome] = []

    @poststack_tasks.on_outcome
    def deploy(outcome: poststack_tasks.Outcome) -> None:
        told.append(outcome)
        poststack_tasks.configure(timeout=None)

    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_stand")
    monkeypatch.setenv("POSTSTACK_BASE_URL", stand.api.url)
    job: Any = enqueue(queue, EMAIL)
    event: Any = enqueue_event(queue, poststack_tasks.event_job(WebhookEvent("ev_1", "email.opened", None, "em_1", {})))
    poststack_tasks.configure(timeout="5")
    try:
        SimpleWorker([queue], connection=connection).work(burst=True)
    finally:
        poststack_tasks.configure(timeout=None)
        poststack_tasks.forget_outcome(deploy)

    assert [outcome.name for outcome in told] == ["retried", "sent", "sent"]
    assert isinstance(told[0].decision, poststack_tasks.RetryLater)
    assert "the settings of the worker are wrong: The setting `timeout` is a number" in told[0].decision.reason
    assert (status_of(job), status_of(event)) == ("finished", "finished")
    assert len(stand.api.mails()) == 1


def test_without_a_worker_what_fails_is_raised(stand: Stand, connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_stand")
    monkeypatch.setenv("POSTSTACK_BASE_URL", stand.api.url)
    stand.api.fail(status=503, times=2, path="/emails")
    queue = Queue(stand.name, connection=connection, is_async=False)
    job: Any = enqueue(queue, EMAIL)
    assert status_of(job) == "failed"
    assert "A fault was set" in why(job)
    with pytest.raises(Exception, match="fault was set"):
        send_email(EMAIL)
    batch: Any = enqueue_batch(queue, [EMAIL])
    assert batch.return_value()[0]["id"]
    assert send_email(EMAIL, "welcome/1")["id"]
