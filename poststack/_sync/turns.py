# Written by tools/unasync.py from poststack/_async/turns.py. Do not edit.
"""The turns of calls: nobody goes before the client's throttle, and a limiter shared with others, let them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._seldom import SeldomWarning
from poststack._throttle import LONGEST_HOLD
from poststack.errors import HeldBackError

if TYPE_CHECKING:
    from poststack._throttle import Throttle, Turn
    from poststack.errors import PostStackError
    from poststack.throttling import RateLimiter
    from poststack.transports.base import Clock, HttpResponse

__all__ = ["Turns"]


class Turns:
    """Waits for turns, and passes on what answers say of the limit."""

    def __init__(self, throttle: Throttle, limiter: RateLimiter | None) -> None:
        self._throttle = throttle
        self._limiter = limiter
        self._warning = SeldomWarning("The shared rate limiter raised %s: %s. Calls go on without it.")

    def wait(self, clock: Clock, ends_at: float | None) -> Turn:
        """Return when it is the caller's turn. Raises `HeldBackError` at once when that is not before `ends_at`."""
        throttle = self._throttle
        while True:
            now = clock.monotonic()
            turn = throttle.reserve(now, ends_at)
            if turn.wait > 0:
                if ends_at is not None and now + turn.wait >= ends_at:
                    raise _too_late(turn.wait)
                clock.sleep(turn.wait)
                if not throttle.stands(turn):
                    continue
            if self._limiter is None or not self._waited_for_place(self._limiter, clock, ends_at):
                return turn
            # Meanwhile another call may have met a 429.
            if not throttle.is_held(clock.monotonic()):
                return turn

    def heard(self, turn: Turn, response: HttpResponse, failure: PostStackError | None, clock: Clock) -> None:
        """Take what an answer says of the limit. `failure` is what it stands for, if it is a refusal."""
        now = clock.monotonic()
        self._throttle.learn(turn, response.headers, now, clock.time())
        if failure is None:
            self._throttle.succeeded()
        elif failure.status_code == 429 and failure.retry_after is not None and not failure.quota_exceeded:
            self._throttle.hold(failure.retry_after, now)
            if self._limiter is not None and failure.retry_after <= LONGEST_HOLD:
                try:
                    self._limiter.hold(failure.retry_after)
                except Exception as error:  # noqa: BLE001  # any limiter may be given
                    self._warning.log(type(error).__name__, error)

    def _waited_for_place(self, limiter: RateLimiter, clock: Clock, ends_at: float | None) -> bool:
        left = None if ends_at is None else max(0.0, ends_at - clock.monotonic())
        try:
            wait = limiter.reserve(left)
        except Exception as error:  # noqa: BLE001  # any limiter may be given
            # An e-mail matters more than the order of calls, and the API has a limit of its own.
            self._warning.log(type(error).__name__, error)
            return False
        if not wait > 0:
            return False
        if left is not None and wait >= left:
            raise _too_late(wait)
        clock.sleep(wait)
        return True


def _too_late(wait: float) -> HeldBackError:
    return HeldBackError(
        429,
        f"The limit of calls a second would hold this one back for {wait:.1f} s, longer than its deadline allows. This "
        "attempt was not made. Try again later, or allow more time.",
        "rate_limit_exceeded",
        retry_after=wait,
    )
