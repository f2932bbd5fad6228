"""`poststack tasks failed` and `retry` for RQ."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack.cli import main
from poststack_tasks.rq import enqueue, send_email
from tests.with_tasks.rq.stand import Api
from tests.with_tasks.rq.test_sending import EMAIL, ended


def tasks(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command; return its status and what it printed."""
    capsys.readouterr()
    status = main(["tasks", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def failed_job(api: Api, served: Any) -> Any:
    """Return a job that was given up, of a queue with another project's failure."""
    served.failed_job_registry.cleanup(time.time() + 1e9)
    api.fail(status=403, times=1, path="/emails")
    job = enqueue(served, EMAIL, idempotency_key=f"welcome/{uuid.uuid4()}")
    other = served.enqueue("tests.with_tasks.rq.no_such_module.job")
    assert ended(job) == ended(other) == "failed"
    return job


def test_failed_jobs_are_listed_with_why_and_nothing_of_the_e_mail(
    failed_job: Any, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = tasks(capsys, "failed", "--rq", redis_url, "--queue", served.name)
    assert status == 0
    head, line = out.splitlines()
    assert head.split()[:2] == ["ID", "FUNCTION"]
    assert failed_job.id in line
    assert "403" in line
    assert "refused" in line
    assert "example.com" not in out
    _, out, _ = tasks(capsys, "failed", "--rq", redis_url, "--json")
    (listed,) = [one for one in json.loads(out) if one["queue"] == served.name]
    assert (listed["id"], listed["function"], listed["attempts"]) == (failed_job.id, "send_email", 1)
    assert abs(listed["failed_at"] - time.time()) < 120


def test_a_retried_job_has_its_id_its_key_and_all_of_its_retries(
    api: Api, failed_job: Any, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.fail(status=503, times=1, path="/emails")
    status, out, _ = tasks(capsys, "retry", failed_job.id, "--rq", redis_url, "--queue", served.name)
    assert (status, out) == (0, "1 to be tried again, 0 not.\n")
    assert ended(failed_job) == "finished"
    assert [mail["payload"]["idempotency_key"] for mail in api.mails()] == [failed_job.kwargs["idempotency_key"]]
    assert failed_job.id not in served.failed_job_registry.get_job_ids()
    assert len(served.failed_job_registry.get_job_ids()) == 1  # Another project's.


def test_a_job_that_somebody_killed_can_be_retried_too(
    api: Api, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.failed_job_registry.cleanup(time.time() + 1e9)
    job: Any = served.create_job(send_email, args=(EMAIL,), description="poststack.send_email")
    served.failed_job_registry.add(job, exc_string="Work-horse terminated unexpectedly")
    _, out, _ = tasks(capsys, "failed", "--rq", redis_url, "--queue", served.name)
    assert "died" in out
    assert tasks(capsys, "retry", "--all", "--rq", redis_url, "--queue", served.name)[0] == 0
    assert ended(job) == "finished"
    assert len(api.mails()) == 1


def test_an_old_job_needs_force_and_is_then_sent(
    api: Api, failed_job: Any, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failed_job.created_at = datetime.now(timezone.utc) - timedelta(days=14)
    failed_job.save(include_meta=False)
    where = ("--rq", redis_url, "--queue", served.name)
    status, out, err = tasks(capsys, "retry", failed_job.id, *where)
    assert (status, out) == (1, "0 to be tried again, 1 not.\n")
    assert "13 days" in err
    assert tasks(capsys, "retry", failed_job.id, "--force", *where)[0] == 0
    assert ended(failed_job) == "finished"
    assert len(api.mails()) == 1


def test_what_is_not_there_is_said(failed_job: Any, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = tasks(capsys, "retry", "no-such-job", "--rq", redis_url)
    assert status == 1
    assert "no-such-job" in err
    assert tasks(capsys, "retry", "--rq", redis_url)[0] == 2
    assert tasks(capsys, "failed", "--rq", "redis://127.0.0.1:1/0")[0] == 2
    assert tasks(capsys, "failed", "--rq", "nonsense")[0] == 2
