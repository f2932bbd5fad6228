"""`poststack tasks failed`, `retry` and `drop` for RQ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack.cli import main
from poststack_tasks.rq import enqueue, send_email
from tests.patience import PATIENCE
from tests.with_tasks.rq.stand import ROOT, Api
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
    retried = tasks(capsys, "retry", "--all", "--rq", redis_url, "--queue", served.name)
    assert retried[:2] == (0, "1 to be tried again, 0 not.\n")
    assert ended(job) == "finished"
    # An earlier test's job may be done again: on a busy machine the worker is taken for dead, and what the API knew of
    # its key went with the mailbox.
    keys = [mail["payload"]["idempotency_key"] for mail in api.mails()]
    assert f"rq-{job.id}" in keys
    assert len(set(keys)) == len(keys)


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


@pytest.mark.parametrize("action", [["failed", "--json"], ["failed"], ["retry", "--all"]])
def test_a_reader_that_has_gone_is_no_failure_of_the_broker(
    action: list[str], failed_job: Any, served: Any, redis_url: str
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "poststack", "tasks", *action, "--rq", redis_url, "--queue", served.name]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    finally:
        os.close(writes)
    # As a shell says it of a program that SIGPIPE ends.
    assert (done.returncode, done.stderr) == (141, "")
    if action[0] == "retry":
        assert ended(failed_job) == "finished"


def test_a_queue_that_has_none_is_named(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--rq", redis_url, "--queue", "mial")
    assert tasks(capsys, "failed", *where) == (0, "No job of the queue mial was given up.\n", "")
    assert tasks(capsys, "retry", "--all", *where) == (0, "No job of the queue mial was given up.\n", "")
    both = "No job of the queues mial, slow was given up.\n"
    assert tasks(capsys, "failed", *where, "--queue", "slow") == (0, both, "")


def test_ids_and_all_exclude_each_other(failed_job: Any, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = tasks(capsys, "retry", "--all", failed_job.id, "--rq", redis_url)
    assert (status, out) == (2, "")
    assert "not both" in err
    assert failed_job.get_status() == "failed"


def given_up(queue: Any, job_id: str, **arguments: Any) -> Any:
    """Return a job whose worker died for the last time."""
    job: Any = queue.create_job(
        send_email, args=(EMAIL,), kwargs=arguments, job_id=job_id, description="poststack.send_email"
    )
    job.save()
    queue.failed_job_registry.add(job, exc_string="Work-horse terminated unexpectedly")
    return job


def test_the_beginning_of_an_id_is_enough_when_no_other_begins_so(
    api: Api, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.failed_job_registry.cleanup(time.time() + 1e9)
    common, where = uuid.uuid4().hex[:6], ("--rq", redis_url, "--queue", served.name)
    first, second = given_up(served, f"{common}-1"), given_up(served, f"{common}-10")
    status, out, err = tasks(capsys, "retry", common, *where)
    assert (status, out) == (2, "")
    assert "2 jobs begin so" in err
    short = tasks(capsys, "retry", common[:5], *where)
    assert short[0] == 1
    assert "no such job" in short[2]
    # All of an id is that job's and no beginning.
    assert tasks(capsys, "retry", first.id, *where)[:2] == (0, "1 to be tried again, 0 not.\n")
    assert ended(first) == "finished"
    assert tasks(capsys, "retry", common, second.id, *where)[:2] == (0, "1 to be tried again, 0 not.\n")
    assert ended(second) == "finished"
    assert len(api.mails()) == 2


def test_a_job_that_has_expired_is_not_tried_again(
    api: Api, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.failed_job_registry.cleanup(time.time() + 1e9)
    late = given_up(served, uuid.uuid4().hex, expires="2020-01-01T00:00:00+00:00")
    soon = given_up(served, uuid.uuid4().hex, expires=3_600)
    where = ("--rq", redis_url, "--queue", served.name)
    status, out, err = tasks(capsys, "retry", "--all", "--force", *where)
    assert (status, out) == (1, "1 to be tried again, 1 not.\n")
    assert err == f"{late.id}: it has expired (2020-01-01 00:00:00Z), and would only be given up again.\n"
    assert ended(soon) == "finished"
    assert served.failed_job_registry.get_job_ids() == [late.id]


def test_what_the_api_said_is_shown_without_addresses(
    api: Api, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.failed_job_registry.cleanup(time.time() + 1e9)
    wrong: Any = {**EMAIL, "to": ["no address"]}
    job: Any = enqueue(served, wrong)
    assert ended(job) == "failed"
    where = ("--rq", redis_url, "--queue", served.name)
    (listed,) = json.loads(tasks(capsys, "failed", "--json", *where)[1])
    assert listed["status"] == 422
    said = job.get_meta()["poststack"]["failure"]["message"]
    assert listed["message"] == said != ""
    assert said not in tasks(capsys, "failed", *where)[1]
    assert tasks(capsys, "failed", "--verbose", *where)[1].splitlines()[-1] == f"    {said}"
    # Whatever has written it.
    job.meta["poststack"]["failure"]["message"] = "ada@example.com is\n\x1b[31mno address"
    job.save_meta()
    assert "    [address] is [31mno address\n" in tasks(capsys, "failed", "-v", *where)[1]


def test_an_error_of_the_call_itself_is_named(served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    served.failed_job_registry.cleanup(time.time() + 1e9)
    job = served.enqueue(send_email, EMAIL, idempotencykey="ada@example.com", description="poststack.send_email")
    assert ended(job) == "failed"
    (listed,) = json.loads(tasks(capsys, "failed", "--json", "--rq", redis_url, "--queue", served.name)[1])
    assert (listed["reason"], listed["error"], listed["message"]) == ("it failed with TypeError", "TypeError", None)


def test_a_job_that_is_dropped_is_gone(
    failed_job: Any, served: Any, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--rq", redis_url, "--queue", served.name)
    status, _, err = tasks(capsys, "drop", "--all", *where)
    assert status == 2
    assert "--yes" in err
    assert tasks(capsys, "drop", failed_job.id, "no-such-job", *where)[:2] == (1, "1 dropped, 1 not.\n")
    assert not served.connection.exists(failed_job.key)
    assert len(served.failed_job_registry.get_job_ids()) == 1  # Another project's.
    others = [given_up(served, uuid.uuid4().hex) for _ in range(2)]
    assert tasks(capsys, "drop", "--all", "--yes", *where) == (0, "2 dropped, 0 not.\n", "")
    assert not served.connection.exists(*[job.key for job in others])
