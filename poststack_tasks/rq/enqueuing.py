"""Enqueuing with everything that makes an RQ job safe: checked, named by its key, and run again after a crash."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from rq import Retry, exceptions
from rq.exceptions import NoSuchJobError
from rq.job import Job

from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import JobError
from poststack_tasks.payload import check_batch_key, check_key, checked_job, checked_jobs, expiry_of
from poststack_tasks.rq.attempts import AFTER_A_CRASH
from poststack_tasks.rq.schedulers import warn_without_scheduler

if TYPE_CHECKING:
    from rq import Queue

    from poststack.types import BatchEmails, SendEmail
    from poststack_tasks.payload import Expires

__all__ = ["enqueue", "enqueue_batch", "enqueue_event"]

logger: logging.Logger = logging.getLogger("poststack.tasks")

RESULT_TTL: Final = 3_600
"""Seconds for which RQ keeps a job that is done, and so for which its key leads to the same job. After that, it is the
API that remembers. The e-mail itself is kept as long, in the memory of Redis."""
KEY_FIELD: Final = "idempotency_key"
SHORTEST_RESULT_TTL: Final = 60
"""Seconds. RQ 3.0 runs a job again that a killed worker had begun and whose record is deleted as soon as it is done."""
FAILURE_TTL: Final = 365 * 86_400
"""Seconds for which a job that was given up is kept."""
_OVER_THE_DEADLINE: Final = 30
"""Seconds of a job's time limit beyond the client's deadline."""
_WITHOUT_DEADLINE: Final = 180

# Until RQ 2.8 there is none.
_DuplicateJobError: Any = getattr(exceptions, "DuplicateJobError", None)


def enqueue(
    queue: Queue,
    payload: SendEmail,
    *,
    idempotency_key: str | None = None,
    expires: Expires | None = None,
    **options: Any,
) -> Job:
    """Enqueue an e-mail; return the job, whose `return_value()` will be `{"id": …}`.

    `idempotency_key` names what must not be sent twice, such as `welcome/42`: when that is enqueued again, the
    same job is returned, whatever has become of it. Another e-mail under its key is a `JobError`, unless the job was
    given up: then it takes the job's place. Without a key a job is sent once. `expires` is when it is not wanted any
    more: seconds, a `timedelta` or a `datetime` with a time zone. `options` are those of RQ's `Queue.enqueue`, but
    for `ttl`, which would drop a job that nobody has tried, and `pipeline`.

    Raises `poststack_tasks.JobError` for what is wrong with them, and `redis.RedisError` when it is not enqueued.
    """
    settings = current_settings()
    email = checked_job(payload, largest=settings.largest_job)
    key = check_key(cast("Mapping[str, Any]", email), idempotency_key)
    return _enqueue(queue, "send_email", email, _arguments(key, expires), key, options, settings)


def enqueue_batch(
    queue: Queue,
    payloads: Sequence[SendEmail] | BatchEmails,
    *,
    idempotency_key: str | None = None,
    expires: Expires | None = None,
    **options: Any,
) -> Job:
    """Enqueue 1 to 100 e-mails that are sent in one call; return the job. See `enqueue`."""
    settings = current_settings()
    emails = checked_jobs(payloads, largest=settings.largest_job)
    key = check_batch_key(idempotency_key)
    return _enqueue(queue, "send_batch", emails, _arguments(key, expires), key, options, settings)


def enqueue_event(queue: Queue, event: Mapping[str, Any], **options: Any) -> Job:
    """Enqueue what `poststack_tasks.event_job(event)` returned; return the job. An event has one job. See `enqueue`."""
    given = cast("object", event)
    event_id = cast("Mapping[str, object]", given).get("id") if isinstance(given, Mapping) else None
    if not isinstance(event_id, str) or not event_id:
        raise JobError("Enqueue what poststack_tasks.event_job(event) returns.")
    return _enqueue(queue, "process_event", dict(event), {}, event_id, options, current_settings())


def _arguments(key: str | None, expires: Expires | None) -> dict[str, Any]:
    # The moment is fixed here: what is put off or retried must not begin to count again.
    arguments = {"idempotency_key": key, "expires": expiry_of(expires, time.time())}
    return {name: value for name, value in arguments.items() if value is not None}


def _enqueue(
    queue: Queue,
    function: str,
    argument: object,
    arguments: Mapping[str, Any],
    key: str | None,
    options: Mapping[str, Any],
    settings: TaskSettings,
) -> Job:
    _check_options(queue, options)
    for name, instead in (
        ("ttl", "It would drop the job unseen; `expires` gives it up where it can be found."),
        ("pipeline", "Whether the job exists already has to be known at once."),
        ("unique", "It is, where there is an idempotency_key."),
    ):
        if options.get(name) is not None:
            raise JobError(f"The option `{name}` cannot be given. {instead}")
    deadline = settings.deadline
    wanted: dict[str, Any] = {
        "retry": Retry(max=AFTER_A_CRASH),
        "job_timeout": _WITHOUT_DEADLINE if deadline is None else math.ceil(deadline) + _OVER_THE_DEADLINE,
        "result_ttl": RESULT_TTL,
        "failure_ttl": FAILURE_TTL,
        # RQ logs it. Its own would have the arguments.
        "description": f"poststack.{function}",
    }
    wanted.update({name: value for name, value in options.items() if value is not None})
    if 0 <= wanted["result_ttl"] < SHORTEST_RESULT_TTL:
        wanted["result_ttl"] = SHORTEST_RESULT_TTL
    if key is not None:
        wanted.setdefault("job_id", _id_of(function, key))

    def make(**more: Any) -> Job:
        # Explicitly, so that no argument of ours is taken for an option of RQ's.
        called: dict[str, Any] = {"args": (argument,), "kwargs": dict(arguments), **wanted, **more}
        job: Job = cast("Any", queue).enqueue(f"poststack_tasks.rq.{function}", **called)
        return job

    # An event has one content, whoever delivers it.
    content = None if function == "process_event" else argument
    job = make() if "job_id" not in wanted else _once(queue, wanted, make, content)
    if queue.is_async:
        warn_without_scheduler(queue)
    return job


def _id_of(function: str, key: str) -> str:
    """Return an id for RQ, which takes less than a key may have, and shows it to everybody."""
    digest = hashlib.sha256(f"{function}\n{key}".encode()).hexdigest()
    return f"poststack-{digest[:40]}"


def _check_options(queue: Queue, options: Mapping[str, Any]) -> None:
    """Raise `JobError` for options that RQ would drop without a word, such as a misspelt one of ours."""
    known = {*inspect.signature(cast("Any", queue).enqueue_call).parameters, "job_timeout"}
    known -= {"func", "args", "kwargs", "timeout"}
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, [*known, "idempotency_key", "expires"], n=1)
            meant = f" Did you mean `{near[0]}`?" if near else ""
            raise JobError(f"There is no option `{name}`.{meant}")


def _once(queue: Queue, wanted: Mapping[str, Any], make: Any, content: object) -> Job:
    """Return the job with this id: the one that exists, or a new one."""
    job_id: str = wanted["job_id"]
    # RQ refuses what it cannot do in one step.
    if _DuplicateJobError is None or wanted.get("depends_on") or wanted.get("rate_limit"):
        return _once_by_lock(queue, job_id, make, content)
    while True:
        try:
            return cast("Job", make(unique=True))
        except _DuplicateJobError:
            if (job := _existing(queue, job_id, content)) is not None:
                return job
            # It is gone.


def _once_by_lock(queue: Queue, job_id: str, make: Any, content: object) -> Job:
    # Should the lock be lost, both enqueue, and the API sends once.
    with queue.connection.lock(f"poststack:enqueue:{job_id}", timeout=30, blocking_timeout=30):
        return _existing(queue, job_id, content) or cast("Job", make())


def _existing(queue: Queue, job_id: str, content: object) -> Job | None:
    """Return the job with this id. One that was given up makes room for another e-mail; else that is an error."""
    try:
        job: Job = cast("Any", queue.job_class).fetch(job_id, connection=queue.connection, serializer=queue.serializer)
    except NoSuchJobError:
        return None
    another = content is not None and _text(cast("Any", job).args[0]) != _text(content)
    given_up = job.get_status(refresh=False) in {"failed", "stopped", "canceled"}
    if another and given_up:
        logger.warning("rq job %s: it was given up, and another e-mail with its key takes its place.", job_id)
        job.delete()
        return None
    if another:
        raise JobError(
            f"The idempotency key is that of job {job_id}, which has another e-mail. A key says what must not be sent "
            "twice: give this e-mail one of its own."
        )
    if given_up:
        logger.warning(
            "rq job %s: its key is that of a job that is %s, so nothing was enqueued. See `poststack tasks failed`.",
            job_id,
            job.get_status(refresh=False).value,
        )
    return job


def _text(content: object) -> str:
    if isinstance(content, dict):  # The key may be given in the e-mail or beside it.
        content = {name: value for name, value in cast("dict[str, object]", content).items() if name != KEY_FIELD}
    return json.dumps(content, sort_keys=True)
