"""Who hears of an attempt: the log, the counts, and whoever asked."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import pytest

from poststack import PostStackError
from poststack_tasks import GiveUp, Job, Outcome, RetryLater, Sent, counts, forget_outcome, on_outcome, outcomes
from poststack_tasks.outcomes import tell

SECRETS = ("ada@example.org", "A secret subject", "sk_test_secret", "The body")
PAYLOAD: Any = {"from": SECRETS[0], "to": [SECRETS[0]], "subject": SECRETS[1], "text": SECRETS[3]}


def outcome(decision: Any = None, error: Exception | None = None, job_id: str = "j1", **fields: Any) -> Outcome:
    return Outcome(Job("test", job_id), decision or Sent(), error, payloads=[PAYLOAD], **fields)


def test_the_log_has_ids_and_reasons_and_nothing_of_the_email(caplog: pytest.LogCaptureFixture) -> None:
    error = PostStackError(422, f"{SECRETS[0]} {SECRETS[1]}", "unprocessable_entity", "req_9")
    with caplog.at_level(logging.DEBUG, "poststack.tasks"):
        tell(outcome(answers=[{"id": "em_1"}]))
        tell(outcome(answers=[{"id": "em_1"}, {"id": "em_2"}]))
        tell(outcome(RetryLater(2.5, "status 503 at attempt 1"), PostStackError(503, SECRETS[1], None, "req_8")))
        tell(outcome(GiveUp("refused with status 422"), error))
        tell(outcome(result={"event": "ev_1"}))

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "test job j1: accepted as em_1 at attempt 1."),
        ("INFO", "test job j1: accepted as 2 e-mails at attempt 1."),
        ("WARNING", "test job j1: again in 2.5 s: status 503 at attempt 1 (request req_8)."),
        ("ERROR", "test job j1: given up: refused with status 422 (code unprocessable_entity, request req_9)."),
        ("INFO", "test job j1: done at attempt 1."),
    ]
    assert not any(secret in caplog.text + repr(outcome(answers=[error])) for secret in SECRETS)


@pytest.mark.parametrize(("job_id", "shown"), [("welcome-ada@example.org", "[address]"), ("a\nb", "'a\\nb'")])
def test_an_id_of_ones_own_is_logged_on_one_line_without_addresses(
    job_id: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "poststack.tasks"):
        tell(outcome(job_id=job_id))

    assert caplog.records[0].getMessage() == f"test job {shown}: done at attempt 1."


def test_observers_are_told_in_order_until_they_are_forgotten() -> None:
    heard: list[str] = []

    @on_outcome
    def first(seen: Outcome) -> None:
        heard.append(f"first {seen.name}")

    on_outcome(lambda seen: heard.append(f"second {seen.job.id}"))
    on_outcome(first)

    tell(outcome())
    forget_outcome(first)
    forget_outcome(first)
    tell(outcome(GiveUp("no")))

    assert heard == ["first sent", "second j1", "second j1"]


def test_an_observer_that_fails_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Outcome] = []

    @on_outcome
    def broken(seen: Outcome) -> None:
        raise RuntimeError("no connection")

    on_outcome(heard.append)
    said = outcome()

    assert tell(said) is said
    assert heard == [said]
    assert "'broken' failed" in caplog.text


def test_an_observer_may_end_the_process() -> None:
    @on_outcome
    def stops(seen: Outcome) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        tell(outcome())


def test_attempts_are_counted_by_queue_and_outcome() -> None:
    assert counts() == {}

    tell(outcome())
    tell(outcome(RetryLater(1, "")))
    tell(outcome(RetryLater(1, "")))
    tell(Outcome(Job("other", "j"), GiveUp("")))

    assert counts() == {
        "test": {"sent": 1, "retried": 2, "given_up": 0},
        "other": {"sent": 0, "retried": 0, "given_up": 1},
    }


def test_threads_count_together() -> None:
    threads = [threading.Thread(target=lambda: [tell(outcome()) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts()["test"]["sent"] == 1600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Nothing forks here.")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_counts_for_itself_though_a_thread_of_the_parent_was_counting() -> None:
    tell(outcome())
    with outcomes._lock:  # pyright: ignore[reportPrivateUsage]
        if (child := os.fork()) == 0:
            status = 1
            try:
                tell(outcome())
                status = 0 if counts() == {"test": {"sent": 1, "retried": 0, "given_up": 0}} else 2
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counts()["test"]["sent"] == 1
