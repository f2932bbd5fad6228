"""A made-up API that counts calls in windows of time, and programs that call it; the time is made up as well."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from poststack._throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Api", "World"]

EPOCH = 1_767_225_600.25
"""Seconds since 1970 when the clock of the world shows 0: its windows begin between whole seconds of that clock."""


@dataclass
class Api:
    """Answers so many calls in each window, and 429 to the rest."""

    limit: int
    window: float = 1.0
    tells: bool = True
    """Whether it sends `X-RateLimit-*`."""
    clock_error: float = 0.0
    answers: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    _number: int = -1
    _used: int = 0

    def answer(self, now: float) -> tuple[int, dict[str, str]]:
        here = EPOCH + now
        number = math.floor(here / self.window)
        if number != self._number:
            self._number, self._used = number, 0
        self._used += 1
        status = 202 if self._used <= self.limit else 429
        self.answers.append((now, status))
        headers: dict[str, str] = {}
        if self.tells:
            reset = (number + 1) * self.window
            headers = {
                "x-ratelimit-limit": str(self.limit),
                "x-ratelimit-remaining": str(max(0, self.limit - self._used)),
                "x-ratelimit-reset": str(math.ceil(reset + self.clock_error)),
            }
        if status == 429:
            headers["retry-after"] = str(max(1, math.ceil((number + 1) * self.window - here)))
        return status, headers

    @property
    def refused(self) -> int:
        return sum(1 for _, status in self.answers if status == 429)

    def most_in(self, seconds: float) -> int:
        """Return the most calls that came within so many seconds."""
        moments = [moment for moment, _ in self.answers]
        return max(sum(1 for other in moments if moment <= other < moment + seconds) for moment in moments)


class World:
    """Programs with a throttle each, that send their e-mails with so many calls at a time."""

    def __init__(self, api: Api, *, seed: int = 1, latency: tuple[float, float] = (0.005, 0.03)) -> None:
        self.api = api
        self.now = 0.0
        self.sent_at: list[float] = []
        self._random = random.Random(seed)
        self._latency = latency
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), what))

    def program(self, e_mails: int, at_once: int, throttle: Throttle | None = None) -> Throttle:
        throttle = throttle or Throttle()
        left = [e_mails]

        def worker() -> None:
            if left[0]:
                left[0] -= 1
                self._call(throttle, worker)

        for _ in range(at_once):
            self.at(self.now, worker)
        return throttle

    def run(self) -> float:
        """Let everything happen, and return how long it took."""
        while self._events:
            self.now, _, what = heapq.heappop(self._events)
            what()
        return max(self.sent_at)

    def _call(self, throttle: Throttle, done: Callable[[], None]) -> None:
        turn = throttle.reserve(self.now)

        def go() -> None:
            if not throttle.stands(turn):
                self._call(throttle, done)
                return
            self.at(self.now + self._travel(), arrive)

        def arrive() -> None:
            status, headers = self.api.answer(self.now)
            self.at(self.now + self._travel(), lambda: answered(status, headers))

        def answered(status: int, headers: dict[str, str]) -> None:
            clock_time = EPOCH + self.now
            throttle.learn(turn, headers, self.now, clock_time)
            if status == 429:
                throttle.hold(float(headers["retry-after"]), self.now)
                self._call(throttle, done)
                return
            throttle.succeeded()
            self.sent_at.append(self.now)
            done()

        self.at(self.now + turn.wait, go)

    def _travel(self) -> float:
        return self._random.uniform(*self._latency)
