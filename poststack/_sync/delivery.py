# Written by tools/unasync.py from poststack/_async/delivery.py. Do not edit.
"""Drives an adapter: attempts, waits, how many at once, and the keys that keep an e-mail from being sent twice."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from poststack._clock import SystemClock
from poststack.providers._each import call_each
from poststack.providers._shielded import shielded
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import Clock, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from poststack._sync.keeping import Keeping
    from poststack.providers._retrying import DeliveryOptions
    from poststack.providers.base import Call, Provider, RequestTransport
    from poststack.providers.message import Message

__all__ = ["Delivery"]

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class Delivery(Generic[RequestT, AnswerT]):
    """Delivers messages through one provider. What they say must be what the provider can say."""

    def __init__(
        self,
        provider: Provider[RequestT, AnswerT],
        transport: RequestTransport[RequestT, AnswerT],
        options: DeliveryOptions,
        keeping: Keeping | None = None,
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._options = options
        self._keeping = keeping
        clock = getattr(transport, "clock", None)
        self._clock: Clock = clock if isinstance(clock, Clock) else SystemClock()
        # A provider that says "too fast" says it to the account, so everything of this delivery waits.
        self._held_until = 0.0

    def deliver(
        self, messages: Sequence[Message], timeout: float | None = None, keeping: Keeping | None = None
    ) -> list[Outcome]:
        """Return one outcome for each message, in order. A failure is an outcome and never raised.

        `keeping` replaces the delivery's own.
        """
        attempts = _Attempts(
            self._options.timeout if timeout is None else timeout,
            None if self._options.deadline is None else self._clock.monotonic() + self._options.deadline,
            keeping or self._keeping,
        )
        if attempts.kept is None or not any(message.idempotency_key for message in messages):
            return self._deliver(messages, attempts, self._perform)
        first: dict[str, int] = {}
        for index, message in enumerate(messages):
            if message.idempotency_key is not None:
                first.setdefault(message.idempotency_key, index)
        sent = [
            index
            for index, message in enumerate(messages)
            if message.idempotency_key is None or first[message.idempotency_key] == index
        ]
        answers = self._deliver([messages[at] for at in sent], attempts, self._perform_kept)
        outcomes = dict(zip(sent, answers, strict=True))
        return [
            outcomes[index] if index in outcomes else _as_before(outcomes[first[message.idempotency_key or ""]])
            for index, message in enumerate(messages)
        ]

    def close(self) -> None:
        """Release connections."""
        self._transport.close()

    def _deliver(
        self,
        messages: Sequence[Message],
        attempts: _Attempts,
        perform: Callable[[Call[RequestT], _Attempts], list[Outcome]],
    ) -> list[Outcome]:
        calls = self._provider.plan(messages)
        planned = sum(len(call.messages) for call in calls)
        if planned != len(messages):
            raise TypeError(f"{self._provider!r} plans calls for {planned} of {len(messages)} e-mails.")

        def performed(call: Call[RequestT]) -> list[Outcome]:
            return perform(call, attempts)

        answers = call_each(performed, calls, self._options.concurrency)
        # The same object may be in the list twice.
        found: dict[int, deque[Outcome]] = {}
        for call, outcomes in zip(calls, answers, strict=True):
            for message, outcome in zip(call.messages, outcomes, strict=True):
                found.setdefault(id(message), deque()).append(outcome)
        return [found[id(message)].popleft() for message in messages]

    def _perform_kept(self, call: Call[RequestT], attempts: _Attempts) -> list[Outcome]:
        """Claim the keys of the messages just before their call, so that a crash leaves few of them in doubt."""
        kept = attempts.kept
        assert kept is not None  # noqa: S101  # else this is not called
        known = kept.begin(call.messages)
        to_send = [message for message, claim in zip(call.messages, known, strict=True) if claim.outcome is None]
        claims = zip(call.messages, known, strict=True)
        attempts.in_doubt.update(id(message) for message, claim in claims if claim.may_have_been_sent)
        try:
            if len(to_send) == len(known):
                outcomes = self._perform(call, attempts)
            else:
                outcomes = self._deliver(to_send, attempts, self._perform) if to_send else []
        except BaseException:
            # Interrupted: what was not under way is free for the next time, the rest stays in doubt.
            unsent = [message for message in to_send if id(message) not in attempts.at_risk | attempts.in_doubt]
            shielded(kept.free, unsent)
            raise
        sent = iter(outcomes)
        return [next(sent) if claim.outcome is None else claim.outcome for claim in known]

    def _perform(self, call: Call[RequestT], attempts: _Attempts) -> list[Outcome]:
        failed, ends_at = attempts.failed, attempts.ends_at
        outcomes: list[Outcome] = []
        in_doubt = False
        while True:
            began = self._clock.monotonic()
            outcomes = _merged(outcomes, self._attempt(call, attempts, ends_at))
            failed += 1
            again = [
                (index, outcome.failure)
                for index, outcome in enumerate(outcomes)
                if outcome.failure and self._options.may_be_repeated(outcome.failure, repeatable=call.repeatable)
            ]
            if not again and not in_doubt and call.separable and _is_refused_as_a_whole(outcomes):
                return self._deliver_in_halves(call.messages, attempts.after(failed - 1))
            if not in_doubt and any(failure.kind == "ambiguous" for _, failure in again):
                in_doubt, ends_at = True, self._end_of_doubt(call, began, ends_at)
            delay = self._delay([failure for _, failure in again], failed, ends_at) if again else None
            if delay is None:
                return self._settled(call.messages, outcomes, attempts)
            _log_retry(self._provider.name, failed, again[0][1], delay)
            # Once in doubt, only the very same request will do: its key is what makes the provider recognise it.
            if len(again) == len(outcomes) or (in_doubt and call.repeatable):
                self._clock.sleep(delay)
                continue
            indices = [index for index, _ in again]
            others = [index for index in range(len(outcomes)) if index not in set(indices)]
            settled = [call.messages[at] for at in others], [outcomes[at] for at in others]
            for index, outcome in zip(others, self._settled(*settled, attempts), strict=True):
                outcomes[index] = outcome
            self._clock.sleep(delay)
            repeated = [call.messages[index] for index in indices]
            answers = self._deliver(repeated, attempts.after(failed), self._perform)
            for index, outcome in zip(indices, answers, strict=True):
                outcomes[index] = outcome
            return outcomes

    def _settled(self, messages: Sequence[Message], outcomes: Sequence[Outcome], attempts: _Attempts) -> list[Outcome]:
        """Return what is known in the end, noted where keys are kept."""
        settled = [
            _with_doubt(outcome) if id(message) in attempts.in_doubt else outcome
            for message, outcome in zip(messages, outcomes, strict=True)
        ]
        if attempts.kept is not None:
            # What is known is noted, also by one who is told to stop.
            shielded(attempts.kept.finish, messages, settled)
        return settled

    def _attempt(self, call: Call[RequestT], attempts: _Attempts, ends_at: float | None) -> list[Outcome]:
        held = self._held_until - self._clock.monotonic()
        if held > 0:
            if ends_at is not None and self._held_until >= ends_at:
                return self._all_failed(call, Failure("rate_limited", _HELD_BACK, retry_after=held))
            self._clock.sleep(held)
        if ends_at is not None and self._clock.monotonic() >= ends_at:
            return self._all_failed(call, Failure("unavailable", _TOO_LATE))
        # Both kinds of request are named tuples with these two fields.
        request = cast("Any", call.request)._replace(timeout=attempts.timeout, deadline=ends_at)
        attempts.at_risk.update(map(id, call.messages))
        try:
            answer = self._transport.send(request)
        except TransportError as error:
            outcomes = self._all_failed(call, self._provider.failure(error))
        except Exception as error:  # noqa: BLE001  # such a defect must not cost other e-mails their outcomes
            outcomes = self._all_failed(call, _defect(self._provider.title, error))
        else:
            outcomes = self._outcomes(call, answer)
        for message, outcome in zip(call.messages, outcomes, strict=True):
            failure = outcome.failure
            if failure is None:
                continue
            if failure.kind == "ambiguous":
                attempts.in_doubt.add(id(message))
            else:
                attempts.at_risk.discard(id(message))
            if failure.kind == "rate_limited" and failure.retry_after is not None:
                self._held_until = max(self._held_until, self._clock.monotonic() + min(failure.retry_after, 60.0))
        return outcomes

    def _outcomes(self, call: Call[RequestT], answer: AnswerT) -> list[Outcome]:
        """Return what the adapter makes of an answer. A mistake in it hides no e-mail that was sent."""
        cause: Exception | None = None
        try:
            outcomes = self._provider.outcomes(call, answer, self._clock.time())
            if len(outcomes) == len(call.messages):
                return outcomes
            problem = f"tells of {len(outcomes)} e-mails instead of {len(call.messages)}"
        except Exception as error:  # noqa: BLE001  # whatever it raises, the request has been answered
            cause, problem = error, f"raised {type(error).__name__}"
        text = f"{self._provider.title} has answered, and its adapter {problem}. The e-mail may have been sent."
        return self._all_failed(call, Failure("ambiguous", text, cause=cause))

    def _end_of_doubt(self, call: Call[RequestT], began: float, ends_at: float | None) -> float | None:
        """Return until when a request that began then may be repeated: as long as the provider remembers its key."""
        window = self._provider.capabilities.idempotency
        if window is None or not call.repeatable or self._options.allow_duplicates:
            return ends_at
        forgotten_at = began + window.total_seconds()
        return forgotten_at if ends_at is None else min(ends_at, forgotten_at)

    def _delay(self, failures: Sequence[Failure], failed: int, ends_at: float | None) -> float | None:
        delays = [self._options.delay(failure, failed, random.random) for failure in failures]
        if any(delay is None for delay in delays):
            return None
        delay = max(cast("list[float]", delays))
        if ends_at is not None and self._clock.monotonic() + delay >= ends_at:
            return None  # The wait would outlast the deadline, so the caller hears of the failure now.
        return delay

    def _deliver_in_halves(self, messages: Sequence[Message], attempts: _Attempts) -> list[Outcome]:
        middle = len(messages) // 2
        first = self._deliver(messages[:middle], attempts, self._perform)
        return first + self._deliver(messages[middle:], attempts, self._perform)

    def _all_failed(self, call: Call[RequestT], failure: Failure) -> list[Outcome]:
        return [Outcome(failure=failure) for _ in call.messages]


class _Attempts:
    """How long one attempt may take, when all of them must have ended, how many have failed, and what they risked."""

    __slots__ = ("at_risk", "ends_at", "failed", "in_doubt", "kept", "timeout")

    def __init__(self, timeout: float, ends_at: float | None, kept: Keeping | None) -> None:
        self.timeout = timeout
        self.ends_at = ends_at
        self.kept = kept
        self.failed = 0
        self.at_risk: set[int] = set()
        """The identities of messages that are under way, or have been and were not refused."""
        self.in_doubt: set[int] = set()
        """Those of messages that an attempt, now or in an earlier process, has left in doubt."""

    def after(self, failed: int) -> _Attempts:
        """Return the same for what is tried again, after so many failures. What was risked is known to both."""
        again = _Attempts(self.timeout, self.ends_at, self.kept)
        again.failed, again.at_risk, again.in_doubt = failed, self.at_risk, self.in_doubt
        return again


_HELD_BACK = "The provider asks to wait longer than the deadline allows. Nothing was sent."
_TOO_LATE = "The deadline passed before its turn came. Nothing was sent."


def _is_refused_as_a_whole(outcomes: Sequence[Outcome]) -> bool:
    kinds = {"invalid_request", "invalid_recipient", "suppressed", "payload_too_large"}
    # Of the address, the method or the type of the request: no e-mail in it is to blame, so parts would fare the same.
    about_the_request = {404, 405, 415}
    return len(outcomes) > 1 and all(
        outcome.failure and outcome.failure.kind in kinds and outcome.failure.status not in about_the_request
        for outcome in outcomes
    )


def _with_doubt(outcome: Outcome) -> Outcome:
    """Return what is known when an earlier attempt was left in doubt: a refusal says nothing of it."""
    failure = outcome.failure
    if failure is None or failure.kind == "ambiguous":
        return outcome
    text = f"{failure.message} An earlier attempt was not answered, so the e-mail may have been sent."
    # A copy: others may share it, of whom it is the whole truth.
    return replace(outcome, failure=replace(failure, kind="ambiguous", message=text))


def _merged(before: Sequence[Outcome], now: list[Outcome]) -> list[Outcome]:
    """Return what two attempts of the same request say together: what was accepted stays so."""
    if not before:
        return now
    return [earlier if earlier.failure is None else later for earlier, later in zip(before, now, strict=True)]


def _as_before(outcome: Outcome) -> Outcome:
    """Return the outcome of an e-mail whose key was that of another one in the same list."""
    return replace(outcome, replayed=outcome.failure is None)


def _defect(title: str, error: Exception) -> Failure:
    text = f"{title}: {type(error).__name__} instead of an answer. The e-mail may have been sent."
    return Failure("ambiguous", text, cause=error)


def _log_retry(provider: str, failed: int, failure: Failure, delay: float) -> None:
    from logging import getLogger

    getLogger("poststack").info(
        "%s: attempt %d failed (%s, status %s, request %s), next in %.2f s",
        provider, failed, failure.kind, failure.status, failure.request_id, delay,
    )  # fmt: skip
