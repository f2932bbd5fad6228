"""What must be true whatever was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from tests.with_tasks.stand.api import Api

__all__ = ["Keyed", "each_sent_once"]


class Keyed(Protocol):
    """A stand of any queue."""

    @property
    def api(self) -> Api: ...

    def key(self, job: str) -> str: ...


def each_sent_once(stand: Keyed, jobs: Mapping[str, str], besides: str | None = None) -> None:
    """Check that the API has one e-mail for each job, with the key of that job, and nothing else. `jobs` has names."""
    mails = [mail for mail in stand.api.mails() if mail.to != besides]
    sent = Counter(mail.to for mail in mails)

    assert {name: sent[f"{job}@example.com"] for name, job in jobs.items()} == dict.fromkeys(jobs, 1)
    assert Counter(mail.key for mail in mails) == Counter(stand.key(job) for job in jobs.values())
