"""Mailers that the API is not asked for a while: it said so, or does not answer."""

from __future__ import annotations

import time

__all__ = ["Pauses"]

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
"""Seconds; without a `Retry-After` the pause doubles with every failure, up to this."""


class Pauses:
    """What one process knows of its mailers; rows have delays of their own, which all processes see."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._until: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def failed(self, mailer: str, retry_after: float | None) -> None:
        """Leave a mailer alone: for as long as the API says, or longer with every failure in a row."""
        failures = self._failures.get(mailer, 0)
        self._failures[mailer] = failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 32)) if retry_after is None else retry_after
        self._until[mailer] = max(time.monotonic() + min(pause, self._longest), self._until.get(mailer, 0.0))

    def succeeded(self, mailer: str) -> None:
        """Forget earlier failures."""
        self._failures.pop(mailer, None)

    def mailers(self) -> set[str]:
        """Return the mailers to leave alone now."""
        now = time.monotonic()
        self._until = {mailer: until for mailer, until in self._until.items() if until > now}
        return set(self._until)

    def seconds_left(self) -> float | None:
        """Return how long the next mailer to be asked again has to wait, `None` when there is no pause."""
        paused = [self._until[mailer] for mailer in self.mailers()]
        return max(0.0, min(paused) - time.monotonic()) if paused else None
