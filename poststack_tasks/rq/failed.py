"""What RQ keeps of jobs that were given up: its failed jobs, of which only those of this package are touched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import DefaultSerializer, JSONSerializer

from poststack_tasks.failed import FailedJob, expiry_known, shown_message
from poststack_tasks.rq.attempts import AFTER_A_CRASH, ENQUEUED_AT, FUNCTIONS, META

__all__ = ["RqFailedJobs"]

# The first that can read a job is its own: JSON takes no pickle for JSON.
_SERIALIZERS: Final[tuple[Any, ...]] = (JSONSerializer, DefaultSerializer)
# Its line in a traceback, after those of the frames, which are indented.
_EXCEPTION: Final = re.compile(r"(?P<name>[^\W\d][\w.]*)(?::|$)")


class RqFailedJobs:
    """The failed jobs of some queues, or of all. Raises `redis.RedisError` when Redis is away."""

    def __init__(self, url: str, queues: Sequence[str] = ()) -> None:
        self._connection: Redis = cast("Any", Redis).from_url(url)
        self._queues = list(queues)
        self._jobs: dict[str, Job] = {}

    def all(self) -> Sequence[FailedJob]:
        """Return those of this package, oldest first."""
        names = self._queues or sorted(queue.name for queue in cast("Any", Queue).all(connection=self._connection))
        self._jobs = {job.id: job for name in names for job in self._failed(name)}
        return sorted(map(_shown, self._jobs.values()), key=lambda job: job.failed_at or 0.0)

    def retry(self, job: FailedJob, *, enqueued_at: float | None = None) -> bool:
        """Put one back into its queue; see `FailedJobs`."""
        known = self._jobs[job.id]
        queue = Queue(known.origin, connection=self._connection, serializer=known.serializer)
        registry = _registry(known.origin, self._connection)
        if registry.connection.zscore(registry.key, known.id) is None:
            return False
        notes: dict[str, Any] = dict(known.meta.get(META) or {})
        if enqueued_at is not None:
            notes[ENQUEUED_AT] = enqueued_at
        notes = {name: value for name, value in notes.items() if name == ENQUEUED_AT}
        known.meta[META] = notes
        known.retries_left = AFTER_A_CRASH
        known.retry_intervals = [0]
        known.number_of_retries = 0
        known.started_at = known.ended_at = None
        # RQ's own `requeue` takes it out first and puts it in afterwards: whoever is killed between has lost it.
        with cast("Any", self._connection).pipeline(transaction=True) as pipeline:
            cast("Any", queue)._enqueue_job(known, pipeline=pipeline)
            pipeline.zrem(registry.key, known.id)
            pipeline.execute()
        return True

    def drop(self, job: FailedJob) -> bool:
        """Delete one for good; see `FailedJobs`."""
        known = self._jobs[job.id]
        registry = _registry(known.origin, self._connection)
        if registry.connection.zscore(registry.key, known.id) is None:
            return False
        cast("Any", known).delete()
        return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _failed(self, queue: str) -> Iterator[Job]:
        for job_id in _registry(queue, self._connection).get_job_ids():
            if (job := _fetched(job_id, self._connection)) is not None:
                yield job


def _registry(queue: str, connection: Redis) -> Any:
    return cast("Any", FailedJobRegistry)(queue, connection=connection)


def _fetched(job_id: str, connection: Redis) -> Job | None:
    """Return a job that sends by this package, `None` when it does not, or is no more."""
    for serializer in _SERIALIZERS:
        try:
            job: Job = cast("Any", Job).fetch(job_id, connection=connection, serializer=serializer)
            # Those of the application itself that called ours have its notes.
            return job if job.func_name in FUNCTIONS or META in job.meta else None
        except NoSuchJobError:
            return None
        except Exception:  # noqa: BLE001, S112  # each serializer raises what it likes for what it cannot read
            continue
    return None


def _shown(job: Job) -> FailedJob:
    notes: dict[str, Any] = job.meta.get(META) or {}
    failure: dict[str, Any] = notes.get("failure") or {}
    ended = job.ended_at.timestamp() if job.ended_at else failure.get("at")
    enqueued_at = notes.get(ENQUEUED_AT) or job.created_at.timestamp()
    shown = FailedJob(
        id=job.id,
        function=str(job.func_name).removeprefix("poststack_tasks.rq."),
        queue=job.origin,
        reason="",
        failed_at=ended,
        enqueued_at=enqueued_at,
        attempts=notes.get("attempt"),
        expires_at=expiry_known(_expires(job), enqueued_at),
    )
    if failure.get("given_up"):
        return replace(
            shown,
            reason=failure["reason"],
            error=failure.get("error"),
            status=failure.get("status"),
            code=failure.get("code"),
            message=shown_message(failure.get("message")),
        )
    # It was not this package that gave up. What an error of others says may be a part of the e-mail.
    error = _raised(job)
    if error is not None:
        return replace(shown, error=error, reason=f"it failed with {error}")
    return replace(shown, reason="RQ gave it up: its process or its worker died")


def _expires(job: Job) -> object:
    if job.func_name not in FUNCTIONS:
        return None  # Only its own function knows.
    called: Any = job
    named: dict[str, Any] = dict(called.kwargs)
    arguments: list[Any] = list(called.args)
    return named.get("expires", arguments[2] if len(arguments) > 2 else None)


def _raised(job: Job) -> str | None:
    """Return the type of the exception that ended a job, `None` when it had no chance to raise any."""
    result: Any = cast("Any", job).latest_result()
    lines = str(getattr(result, "exc_string", None) or "").splitlines()
    frames = [at for at, line in enumerate(lines) if line.startswith("  File ")]
    # RQ's own words for a process that died have no frames.
    after = lines[frames[-1] + 1 :] if frames else []
    told = next((found for line in after if (found := _EXCEPTION.match(line))), None)
    return told["name"].rpartition(".")[2] if told else None
