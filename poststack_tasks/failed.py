"""Jobs that were given up, as `poststack tasks` shows them and tries them again, whatever the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from poststack_tasks.errors import masked
from poststack_tasks.payload import expiry_time

__all__ = ["OLD", "FailedJob", "FailedJobs", "expiry_known", "shown_message"]

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
    message: str | None = None
    """What the API, or whoever else refused it, said; addresses are masked."""
    expires_at: float | None = None
    """Seconds since 1970 from which it is not wanted any more; `None` when it always is, or the queue does not tell."""

    def is_old(self, now: float) -> bool:
        """Return whether the API may have forgotten its key. One of unknown age may be of any."""
        return self.enqueued_at is None or now - self.enqueued_at > OLD

    def is_expired(self, now: float) -> bool:
        """Return whether it comes too late, so that a worker would only give it up again."""
        return self.expires_at is not None and self.expires_at <= now


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

    def drop(self, job: FailedJob) -> bool:
        """Delete one for good; return whether it was still there."""
        ...

    def close(self) -> None:
        """Leave the others where they are."""
        ...


def expiry_known(expires: object, enqueued_at: float | None) -> float | None:
    """Return when a job expires, in seconds since 1970, `None` when it does not, or that cannot be known."""
    if enqueued_at is None and isinstance(expires, (int, float)):
        return None  # Those seconds began at a time that nobody has noted.
    try:
        return expiry_time(expires, enqueued_at or 0.0)
    except ValueError:
        return None


def shown_message(message: object) -> str | None:
    """Return what was said of a job in a form that may be shown: in one line, and without addresses."""
    if not isinstance(message, str):
        return None
    line = "".join(one if one.isprintable() else " " for one in masked(message))
    return " ".join(line.split()) or None
