"""Whether and when to repeat a call to a provider. Pure: no clock, no randomness of its own.

failure                                      repeated
rate_limited, unavailable                    yes, after the provider's hint or a random backoff
a hint over 60 s                             no: the caller should not be held that long
ambiguous, and the call carries a key        yes: the provider knows the key
ambiguous, and the caller allows duplicates  yes
ambiguous otherwise                          no: it may have been sent
everything else                              no: it would be refused again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from poststack._config import checked_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.providers.outcome import Failure

__all__ = ["DeliveryOptions"]

LONGEST_HINT: Final = 60.0
FIRST_BACKOFF: Final = 0.25
LONGEST_BACKOFF: Final = 30.0


class DeliveryOptions(NamedTuple):
    """How patient and how hasty deliveries are. Times are in seconds."""

    timeout: float = 30.0
    """For each step of one attempt; waiting for a turn does not count."""
    max_retries: int = 3
    deadline: float | None = None
    """For the whole of one `send`, or of one part of a bulk."""
    concurrency: int = 10
    """How many requests of a bulk are under way at the same time."""
    allow_duplicates: bool = False
    """Whether an e-mail that may have been sent is sent again."""

    @classmethod
    def checked(
        cls, timeout: float, max_retries: int, deadline: float | None, concurrency: int, allow_duplicates: bool
    ) -> DeliveryOptions:
        """Return them. Raises `ValueError` for what cannot work, such as a number that is still a text."""
        wholes = {"max_retries": max_retries, "concurrency": concurrency}
        numbers = {"timeout": timeout, **({} if deadline is None else {"deadline": deadline})}
        for name, value in cast("dict[str, object]", {**wholes, **numbers}).items():
            if not isinstance(value, int if name in wholes else (int, float)) or isinstance(value, bool):
                kind = "a whole number" if name in wholes else "a number of seconds"
                raise ValueError(f"`{name}` is {kind}, not {type(value).__name__}.")
        if concurrency < 1 or max_retries < 0 or (deadline is not None and not deadline > 0):
            raise ValueError("`concurrency` is at least 1, `max_retries` at least 0, `deadline` more than 0.")
        return cls(checked_timeout(timeout), max_retries, deadline, concurrency, allow_duplicates)

    def may_be_repeated(self, failure: Failure, *, repeatable: bool) -> bool:
        """Return whether trying again can help and does no harm."""
        if failure.kind == "ambiguous":
            return repeatable or self.allow_duplicates
        return failure.transient

    def delay(self, failure: Failure, failed_attempts: int, random: Callable[[], float]) -> float | None:
        """Return how long to wait after so many failed attempts, or `None` to give up."""
        if failed_attempts > self.max_retries:
            return None
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= LONGEST_HINT else None
        # Full jitter: callers that failed together do not come back together.
        return random() * min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failed_attempts - 1, 16))
