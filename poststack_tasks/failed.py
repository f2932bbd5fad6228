"""Jobs that were given up, as `poststack tasks` shows them and tries them again, whatever the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["OLD", "FailedJob", "FailedJobs"]

OLD: Final = 13 * 86_400.0
"""Seconds since it was enqueued after which the API may have forgotten a job's key (the shortest retention is 14 days).
If an attempt had been accepted without an answer, sending it again would be a second e-mail."""


@dataclass(frozen=True)
class FailedJob:
    """One job that is not tried any more. Nothing in here is an address or a part of an e-mail."""

    id: str
    function: str
    queue: str
    """Where it came from, and goes back to."""
    reason: str
    failed_at: float | None = None
    """Seconds since 1970."""
    enqueued_at: float | None = None
    """Seconds since 1970; `None` when the queue does not tell."""
    attempts: int | None = None
    error: str | None = None
    """The name of the error's class."""
    status: int | None = None
    code: str | None = None

    def is_old(self, now: float) -> bool:
        """Return whether the API may have forgotten its key. One of unknown age may be of any."""
        return self.enqueued_at is None or now - self.enqueued_at > OLD


class FailedJobs(Protocol):
    """Where a queue keeps them."""

    def all(self) -> Sequence[FailedJob]:
        """Return those of this package, oldest first."""
        ...

    def retry(self, job: FailedJob, *, enqueued_at: float | None = None) -> bool:
        """Put one back into its queue under the same id and key, with all retries; return whether it was still there.

        Whoever is killed meanwhile loses nothing. `enqueued_at` makes an old one count as new.
        """
        ...

    def close(self) -> None:
        """Leave the others where they are."""
        ...
