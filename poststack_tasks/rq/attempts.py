"""One attempt, run by a worker of RQ: translates between RQ's job and the judgement that all queues share.

What a job has to remember over its attempts is in `job.meta["poststack"]`, which survives killed workers: `attempt`,
`first_attempt_at` and, after a failure, `failure`. None of it has an address.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from rq import Retry, get_current_job
from rq.timeouts import JobTimeoutException

from poststack.receiving import RedisEventStore
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import JobError
from poststack_tasks.job import without_settings
from poststack_tasks.outcomes import Job, Outcome
from poststack_tasks.payload import batch_of
from poststack_tasks.policy import GiveUp, RetryLater, Sent
from poststack_tasks.rq.django_project import set_up_django
from poststack_tasks.rq.schedulers import schedule_in_advance, wait_without_scheduler

if TYPE_CHECKING:
    from rq.job import Job as RqJob

__all__ = ["AFTER_A_CRASH", "ENQUEUED_AT", "FUNCTIONS", "META", "has_own_keys", "run"]

Ways: TypeAlias = dict[str, Any]

META: Final = "poststack"
"""The name in `job.meta`."""
ENQUEUED_AT: Final = "enqueued_at"
"""In `META`: overrides `job.created_at`, in seconds since 1970. Set when somebody insists on an old job."""
FUNCTIONS: Final = frozenset(f"poststack_tasks.rq.{name}" for name in ("send_email", "send_batch", "process_event"))

AFTER_A_CRASH: Final = 10
"""How often RQ runs a job again whose process was killed. At once: waiting needs a scheduler, which may be dead."""
_ENDLESS: Final = 1_000_000  # The policy ends retries by time, not by number.


def run(expires: float | str | None, has_key: bool, attempt: Callable[[Job, Ways], Outcome]) -> Any:
    """Make one attempt; return its result, or a `Retry`, or raise why there is none.

    `has_key` says whether every e-mail was given a key of its own.
    """
    rq_job = _job_of_a_worker()
    if rq_job is None:
        return _alone(expires, current_settings(), attempt)
    turn = _Turn(rq_job)
    if not turn.ours and not has_key:
        raise turn.refused(
            "In a job of your own, give an idempotency_key: the job's id would be the same for all of its e-mails."
        )
    try:
        return turn.end(_attempted(turn, turn.begin(expires), attempt))
    except JobTimeoutException:
        # It came between the call of the API, which knows what to do with it, and the end.
        return turn.again(1.0)


def _attempted(turn: _Turn, one: Job, attempt: Callable[[Job, Ways], Outcome]) -> Outcome:
    try:
        _set_up()
        settings = current_settings()
    except ValueError as wrong:
        # Raised, it would fail the job for good: RQ runs again what was killed, and not what raised.
        return without_settings(one, wrong)
    return attempt(one, turn.ways(settings))


def _set_up() -> None:
    try:
        set_up_django()
    except JobTimeoutException:
        raise
    except Exception as error:
        # Its text may hold anything that settings hold.
        raise ValueError(f"Django cannot be set up ({type(error).__name__}); see `python -m django check`") from error


def has_own_keys(payloads: object) -> bool:
    """Return whether every e-mail has a key in itself."""
    try:
        emails = batch_of(payloads)
    except JobError:
        return True  # The attempt says what is wrong.
    return all(isinstance(one, Mapping) and "idempotency_key" in one for one in emails)


def _job_of_a_worker() -> RqJob | None:
    job = get_current_job()
    if job is None or not job.worker_name:
        return None
    if job.worker_name == "sync":
        # What a queue with `is_async=False` calls itself, but in Redis there is no worker then.
        return job if _in_redis(job, "worker_name") else None
    return job


def _in_redis(job: RqJob, name: str) -> object:
    return job.connection.hget(job.key, name)


def _alone(expires: float | str | None, settings: TaskSettings, attempt: Callable[[Job, Ways], Outcome]) -> Any:
    """Make the only attempt: nobody would do what a `Retry` says."""
    rq_job = get_current_job()
    one = Job("rq", uuid.uuid4().hex if rq_job is None else rq_job.id, expires=expires)
    outcome = attempt(one, {"settings": settings, "time_limits": (JobTimeoutException,)})
    if isinstance(outcome.decision, Sent):
        return outcome.result
    raise cast("Exception", outcome.error)


class _Turn:
    """What RQ and one attempt have to tell each other."""

    def __init__(self, job: RqJob) -> None:
        self._job = job
        self._began = time.monotonic()
        self._notes: dict[str, Any] = {}
        self.ours = job.func_name in FUNCTIONS

    def begin(self, expires: float | str | None) -> Job:
        """Return the job as this attempt sees it. That there is one is noted first, in case that it is the last."""
        notes: dict[str, Any] = dict(self._job.meta.get(META) or {})
        failure: dict[str, Any] = notes.get("failure") or {}
        if failure.get("given_up"):
            # Somebody has requeued it, by RQ's own means or by ours: it begins anew.
            notes = {name: value for name, value in notes.items() if name == ENQUEUED_AT}
            self._job.retries_left = AFTER_A_CRASH
        notes["attempt"] = attempt = int(notes.get("attempt") or 0) + 1
        first = notes.get("first_attempt_at")
        notes.setdefault("first_attempt_at", time.time())
        self._notes = notes
        if self.ours and self._job.retries_left is None:
            # Enqueued without `retry`: whoever finds it when its worker is dead shall run it again.
            self._job.retries_left = AFTER_A_CRASH
        self._save()
        created_at = self._job.created_at
        return Job(
            "rq",
            self._job.id,
            attempt=attempt,
            enqueued_at=notes.get(ENQUEUED_AT) or created_at.timestamp(),
            first_attempt_at=first,
            expires=expires,
        )

    def ways(self, settings: TaskSettings) -> Ways:
        """Return how to make the attempt."""
        if settings.event_store is None:
            # A process of its own for each job, as RQ's worker has it, remembers nothing.
            settings = replace(settings, event_store=RedisEventStore(self._job.connection))
        return {"settings": settings, "time_limits": (JobTimeoutException,)}

    def end(self, outcome: Outcome) -> Any:
        """Tell RQ what becomes of the job."""
        decision, error = outcome.decision, outcome.error
        if isinstance(decision, Sent):
            if self._notes.pop("failure", None) is not None:
                self._save()
            return outcome.result
        self._notes["failure"] = {
            "reason": decision.reason,
            "at": time.time(),
            "error": type(error).__name__,
            "message": str(error),
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "request_id": getattr(error, "request_id", None),
            "given_up": isinstance(decision, GiveUp),
        }
        if isinstance(decision, RetryLater):
            return self.again(decision.delay, error)
        self._give_up()
        # What the error was caused by is not told: its text is not ours, and RQ logs and keeps it.
        raise cast("Exception", error) from None

    def again(self, delay: float, error: Exception | None = None) -> Any:
        """Have RQ run the job again after so many seconds."""
        interval = max(1, math.ceil(delay))
        if wait_without_scheduler(self._job, interval, time.monotonic() - self._began):
            interval = 0
        if interval:
            schedule_in_advance(self._job, interval)
        if self.ours:
            self._save()
            return Retry(max=_ENDLESS, interval=interval)
        # Somebody else's job might not return what we return, and RQ would take it for done.
        self._job.retries_left = (self._job.retries_left or 0) + 1
        self._job.retry_intervals = [interval]
        self._save()
        raise error or JobError("The time limit of the job ended the attempt.") from None

    def refused(self, text: str) -> JobError:
        """Return the error for a job that will never be right."""
        self._give_up()
        return JobError(text)

    def _give_up(self) -> None:
        self._job.retries_left = 0  # Those are for crashes: this would fail again.
        self._save()

    def _save(self) -> None:
        job = self._job
        if self._notes:
            job.meta[META] = self._notes
            job.save_meta()  # type: ignore[no-untyped-call]
        if job.retries_left is not None:
            job.connection.hset(job.key, "retries_left", job.retries_left)
