"""What RQ keeps of jobs that were given up: its failed jobs, of which only those of this package are touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import DefaultSerializer, JSONSerializer

from poststack_tasks.failed import FailedJob
from poststack_tasks.rq.attempts import AFTER_A_CRASH, ENQUEUED_AT, FUNCTIONS, META

__all__ = ["RqFailedJobs"]

# The first that can read a job is its own: JSON takes no pickle for JSON.
_SERIALIZERS: Final[tuple[Any, ...]] = (JSONSerializer, DefaultSerializer)


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
        for name in ("attempt", "first_attempt_at", "failure"):
            notes.pop(name, None)
        if enqueued_at is not None:
            notes[ENQUEUED_AT] = enqueued_at
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
    """Return a job of this package, `None` when it is none, or is no more."""
    for serializer in _SERIALIZERS:
        try:
            job: Job = cast("Any", Job).fetch(job_id, connection=connection, serializer=serializer)
            return job if job.func_name in FUNCTIONS else None
        except NoSuchJobError:
            return None
        except Exception:  # noqa: BLE001, S112  # each serializer raises what it likes for what it cannot read
            continue
    return None


def _shown(job: Job) -> FailedJob:
    notes: dict[str, Any] = job.meta.get(META) or {}
    failure: dict[str, Any] = notes.get("failure") or {}
    given_up = bool(failure.get("given_up"))
    ended = job.ended_at.timestamp() if job.ended_at else failure.get("at")
    return FailedJob(
        id=job.id,
        function=str(job.func_name).rpartition(".")[2],
        queue=job.origin,
        # Then it was RQ that gave up, and not this package.
        reason=failure["reason"] if given_up else "RQ gave it up: its process or its worker died",
        failed_at=ended,
        enqueued_at=notes.get(ENQUEUED_AT) or job.created_at.timestamp(),
        attempts=notes.get("attempt"),
        error=failure.get("error") if given_up else None,
        status=failure.get("status") if given_up else None,
        code=failure.get("code") if given_up else None,
    )
