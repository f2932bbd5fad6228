"""Drives an adapter: attempts, waits, how many at once, and the keys that keep an e-mail from being sent twice."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from poststack._clock import SystemClock
from poststack.providers._each import acall_each
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import Clock, TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack._async.keeping import AsyncKeeping
    from poststack.providers._retrying import DeliveryOptions
    from poststack.providers.base import AsyncRequestTransport, Call, Provider
    from poststack.providers.message import Message

__all__ = ["AsyncDelivery"]

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class AsyncDelivery(Generic[RequestT, AnswerT]):
    """Delivers messages through one provider. What they say must be what the provider can say."""

    def __init__(
        self,
        provider: Provider[RequestT, AnswerT],
        transport: AsyncRequestTransport[RequestT, AnswerT],
        options: DeliveryOptions,
        keeping: AsyncKeeping | None = None,
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._options = options
        self._keeping = keeping
        clock = getattr(transport, "clock", None)
        self._clock: Clock = clock if isinstance(clock, Clock) else SystemClock()
        # A provider that says "too fast" says it to the account, so everything of this delivery waits.
        self._held_until = 0.0

    async def deliver(
        self, messages: Sequence[Message], timeout: float | None = None, keeping: AsyncKeeping | None = None
    ) -> list[Outcome]:
        """Return one outcome for each message, in order. A failure is an outcome and never raised.

        `keeping` replaces the delivery's own.
        """
        attempts = _Attempts(
            self._options.timeout if timeout is None else timeout,
            None if self._options.deadline is None else self._clock.monotonic() + self._options.deadline,
        )
        kept = keeping or self._keeping
        if kept is None or not any(message.idempotency_key for message in messages):
            return await self._deliver(messages, attempts)
        first: dict[str, int] = {}
        for index, message in enumerate(messages):
            if message.idempotency_key is not None:
                first.setdefault(message.idempotency_key, index)
        sent = [
            index
            for index, message in enumerate(messages)
            if message.idempotency_key is None or first[message.idempotency_key] == index
        ]
        outcomes = dict(zip(sent, await self._deliver([messages[at] for at in sent], attempts, kept), strict=True))
        return [
            outcomes[index]
            if index in outcomes
            else replace(outcomes[first[message.idempotency_key or ""]], replayed=True)
            for index, message in enumerate(messages)
        ]

    async def aclose(self) -> None:
        """Release connections."""
        await self._transport.aclose()

    async def _deliver(
        self, messages: Sequence[Message], attempts: _Attempts, kept: AsyncKeeping | None = None
    ) -> list[Outcome]:
        calls = self._provider.plan(messages)

        async def perform(call: Call[RequestT]) -> list[Outcome]:
            return await (self._perform(call, attempts) if kept is None else self._perform_kept(call, attempts, kept))

        answers = await acall_each(perform, calls, self._options.concurrency)
        # The same object may be in the list twice.
        found: dict[int, deque[Outcome]] = {}
        for call, outcomes in zip(calls, answers, strict=True):
            for message, outcome in zip(call.messages, outcomes, strict=True):
                found.setdefault(id(message), deque()).append(outcome)
        return [found[id(message)].popleft() for message in messages]

    async def _perform_kept(self, call: Call[RequestT], attempts: _Attempts, kept: AsyncKeeping) -> list[Outcome]:
        """Claim the keys of the messages just before their call, so that a crash leaves few of them in doubt."""
        known = await kept.begin(call.messages)
        to_send = [message for message, outcome in zip(call.messages, known, strict=True) if outcome is None]
        if len(to_send) == len(known):
            outcomes = await self._perform(call, attempts)
        else:
            outcomes = await self._deliver(to_send, attempts) if to_send else []
        await kept.finish(to_send, outcomes)
        sent = iter(outcomes)
        return [next(sent) if outcome is None else outcome for outcome in known]

    async def _perform(self, call: Call[RequestT], attempts: _Attempts) -> list[Outcome]:
        failed, in_doubt = attempts.failed, False
        while True:
            outcomes = await self._attempt(call, attempts)
            failed += 1
            again = [
                (index, outcome.failure)
                for index, outcome in enumerate(outcomes)
                if outcome.failure and self._options.may_be_repeated(outcome.failure, repeatable=call.repeatable)
            ]
            if not again:
                if not in_doubt and call.separable and _is_refused_as_a_whole(outcomes):
                    return await self._deliver_in_halves(call.messages, attempts.after(failed - 1))
                return _with_doubt(outcomes) if in_doubt else outcomes
            delay = self._delay([failure for _, failure in again], failed, attempts)
            if delay is None:
                return _with_doubt(outcomes) if in_doubt else outcomes
            _log_retry(self._provider.name, failed, again[0][1], delay)
            await self._clock.asleep(delay)
            in_doubt = in_doubt or any(failure.kind == "ambiguous" for _, failure in again)
            # Once in doubt, only the very same request will do: its key is what makes the provider recognise it.
            if len(again) < len(outcomes) and not in_doubt:
                repeated = await self._deliver([call.messages[index] for index, _ in again], attempts.after(failed))
                for (index, _), outcome in zip(again, repeated, strict=True):
                    outcomes[index] = outcome
                return outcomes

    async def _attempt(self, call: Call[RequestT], attempts: _Attempts) -> list[Outcome]:
        ends_at = attempts.ends_at
        held = self._held_until - self._clock.monotonic()
        if held > 0:
            if ends_at is not None and self._held_until >= ends_at:
                return self._all_failed(call, Failure("rate_limited", _HELD_BACK, retry_after=held))
            await self._clock.asleep(held)
        # Both kinds of request are named tuples with these two fields.
        request = cast("Any", call.request)._replace(timeout=attempts.timeout, deadline=ends_at)
        try:
            answer = await self._transport.asend(request)
        except TransportError as error:
            return self._all_failed(call, self._provider.failure(error))
        outcomes = self._provider.outcomes(call, answer, self._clock.time())
        for outcome in outcomes:
            failure = outcome.failure
            if failure is not None and failure.kind == "rate_limited" and failure.retry_after is not None:
                self._held_until = max(self._held_until, self._clock.monotonic() + min(failure.retry_after, 60.0))
        return outcomes

    def _delay(self, failures: Sequence[Failure], failed: int, attempts: _Attempts) -> float | None:
        delays = [self._options.delay(failure, failed, random.random) for failure in failures]
        if any(delay is None for delay in delays):
            return None
        delay = max(cast("list[float]", delays))
        if attempts.ends_at is not None and self._clock.monotonic() + delay >= attempts.ends_at:
            return None  # The wait would outlast the deadline, so the caller hears of the failure now.
        return delay

    async def _deliver_in_halves(self, messages: Sequence[Message], attempts: _Attempts) -> list[Outcome]:
        middle = len(messages) // 2
        first = await self._deliver(messages[:middle], attempts)
        return first + await self._deliver(messages[middle:], attempts)

    def _all_failed(self, call: Call[RequestT], failure: Failure) -> list[Outcome]:
        return [Outcome(failure=failure) for _ in call.messages]


class _Attempts:
    """How long one attempt may take, when all of them must have ended, and how many have failed."""

    __slots__ = ("ends_at", "failed", "timeout")

    def __init__(self, timeout: float, ends_at: float | None, failed: int = 0) -> None:
        self.timeout = timeout
        self.ends_at = ends_at
        self.failed = failed

    def after(self, failed: int) -> _Attempts:
        return _Attempts(self.timeout, self.ends_at, failed)


_HELD_BACK = "The provider asks to wait longer than the deadline allows. Nothing was sent."


def _is_refused_as_a_whole(outcomes: Sequence[Outcome]) -> bool:
    kinds = {"invalid_request", "invalid_recipient", "suppressed", "payload_too_large"}
    # Of the address, the method or the type of the request: no e-mail in it is to blame, so parts would fare the same.
    about_the_request = {404, 405, 415}
    return len(outcomes) > 1 and all(
        outcome.failure and outcome.failure.kind in kinds and outcome.failure.status not in about_the_request
        for outcome in outcomes
    )


def _with_doubt(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return what is known when an earlier attempt was left in doubt: a refusal says nothing of it."""
    for outcome in outcomes:
        if outcome.failure is not None and outcome.failure.kind != "ambiguous":
            outcome.failure.kind = "ambiguous"
            outcome.failure.message += " An earlier attempt was not answered, so the e-mail may have been sent."
    return list(outcomes)


def _log_retry(provider: str, failed: int, failure: Failure, delay: float) -> None:
    from logging import getLogger

    getLogger("poststack").info(
        "%s: attempt %d failed (%s, status %s, request %s), next in %.2f s",
        provider, failed, failure.kind, failure.status, failure.request_id, delay,
    )  # fmt: skip
