"""What is put into Redis: checked, once for each key, told to nobody, and safe from what kills workers."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from poststack_tasks import JobError
from poststack_tasks.rq import enqueue, enqueue_batch, enqueue_event, schedulers
from tests.with_tasks.rq.stand import Stand, wait_until

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "The text"}


def test_a_key_has_one_job_however_many_enqueue_it_at_once(queue: Any) -> None:
    key = f"welcome/ada@example.com/{uuid.uuid4()}"
    jobs: list[Any] = []
    threads = [
        threading.Thread(target=lambda: jobs.append(enqueue(queue, EMAIL, idempotency_key=key))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 8
    assert {job.id for job in jobs} == set(queue.job_ids)
    assert len(queue.job_ids) == 1
    # The id is shown to everybody; a key may be made of an address.
    assert "example" not in jobs[0].id
    keyed: Any = {**EMAIL, "idempotency_key": key}
    assert enqueue(queue, keyed).id == jobs[0].id
    assert enqueue_batch(queue, [EMAIL], idempotency_key=key).id != jobs[0].id


def test_without_a_key_each_job_is_one_of_its_own(queue: Any) -> None:
    assert enqueue(queue, EMAIL).id != enqueue(queue, EMAIL).id


def test_a_job_survives_crashes_is_kept_for_long_and_shows_nothing(queue: Any) -> None:
    job: Any = enqueue(queue, EMAIL, result_ttl=60, at_front=True)
    assert job.retries_left == 10
    assert job.retry_intervals == [0]
    assert job.timeout > 30
    assert (job.result_ttl, job.failure_ttl) == (60, 365 * 86_400)
    assert job.description == "poststack.send_email"
    assert "sk_" not in json.dumps(job.args)


@pytest.mark.parametrize(("wanted", "ttl"), [(0, 60), (30, 60), (61, 61), (-1, -1)])
def test_a_job_is_kept_for_a_minute_at_least(queue: Any, wanted: int, ttl: int) -> None:
    assert cast("Any", enqueue(queue, EMAIL, result_ttl=wanted)).result_ttl == ttl


@pytest.mark.parametrize("kind", ["seconds", "timedelta", "datetime"])
def test_the_moment_of_expiry_is_fixed(queue: Any, kind: str) -> None:
    in_ten_minutes = timedelta(minutes=10)
    expires: Any = {
        "seconds": 600,
        "timedelta": in_ten_minutes,
        "datetime": datetime.now(timezone.utc) + in_ten_minutes,
    }[kind]
    fixed = enqueue(queue, EMAIL, expires=expires).kwargs["expires"]
    assert 0 < datetime.fromisoformat(fixed).timestamp() - time.time() <= 600


@pytest.mark.parametrize(
    ("payload", "options"),
    [
        ({"from": "shop@example.com", "subject": "Hello"}, {}),
        ({**EMAIL, "api_key": "sk_live_0123456789"}, {}),
        ({**EMAIL, "text": b"bytes"}, {}),
        (EMAIL, {"idempotency_key": ""}),
        (EMAIL, {"expires": "tomorrow"}),
        (EMAIL, {"ttl": 60}),
        (EMAIL, {"pipeline": object()}),
        (EMAIL, {"unique": True}),
    ],
    ids=["no e-mail", "a key of the API", "not JSON", "key", "expires", "ttl", "pipeline", "unique"],
)
def test_what_is_wrong_is_said_at_once(queue: Any, payload: Any, options: dict[str, Any]) -> None:
    with pytest.raises(JobError):
        enqueue(queue, payload, **options)
    assert queue.job_ids == []


def test_an_event_that_is_none_is_refused(queue: Any) -> None:
    with pytest.raises(JobError, match="event_job"):
        enqueue_event(queue, {"type": "email.bounced"})


def test_a_job_that_depends_on_another_has_a_key_too(queue: Any) -> None:
    first: Any = enqueue(queue, EMAIL)
    key = str(uuid.uuid4())
    second: Any = enqueue(queue, EMAIL, idempotency_key=key, depends_on=first)
    assert enqueue(queue, EMAIL, idempotency_key=key).id == second.id
    assert queue.job_ids == [first.id]


def test_a_key_whose_job_was_given_up_is_told(queue: Any, caplog: pytest.LogCaptureFixture) -> None:
    job: Any = enqueue(queue, EMAIL, idempotency_key=str(uuid.uuid4()))
    job.set_status("failed")
    assert enqueue(queue, EMAIL, idempotency_key=job.kwargs["idempotency_key"]).id == job.id
    assert "poststack tasks failed" in caplog.text


def test_a_key_says_one_thing(queue: Any) -> None:
    key = str(uuid.uuid4())
    first: Any = enqueue(queue, EMAIL, idempotency_key=key)
    corrected: Any = {**EMAIL, "to": ["ada@example.org"]}

    with pytest.raises(JobError, match=f"job {first.id}, which has another e-mail") as refused:
        enqueue(queue, corrected, idempotency_key=key)
    assert "example" not in str(refused.value)
    with pytest.raises(JobError, match="has another e-mail"):  # By the other way to be sure.
        enqueue(queue, corrected, idempotency_key=key, depends_on=enqueue(queue, EMAIL))

    # One that was given up keeps no corrected e-mail from being sent.
    first.set_status("failed")
    second: Any = enqueue(queue, corrected, idempotency_key=key)
    assert (second.id, second.args) == (first.id, (corrected,))
    assert second.get_status() == "queued"


def test_an_event_has_one_job_whatever_else_is_delivered_with_it(queue: Any) -> None:
    event: Any = {"id": f"ev_{uuid.uuid4()}", "type": "email.opened", "data": {}}
    assert enqueue_event(queue, event).id == enqueue_event(queue, {**event, "timestamp": None}).id


@pytest.mark.parametrize(
    ("option", "meant"),
    [("idempotencykey", "idempotency_key"), ("expire", "expires"), ("job_timout", "job_timeout"), ("nonsense", None)],
)
def test_an_option_that_is_none_is_refused(queue: Any, option: str, meant: str | None) -> None:
    said = f"There is no option `{option}`." + (f" Did you mean `{meant}`?" if meant else "")
    with pytest.raises(JobError) as refused:
        enqueue(queue, EMAIL, **cast("Any", {option: 3}))
    assert str(refused.value) == said
    assert len(queue) == 0


def test_workers_without_a_scheduler_are_told_once_a_minute(
    stand: Stand, queue: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    enqueue(queue, EMAIL)
    assert "--with-scheduler" not in caplog.text  # Nobody works there yet.
    stand.worker(scheduler=False)

    def told() -> bool:
        monkeypatch.setattr(schedulers, "_looked", {})  # As if a minute had passed.
        enqueue(queue, EMAIL)
        return "--with-scheduler" in caplog.text

    wait_until(told, "the worker is known")
    caplog.clear()
    enqueue(queue, EMAIL)
    assert "--with-scheduler" not in caplog.text
