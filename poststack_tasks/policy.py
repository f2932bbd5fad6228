"""What to do with the outcome of one attempt of a job. Pure: no clock, no queue, no I/O.

    outcome                                    decision
    no error                                   sent
    no answer, broken answer, 408, 425, 5xx    retry later
    409 while an earlier attempt is running    retry later
    429 or 5xx with Retry-After                retry later, after that or the longest delay
    held back by a limit of calls a second     retry later, when there is room: no attempt was made, so no backoff grows
    429 because a quota is used up             give up, unless the limits say to wait for the quota
    another provider's that may have sent it   give up: it knows no keys by which to tell a repetition
    every other refusal                        give up: it would be refused again
    anything, past `expires` or the horizon    give up: late mail can be worse than none

Repeating is only safe with the same `idempotency_key` in the payload; then an attempt whose answer was lost is answered
with `replayed` and nothing is sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from poststack.errors import HeldBackError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.errors import PostStackError

__all__ = ["Decision", "GiveUp", "Limits", "RetryLater", "Sent", "decide", "too_late"]


@dataclass(frozen=True)
class Limits:
    """How patient a job is. All times are in seconds."""

    first_delay: float = 1.0
    """The upper bound of the first random delay; it doubles with every attempt."""
    longest_delay: float = 900.0
    """The cap of every delay, `Retry-After` included."""
    horizon: float = 86_400.0
    """No attempt starts later than this after the first one. Keep it inside the API's log retention, which bounds
    idempotency."""
    expires: float | None = None
    """Give up after this, for mail that is worthless when late."""
    wait_for_quota: bool = False
    """Whether a used-up quota is waited for. It comes back in days, or with a bigger plan."""
    longest_wait: float = 13 * 86_400.0
    """No attempt starts later than this after enqueuing, the first one included: an attempt before a crash may have
    been the first, and the API's shortest log retention is 14 days."""

    def __post_init__(self) -> None:
        for name in ("first_delay", "longest_delay", "horizon", "expires", "longest_wait"):
            value: object = getattr(self, name)
            if value is None and name == "expires":
                continue
            # Compared the way that NaN fails.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise ValueError(f"The limit `{name}` is a number of seconds, 0 or more.")
        if not self.longest_delay < float("inf"):
            raise ValueError("The limit `longest_delay` is a finite number of seconds.")


@dataclass(frozen=True)
class Sent:
    """Done."""


@dataclass(frozen=True)
class RetryLater:
    """Try again after so many seconds."""

    delay: float
    reason: str


@dataclass(frozen=True)
class GiveUp:
    """Leave the job where the queue keeps its failures."""

    reason: str


Decision: TypeAlias = Sent | RetryLater | GiveUp


def too_late(waited: float, expires_in: float | None, attempt: int, limits: Limits | None = None) -> GiveUp | None:
    """Return why a job is not to be tried any more, `None` while it may be.

    `waited` are the seconds since it was enqueued, `expires_in` those that it has left.
    """
    limits = limits or Limits()
    if expires_in is not None and expires_in <= 0:
        return GiveUp(f"it expired before attempt {attempt}")
    if waited > limits.longest_wait:
        return GiveUp("it waited so long that the API may have forgotten an earlier attempt")
    return None


def decide(
    error: PostStackError | None, *, attempt: int, age: float, random: Callable[[], float], limits: Limits | None = None
) -> Decision:
    """Return what to do after an attempt, counted from 1, of a job whose first one was `age` seconds ago.

    `random` returns a float in [0, 1); give `random.random`. The wait is `Retry-After` or a random backoff, whichever
    is longer, and never over the cap.
    """
    if error is None:
        return Sent()
    limits = limits or Limits()
    what = f"status {error.status_code}" if error.status_code else "no answer"
    if not error.transient:
        return GiveUp(_why_not_again(error, what))
    if error.quota_exceeded and not limits.wait_for_quota:
        return GiveUp("the sending quota is used up")
    wanted = error.retry_after or 0.0
    if isinstance(error, HeldBackError):
        # Those who were held back together do not come back together.
        delay = wanted * (1 + random())
    else:
        # The exponent is bounded so that a job of a thousand attempts cannot overflow.
        delay = max(wanted, random() * limits.first_delay * 2.0 ** min(max(attempt, 1) - 1, 32))
    delay = min(limits.longest_delay, delay)
    for name, limit in (("it expires", limits.expires), ("the horizon ends", limits.horizon)):
        if limit is not None and age + delay > limit:
            return GiveUp(f"{what}, and the next attempt would come after {name}")
    return RetryLater(delay, f"{what} at attempt {attempt}")


def _why_not_again(error: PostStackError, what: str) -> str:
    if isinstance(error, OutcomeUnknownError):
        return "it may have been sent, and the provider cannot tell a repetition"
    if error.status_code == 401:
        return f"refused with {what}: the API does not know the worker's key"
    return f"refused with {what}; it would be refused again"
