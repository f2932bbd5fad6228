"""RQ's schedulers: without one that runs, a job that is to be tried again in a minute never is."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, cast

from redis.exceptions import RedisError
from rq import Worker
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue
    from rq.job import Job

__all__ = ["schedule_in_advance", "wait_without_scheduler", "warn_without_scheduler"]

logger: logging.Logger = logging.getLogger("poststack.tasks")

_BETWEEN_WARNINGS: Final = 60.0
_TO_START: Final = 2.0
_MARGIN: Final = 5.0
"""Seconds of a job's time limit that are left for RQ."""

_looked: dict[str, float] = {}
_lock = threading.Lock()


def wait_without_scheduler(job: Job, delay: float, spent: float) -> bool:
    """Return whether no scheduler would put the job back, after having waited in its place.

    A job that has spent so many seconds already waits no longer than its time limit allows: then it is tried too early,
    but it is tried.
    """
    if _has_scheduler(job.connection, job.origin):
        return False
    limit = float(job.timeout) if job.timeout is not None else 0.0
    left = delay if limit < 0 else max(0.0, limit - spent - min(_MARGIN, limit / 4))
    waiting = min(delay, left)
    logger.warning(
        "rq job %s: no scheduler runs for the queue %s, so the worker itself waits %.0f s and does nothing else. Start "
        "workers with --with-scheduler.",
        job.id,
        job.origin,
        waiting,
    )
    time.sleep(waiting)
    return True


def schedule_in_advance(job: Job, interval: int) -> None:
    """Have the scheduler run the job again after so many seconds, before RQ does the same.

    RQ first says that the job is scheduled, and then schedules it. A worker that is killed in between would leave a job
    that nobody runs, and that RQ does not take for abandoned either.
    """
    registry: Any = cast("Any", ScheduledJobRegistry)(job.origin, connection=job.connection)
    registry.schedule(job, datetime.now(timezone.utc) + timedelta(seconds=interval))


def warn_without_scheduler(queue: Queue) -> None:
    """Warn, at most once a minute for each queue, when there are workers and none of them has a scheduler."""
    now = time.monotonic()
    with _lock:
        if now - _looked.get(queue.name, -_BETWEEN_WARNINGS) < _BETWEEN_WARNINGS:
            return
        _looked[queue.name] = now
    try:
        alone = _has_workers(queue) and not _has_scheduler(queue.connection, queue.name)
    except RedisError:
        return  # The job is enqueued, which is what counts.
    if alone:
        logger.warning(
            "No worker of the RQ queue %s has a scheduler: what has to be tried again later will hold a worker. Start "
            "workers with --with-scheduler.",
            queue.name,
        )


def _has_workers(queue: Queue) -> bool:
    # A worker is there a moment before its scheduler is.
    workers = cast("list[Any]", cast("Any", Worker).all(queue=queue))
    begun = time.time() - _TO_START
    return any(worker.birth_date and worker.birth_date.timestamp() < begun for worker in workers)


def _has_scheduler(connection: Redis, queue: str) -> bool:
    return bool(connection.exists(RQScheduler.get_locking_key(queue)))
