"""One attempt of one job, whatever the queue: check, key, call, decide, tell.

A queue's module makes a `Job`, calls one of these functions, and translates the decision of the `Outcome`. Nothing is
raised but what is no `Exception`, such as the end of the process.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from poststack import PostStackConnectionError, PostStackError, PostStackTimeoutError
from poststack.mailbridge.configured import is_mailer, key_problem
from poststack.mailbridge.errors import ConfigurationError
from poststack_tasks.admission import Settled, admitted
from poststack_tasks.batches import accepted, batch_answers
from poststack_tasks.clients import get_client
from poststack_tasks.configuration import TaskSettings, current_settings
from poststack_tasks.errors import BatchNotAllSentError, JobError, JobExpiredError, masked, without_addresses
from poststack_tasks.outcomes import Job, Outcome, for_queue, tell
from poststack_tasks.payload import check_batch_key, check_key, checked_job, checked_jobs, expiry_time, keyed
from poststack_tasks.policy import Decision, GiveUp, RetryLater, Sent, decide, too_late

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_tasks.configuration import AsyncEmailClient, EmailClient

__all__ = ["asend_batch", "asend_email", "send_batch", "send_email", "without_settings"]

_T = TypeVar("_T")
TimeLimits = tuple[type[Exception], ...]
Answer = Mapping[str, Any] | Exception


def send_email(
    job: Job,
    payload: object,
    idempotency_key: str | None = None,
    *,
    settings: TaskSettings | None = None,
    time_limits: TimeLimits = (),
) -> Outcome:
    """Try once to send an e-mail. `time_limits` are the exceptions by which a queue ends an attempt that takes long."""
    attempt = _Attempt(job, settings, time_limits)
    try:
        if attempt.begin_email(payload, idempotency_key) and (client := attempt.client()) is not None:
            attempt.email_answered(client.emails.send(attempt.to_send[0]))
    except Exception as error:  # noqa: BLE001  # a client of one's own may raise anything, and no job may vanish
        attempt.failed(error)
    return attempt.end()


def send_batch(
    job: Job,
    payloads: object,
    idempotency_key: str | None = None,
    *,
    settings: TaskSettings | None = None,
    time_limits: TimeLimits = (),
) -> Outcome:
    """Try once to send up to 100 e-mails in one call. Those that were accepted before are not sent again."""
    attempt = _Attempt(job, settings, time_limits)
    try:
        if attempt.begin_batch(payloads, idempotency_key) and (client := attempt.client()) is not None:
            group: Any = client.emails
            attempt.batch_answered(group.batch({"emails": attempt.to_send}))
    except Exception as error:  # noqa: BLE001  # as above
        attempt.failed(error)
    return attempt.end()


async def asend_email(
    job: Job,
    payload: object,
    idempotency_key: str | None = None,
    *,
    client: AsyncEmailClient,
    settings: TaskSettings | None = None,
    time_limits: TimeLimits = (),
) -> Outcome:
    """Do as `send_email`, with an asynchronous client. A task that is cancelled raises `CancelledError`.

    The deadline of the settings ends the attempt, also when the client has none.
    """
    attempt = _Attempt(job, settings, time_limits)
    try:
        if attempt.begin_email(payload, idempotency_key) and attempt.may_use(client, asynchronous=True):
            attempt.email_answered(await attempt.in_time(client.emails.send(attempt.to_send[0])))
    except Exception as error:  # noqa: BLE001  # as above
        attempt.failed(error)
    return attempt.end()


async def asend_batch(
    job: Job,
    payloads: object,
    idempotency_key: str | None = None,
    *,
    client: AsyncEmailClient,
    settings: TaskSettings | None = None,
    time_limits: TimeLimits = (),
) -> Outcome:
    """Do as `send_batch`, with an asynchronous client."""
    attempt = _Attempt(job, settings, time_limits)
    try:
        if attempt.begin_batch(payloads, idempotency_key) and attempt.may_use(client, asynchronous=True):
            group: Any = client.emails
            attempt.batch_answered(await attempt.in_time(group.batch({"emails": attempt.to_send})))
    except Exception as error:  # noqa: BLE001  # as above
        attempt.failed(error)
    return attempt.end()


def without_settings(job: Job, error: ValueError) -> Outcome:
    """Return the outcome for a worker whose settings are wrong: a deployment can mend that, so it is tried again."""
    attempt = _Attempt(job, TaskSettings(), ())
    attempt.unconfigured(error)
    return attempt.end()


class _Attempt:
    """What the synchronous and the asynchronous way have in common: everything but the call."""

    def __init__(self, job: Job, settings: TaskSettings | None, time_limits: TimeLimits) -> None:
        self.now = time.time()
        self.job = job if job.first_attempt_at is not None else replace(job, first_attempt_at=self.now)
        self.settings = current_settings() if settings is None else settings
        self.payloads: list[SendEmail] = []
        self._time_limits = time_limits
        self._single = True
        self._answers: Sequence[Answer] = ()
        self._decided: dict[int, Answer] = {}
        self._refusal: tuple[GiveUp, Exception] | None = None
        self._reason: str | None = None

    def begin_email(self, payload: object, idempotency_key: str | None) -> bool:
        """Return whether there is an e-mail to send, and it is not too late."""
        try:
            email = checked_job(payload, largest=self.settings.largest_job)
            key = check_key(cast("Mapping[str, Any]", email), idempotency_key) or self.job.key
            return self._begin([keyed(email, key)])
        except JobError as error:
            return self._refuse(error)

    def begin_batch(self, payloads: object, idempotency_key: str | None) -> bool:
        """Return whether there is a batch to send, and it is not too late."""
        self._single = False
        try:
            emails = checked_jobs(payloads, largest=self.settings.largest_job)
            key = check_batch_key(idempotency_key) or self.job.key
            # Each has a key of its own, so that the batch can be repeated although a part of it was accepted.
            return self._begin([keyed(email, f"{key}-{index}") for index, email in enumerate(emails)])
        except JobError as error:
            return self._refuse(error)

    @property
    def to_send(self) -> list[SendEmail]:
        """Return the e-mails of the call: all of them, unless somebody had a say before."""
        return [email for at, email in enumerate(self.payloads) if at not in self._decided]

    async def in_time(self, call: Awaitable[_T]) -> _T:
        """Await the call, for no longer than an attempt may take: a worker would cancel it for good."""
        deadline = self.settings.deadline
        # A client that knows the deadline goes first.
        return await (call if deadline is None else asyncio.wait_for(call, deadline + 1))

    def client(self) -> EmailClient | None:
        """Return the client, `None` when there is none: a deployment can mend that, so the job is tried again."""
        try:
            client = get_client(self.settings)
        except self._time_limits:
            raise
        except Exception as error:  # noqa: BLE001  # the project's own factory may raise anything
            # The texts of our own clients are known to have no key in them.
            ours = self.settings.client is None or isinstance(error, ConfigurationError)
            self._no_client(str(error).rstrip(".") if ours else type(error).__name__, error)
            return None
        return client if self.may_use(client, asynchronous=False) else None

    def may_use(self, client: object, *, asynchronous: bool) -> bool:
        """Return whether jobs may be sent through a client. If not, the job is tried again, as without a client."""
        problem = key_problem(client)
        if problem is None and is_mailer(client, asynchronous=not asynchronous):
            how = "awaits its client" if asynchronous else "does not await its client"
            problem = f"{type(client).__name__} is of the other kind, and this worker {how}"
        if problem is not None:
            self._no_client(problem)
        return problem is None

    def email_answered(self, answer: object) -> None:
        """Note what the API said of the e-mail."""
        self._answer([accepted(answer)])

    def batch_answered(self, answer: object) -> None:
        """Note what the API said of each e-mail."""
        self._answer(batch_answers(answer, len(self.to_send)))

    def failed(self, error: Exception) -> None:
        """Note why the call failed."""
        ours: Exception
        if isinstance(error, PostStackError):
            ours = error
        elif isinstance(error, (*self._time_limits, asyncio.TimeoutError)):
            ours = PostStackTimeoutError(0, "The time limit of the worker, or the deadline, ended the attempt.")
            ours.__cause__ = error
        elif isinstance(error, ValueError) and not isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
            ours = JobError(masked(str(error)))
        else:
            # A client of one's own. Its text may hold anything; and an answer that it could not read says nothing of
            # the e-mail.
            ours = PostStackConnectionError(0, f"The call of the API ended with {type(error).__name__}.")
            ours.__cause__ = error
        self._refusal = None
        self._answer([ours] * len(self.to_send))
        self._answers = self._answers or [ours]

    def unconfigured(self, error: ValueError) -> None:
        """Note that it cannot be tried. The text names a setting and never its value."""
        self._reason = f"the settings of the worker are wrong: {error}"
        ours = PostStackConnectionError(0, f"Nothing was sent, because the settings of the worker are wrong: {error}")
        ours.__cause__ = error
        self.failed(ours)

    def end(self) -> Outcome:
        """Decide, and tell everybody."""
        if self._refusal is not None:
            return self._outcome(*self._refusal)
        errors = [answer for answer in self._answers if isinstance(answer, Exception)]
        if not errors:
            return self._outcome(Sent(), None)
        decisions = [(self._decide(error), error) for error in errors]
        if later := [(one, error) for one, error in decisions if isinstance(one, RetryLater)]:
            # Those of a batch that were accepted, or refused, will only hear the same again.
            return self._outcome(*max(later, key=lambda pair: pair[0].delay))
        if len(errors) < len(self._answers):
            reason = f"{len(errors)} of {len(self._answers)} e-mails were not accepted"
            return self._outcome(GiveUp(reason), BatchNotAllSentError([_element(answer) for answer in self._answers]))
        return self._outcome(*decisions[0])

    def _no_client(self, why: str, cause: Exception | None = None) -> None:
        ours = PostStackConnectionError(0, f"The worker has no client for the API: {why}")
        ours.__cause__ = cause
        self._answer([ours] * len(self.to_send))
        self._reason = f"the worker has no client for the API: {why}"

    def _begin(self, payloads: list[SendEmail]) -> bool:
        self.payloads = payloads
        begun = self.now if self.job.enqueued_at is None else self.job.enqueued_at
        late = too_late(self.now - begun, self._left(), self.job.attempt, self.settings.limits)
        if late is not None:
            self._refusal = late, JobExpiredError(f"The job was not tried again: {late.reason}.")
            return False
        self._ask_before()
        return bool(self.to_send)

    def _ask_before(self) -> None:
        """Hear those who have a say, which may change what is sent, or settle it."""
        try:
            verdicts = admitted(self.job, self.payloads)
        except self._time_limits:
            raise
        except PostStackError:
            raise
        except Exception as error:
            # Whatever is wrong with a guard, nothing may pass it; a deployment can mend it. Its text may hold anything.
            self._reason = f"a function of before_send failed with {type(error).__name__}"
            raise PostStackConnectionError(0, "A function of before_send failed, so nothing was sent.") from error
        for at, verdict in enumerate(verdicts):
            if isinstance(verdict, Settled):
                self._decided[at] = verdict.answer
            elif isinstance(verdict, PostStackError):
                self._decided[at] = verdict
            else:
                self.payloads[at] = verdict
        self._answer([])

    def _answer(self, answers: Sequence[Answer]) -> None:
        """Put the answers to what was sent between what was decided before; without any, nothing is known of those."""
        left = iter(answers)
        places = range(len(self.payloads)) if len(answers) == len(self.to_send) else ()
        self._answers = [self._decided[at] if at in self._decided else next(left) for at in places]

    def _refuse(self, error: JobError) -> bool:
        self._refusal = GiveUp("it is no e-mail that can be sent"), error
        return False

    def _decide(self, error: Exception) -> Decision:
        if not isinstance(error, PostStackError):
            return GiveUp("it is no e-mail that can be sent")
        age = max(0.0, time.time() - (self.job.first_attempt_at or self.now))
        left = self._left()
        # The policy counts from the first attempt.
        limits = replace(self.settings.limits, expires=None if left is None else max(0.0, age + left))
        decision = decide(error, attempt=self.job.attempt, age=age, random=random.random, limits=limits)
        if self._reason is not None and not isinstance(decision, Sent):
            decision = replace(decision, reason=self._reason)
        return for_queue(self.job, decision)

    def _left(self) -> float | None:
        """Return the seconds until the e-mail is not wanted any more, `None` when it always is."""
        begun = self.job.enqueued_at or self.job.first_attempt_at or self.now
        ends = [expiry_time(self.job.expires, begun), expiry_time(self.settings.limits.expires, begun)]
        earliest = min((end for end in ends if end is not None), default=None)
        return None if earliest is None else earliest - time.time()

    def _outcome(self, decision: Decision, error: Exception | None) -> Outcome:
        results = [_element(answer) for answer in self._answers]
        result = (results[0] if self._single else results) if results else None
        if isinstance(error, PostStackError):
            error = without_addresses(error)
        return tell(
            Outcome(self.job, decision, error, result, self._answers or [None] * len(self.payloads), self.payloads)
        )


def _element(answer: Answer) -> dict[str, Any]:
    """Return what a queue's result backend keeps: small, and without addresses."""
    if isinstance(answer, Exception):
        return {"error": masked(str(answer)), "code": getattr(answer, "code", None)}
    return {name: answer[name] for name in ("id", "status", "replayed", "reason", "provider") if name in answer}
