"""What became of a job, and who hears of it.

    import poststack_tasks

    @poststack_tasks.on_outcome
    def count(outcome):
        statsd.increment(f"mail.{outcome.name}", tags=[f"queue:{outcome.job.queue}"])

Every attempt is told: to the log `poststack.tasks`, to `counts()`, and to whoever asked. The log has ids, statuses and
reasons, never an address, a subject or a body.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from poststack import PostStackConnectionError
from poststack_tasks.errors import masked
from poststack_tasks.payload import LONGEST_KEY
from poststack_tasks.policy import Decision, GiveUp, RetryLater, Sent

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["Job", "Outcome", "OutcomeName", "counts", "for_queue", "forget_outcome", "on_outcome", "tell"]

logger: logging.Logger = logging.getLogger("poststack.tasks")

OutcomeName: TypeAlias = Literal["sent", "retried", "given_up"]


@dataclass(frozen=True)
class Job:
    """One job of a queue, as one attempt sees it. Moments are in seconds since 1970."""

    queue: str
    """Which kind: `celery`, `rq`, `arq` and so on."""
    id: str
    """Stays the same over all attempts, and when a broker delivers the job again."""
    attempt: int = 1
    """Counted from 1. A redelivery after a crash may have the number of the attempt before."""
    enqueued_at: float | None = None
    first_attempt_at: float | None = None
    """`None` in the first one."""
    expires: float | str | None = None
    """After which the e-mail is not wanted any more: seconds after `enqueued_at`, or an ISO 8601 moment."""
    can_wait: bool = True
    """Whether the queue can try it again later. Where it cannot, what else would be tried again is given up."""

    @property
    def key(self) -> str:
        """Return the idempotency key of a job that was given none: `<queue>-<id>`.

        An id that is no key for the API, long or with line breaks, is replaced by its digest.
        """
        # Room is left for the number of an e-mail in a batch.
        key = f"{self.queue}-{self.id}"
        if len(key) <= LONGEST_KEY - 10 and key.isprintable():
            return key
        return f"{self.queue}-{hashlib.sha256(self.id.encode('utf-8', 'surrogatepass')).hexdigest()}"


@dataclass(frozen=True)
class Outcome:
    """What one attempt came to. `decision` says what happens to the job now."""

    job: Job
    decision: Decision
    error: Exception | None = None
    """Why it is not sent. E-mail addresses in it are masked."""
    result: Any = None
    """What the job returns when it is sent: `{"id": …, …}`, a list of them for a batch."""
    answers: Sequence[Mapping[str, Any] | Exception | None] = field(default=(), repr=False)
    """The API's answer for each e-mail, or why there is none; `None` where the attempt did not get so far. One without
    an `id` is that of a function of `before_send`, and nothing was sent."""
    payloads: Sequence[SendEmail] = field(default=(), repr=False)
    """The e-mails as they were to be sent, with their idempotency keys."""

    @property
    def name(self) -> OutcomeName:
        """Return one word for it."""
        if isinstance(self.decision, Sent):
            return "sent"
        return "retried" if isinstance(self.decision, RetryLater) else "given_up"


Observer: TypeAlias = Callable[[Outcome], object]

_observers: list[Observer] = []
_counts: Counter[tuple[str, OutcomeName]] = Counter()
_lock = threading.Lock()


def on_outcome(observer: Observer) -> Observer:
    """Have a function called after every attempt in this process. What it raises is logged, and changes nothing."""
    if observer not in _observers:
        _observers.append(observer)
    return observer


def forget_outcome(observer: Observer) -> None:
    """Call it no more."""
    if observer in _observers:
        _observers.remove(observer)


def counts() -> dict[str, dict[OutcomeName, int]]:
    """Return how many attempts of each queue ended how, in this process, since it began."""
    with _lock:
        counted = dict(_counts)
    found: dict[str, dict[OutcomeName, int]] = {}
    for (queue, name), number in counted.items():
        found.setdefault(queue, {"sent": 0, "retried": 0, "given_up": 0})[name] = number
    return found


def for_queue(job: Job, decision: Decision) -> Decision:
    """Return the decision as far as the queue can carry it out."""
    if isinstance(decision, RetryLater) and not job.can_wait:
        return GiveUp(f"{decision.reason}, and the queue cannot try it again later")
    return decision


def tell(outcome: Outcome) -> Outcome:
    """Tell everybody, and return the outcome."""
    with _lock:
        _counts[outcome.job.queue, outcome.name] += 1
    _log(outcome)
    for observer in list(_observers):
        try:
            observer(outcome)
        except Exception:
            logger.exception("The observer %r failed; the job is not affected.", getattr(observer, "__name__", ""))
    return outcome


def _log(outcome: Outcome) -> None:
    job, decision = outcome.job, outcome.decision
    # An id of one's own may be made of an address, or begin a line of its own.
    job_id = job.id if job.id.isprintable() else ascii(job.id)
    what = f"{job.queue} job {masked(job_id)}"
    error = outcome.error
    known = [f"{name} {value}" for name in ("code", "request_id") if (value := getattr(error, name, None))]
    request = f" ({', '.join(known).replace('request_id', 'request')})" if known else ""
    if isinstance(error, PostStackConnectionError) and not request:
        request = f" ({masked(error.error).rstrip('.')})"  # Why there was no answer.
    if isinstance(decision, RetryLater):
        logger.warning("%s: again in %.1f s: %s%s.", what, decision.delay, decision.reason, request)
    elif isinstance(decision, GiveUp):
        logger.error("%s: given up: %s%s.", what, decision.reason, request)
    elif outcome.answers:
        logger.info("%s: %s at attempt %d.", what, _told(outcome.answers), job.attempt)
    else:
        logger.info("%s: done at attempt %d.", what, job.attempt)


def _begin_in_child() -> None:
    global _lock  # noqa: PLW0603  # a thread that held it when the process was forked does not exist in the child
    _lock = threading.Lock()
    _counts.clear()


if hasattr(os, "register_at_fork"):  # Not on Windows, where nothing forks.
    os.register_at_fork(after_in_child=_begin_in_child)


def _told(answers: Sequence[Mapping[str, Any] | Exception | None]) -> str:
    ids = [str(answer["id"]) for answer in answers if isinstance(answer, Mapping) and "id" in answer]
    if not ids:
        return "nothing was to be sent"
    return f"accepted as {ids[0]}" if len(answers) == 1 else f"accepted as {len(ids)} e-mails"
