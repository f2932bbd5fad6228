"""When a call may go: one throttle for all calls of a client. No I/O, no clock of its own; safe to use from threads.

Three things hold calls back, and each leaves those who wait to go one after another rather than all at once:

    Retry-After of a 429      nobody goes before; the API has said so to the key, not to one call
    X-RateLimit-*             no more calls than are left in the window, and the last fifth of them spread over its rest
    a limit set by hand       calls are that far apart, and a little further: see `MARGIN`

The API publishes no limits and no unit of `X-RateLimit-Reset` (poststack-api §1.3, §8): seconds since 1970 are meant,
seconds from now and milliseconds are understood too, and nothing it says holds a call longer than a minute.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LONGEST_HOLD", "MARGIN", "Throttle", "Turn"]

MARGIN: Final = 1.05
"""How much further apart than a limit says calls are: they arrive less evenly than they leave, and a server counts."""
LONGEST_HOLD: Final = 60.0
"""Seconds. A longer `Retry-After` ends the call that meets it; it must not stop a whole program."""
LONGEST_GAP: Final = 0.25
"""Seconds between two calls at most, where only the nearness of the limit keeps them apart."""
SPREAD: Final = 0.2
"""The share of a window's calls that is spread over what is left of it."""
FIRST_GAP: Final = 0.01
MEASURED_WITHIN: Final = 10.0
SLOWER: Final = 1.3
FASTER: Final = 0.98
"""What the seconds between two calls are multiplied by: with a 429 that comes although they are kept apart, and with
each second in which none comes."""
WEIGHT: Final = 0.3
"""Of one answer, when it tells something else than those before."""
TICK: Final = 1e-6
"""Seconds. A clock may not show that it has been waited for less, and then waiting goes on for ever."""
LARGEST_LIMIT: Final = 1_000_000_000
"""Calls in a window. What claims more limits nothing, and numbers without end cannot be reckoned with."""
SAME_END: Final = 0.4
"""Seconds. Ends of windows are told in whole seconds, and are as exact as two clocks agree."""
OWN_CLOCK_TRUSTED: Final = 2.0
"""Seconds by which this machine's clock may differ from the server's, which tells whole seconds only."""


class Turn(NamedTuple):
    """The answer to one who wants to call: after `wait` seconds it is your turn, or, not granted, time to ask again."""

    wait: float
    granted: bool
    number: int
    """Which call of the client this is."""
    epoch: int


class Throttle:
    """Holds back the calls of one client. Moments are seconds of one clock that never goes back."""

    def __init__(self, rate_limit: float | None = None) -> None:
        self._interval = MARGIN / rate_limit if rate_limit else 0.0
        self._lock = threading.Lock()
        self._number = 0
        self._next_at = float("-inf")
        self._held_until = float("-inf")
        self._epoch = 0
        self._pace = _Pace()
        self._window: _Window | None = None
        _in_this_process.add(self)

    def reserve(self, now: float, until: float | None = None) -> Turn:
        """Return whose turn it is when. With a wait that lasts to `until` or longer, nothing is reserved."""
        with self._lock:
            if now < self._held_until:
                if self._held_until - now > TICK:
                    return Turn(self._held_until - now, False, 0, self._epoch)
                now = self._held_until
            gap, at, window = max(self._interval, self._pace.gap(now)), max(now, self._next_at), self._window
            if window is not None:
                window.pass_to(now + TICK, self._number)
                if self._number + 1 > window.allowed or at >= window.ends_at:
                    # How many may go in the next window will be known when it has begun, so all of these ask again.
                    window.careful = True
                    return Turn(window.ends_at - now, False, 0, self._epoch)
                gap = max(gap, window.gap(at, self._number))
            if until is not None and at >= until:
                return Turn(at - now, False, 0, self._epoch)
            self._next_at = at + gap
            self._number += 1
            return Turn(at - now, True, self._number, self._epoch)

    def stands(self, turn: Turn) -> bool:
        """Return whether a turn that was waited for still holds: a 429 since then takes it away."""
        return turn.granted and turn.epoch == self._epoch

    def is_held(self, now: float) -> bool:
        """Return whether a 429 keeps everybody back."""
        return self._held_until - now > TICK

    def learn(self, turn: Turn, headers: Mapping[str, str], now: float, clock_time: float) -> None:
        """Take what the answer to a call says of the window. `clock_time` is in seconds since 1970."""
        said = _said(headers, now, clock_time) if "x-ratelimit-remaining" in headers else None
        if said is None:
            return
        limit, remaining, ends_at = said
        with self._lock:
            window = self._window
            if window is None:
                window = self._window = _Window(limit, ends_at - now)
            window.told(limit, turn.number + remaining, ends_at, now)

    def succeeded(self) -> None:
        """Count a call that the API has taken."""
        self._pace.taken += 1

    def hold(self, seconds: float, now: float) -> None:
        """Keep everybody back for so long: a 429 with a `Retry-After` says it to one, and means all."""
        if not 0 <= seconds <= LONGEST_HOLD:
            return
        with self._lock:
            until = now + seconds
            if now >= self._held_until:  # Else it is one more answer to what was under way.
                self._pace.slow_down(now, until, self._window)
            if until > self._held_until:
                self._held_until = self._next_at = until
                self._epoch += 1
            if self._window is not None:
                self._window.begin_at(self._held_until, self._number)

    def renew_lock(self) -> None:
        """Start with a free lock, as a forked child must: a thread that is not there may have held the parent's."""
        self._lock = threading.Lock()


