"""When to try a failed call again, and how long to wait first. No I/O, no clock, no randomness of its own.

The rules are those of the published SDK, measured case by case (poststack-api §2.5):

    no answer, 408, 5xx            retried, after Retry-After when it is sent, else after a random backoff
    429 with a quota code          not retried: the quota is as used up in a second's time
    429 with Retry-After           retried after exactly that
    429 with some other code only  not retried: an old server's way to say quota
    429 with neither               retried after a random backoff (a proxy's page, say)
    a Retry-After over 60 s        not retried: the caller should not be held that long
    everything else                not retried

One rule is our own, and goes before them: a call that the API would do twice, such as a reply to a received e-mail
or a new secret, is not retried once an attempt may have taken effect. Of 408 and 429 we know that none did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from poststack.errors import PostStackConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.errors import PostStackError

__all__ = ["RetryPolicy"]

LONGEST_RETRY_AFTER: Final = 60.0
FIRST_BACKOFF: Final = 0.25
LONGEST_BACKOFF: Final = 60.0


class RetryPolicy(NamedTuple):
    """How often and how patiently one call is repeated. All times are in seconds."""

    max_retries: int = 3

    def delay_before_retry(
        self, error: PostStackError, failed_attempts: int, random: Callable[[], float], *, repeatable: bool = True
    ) -> float | None:
        """Return how long to wait before the next attempt, or `None` to give up.

        `failed_attempts` counts from 1; `random` returns a float in [0, 1). `repeatable` is false for a call that may
        be repeated only while none of its attempts can have taken effect.
        """
        if failed_attempts > self.max_retries or not _may_be_repeated(error):
            return None
        if error.may_have_taken_effect and not repeatable:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else None
        # Full jitter: callers that failed together do not come back together. The exponent is bounded so that a
        # large max_retries cannot overflow.
        return random() * min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failed_attempts - 1, 16))


def _may_be_repeated(error: PostStackError) -> bool:
    if isinstance(error, PostStackConnectionError):
        return True
    if error.status_code == 429:
        return not error.quota_exceeded
    return error.status_code == 408 or error.status_code >= 500