class _Pace:
    """How far apart calls are after a 429: as far as what the API takes suggests, and then closer again by and by."""

    __slots__ = ("_gap", "_measured_from", "_shortest", "_unchanged_since", "taken")

    def __init__(self) -> None:
        self.taken = 0
        """Calls that the API has taken since the last 429."""
        self._gap = 0.0
        self._shortest = 0.0
        self._measured_from = self._unchanged_since = float("-inf")

    def slow_down(self, now: float, until: float, window: _Window | None) -> None:
        """Take a 429 that keeps everybody back until then."""
        elapsed = now - self._measured_from
        if window is not None:
            gap = window.length / window.limit
        else:
            # What was taken since the 429 before this one, while that is not long ago.
            gap = elapsed / max(self.taken, 1) if elapsed < MEASURED_WITHIN else FIRST_GAP
        if not self._gap:
            self._shortest = gap / 2
        self._gap = min(max(gap, self._gap * SLOWER), 1.0)
        self.taken = 0
        self._measured_from, self._unchanged_since = now, until

    def gap(self, now: float) -> float:
        """Return the seconds between two calls; 0 when they need not be kept apart."""
        if not self._gap:
            return 0.0
        seconds = int(now - self._unchanged_since)
        if seconds > 0:
            self._unchanged_since += seconds
            self._gap *= FASTER**seconds
            if self._gap < self._shortest:
                self._gap = 0.0
        return self._gap


class _Window:
    """What the API has said of the time until its count begins anew, or what is supposed of the time after that."""

    __slots__ = ("_length_is_known", "_told_end", "allowed", "careful", "ends_at", "length", "limit")

    def __init__(self, limit: int, length: float) -> None:
        self.limit = limit
        self.allowed = 0.0
        """The number of the last call that may go in this window."""
        self.ends_at = self._told_end = float("-inf")
        self.length = max(length, 1.0)
        self._length_is_known = False
        self.careful = False
        """Whether more wanted to call than there was room for, and no answer has told yet how much there is now."""

    def told(self, limit: int, allowed: float, ends_at: float, now: float) -> None:
        """Take what an answer says."""
        later = ends_at - self._told_end
        if later > SAME_END:
            if later <= LONGEST_HOLD:
                self.length = min(later, self.length) if self._length_is_known else later
                self._length_is_known = True
            self._told_end = self.ends_at = ends_at
            self.limit, self.allowed, self.careful = limit, allowed, False
        elif later >= -SAME_END and now < self._told_end:
            # Calls overtake each other, so each answer is wrong by some; on average they are right.
            self.allowed += (allowed - self.allowed) * WEIGHT
            self.limit, self.careful = limit, False

    def pass_to(self, now: float, number: int) -> None:
        """Go on to the window of this moment, in which nothing has been called yet."""
        if now >= self.ends_at:
            self.ends_at += self.length * (1 + (now - self.ends_at) // self.length)
            self.allowed = number + self.limit

    def begin_at(self, moment: float, number: int) -> None:
        """Suppose that there is room again from this moment on, as a `Retry-After` says."""
        self.pass_to(moment, number)
        self.allowed = number + self.limit
        self.careful = True

    def gap(self, now: float, number: int) -> float:
        """Return how far apart calls are now."""
        gap = 0.0
        left = self.allowed - number
        if left <= self.limit * SPREAD:
            gap = (self.ends_at - now) / (left + 1)
        if self.careful:
            gap = max(gap, self.length / self.limit)
        return min(gap, LONGEST_GAP)


def _said(headers: Mapping[str, str], now: float, clock_time: float) -> tuple[int, int, float] | None:
    """Return the limit, what is left of it, and when the window ends; `None` when that is not said, or not clearly."""
    try:
        limit, remaining = int(headers.get("x-ratelimit-limit", "0")), int(headers["x-ratelimit-remaining"])
        reset = float(headers.get("x-ratelimit-reset", "nan"))
    except ValueError:
        return None
    if reset > 1e11:
        reset /= 1000  # Milliseconds since 1970.
    if reset > 1e9:
        reset -= _server_time(headers.get("date"), clock_time)
    if not (1 <= limit <= LARGEST_LIMIT and 0 <= remaining <= limit and 0 < reset <= LONGEST_HOLD):
        return None
    return limit, remaining, now + reset


def _server_time(date: str | None, clock_time: float) -> float:
    """Return what the server's clock shows: our own, unless the two differ."""
    if date is None:
        return clock_time
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return clock_time
    return clock_time if abs(theirs - clock_time) <= OWN_CLOCK_TRUSTED else theirs


_in_this_process: weakref.WeakSet[Throttle] = weakref.WeakSet()


def _renew_locks() -> None:
    for throttle in list(_in_this_process):
        throttle.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
