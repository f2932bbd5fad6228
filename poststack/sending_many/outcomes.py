"""What became of rows: what is known of each, why it failed, how many there are of which, and what ends a run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poststack._wire import DOUBT, UNSENT
from poststack.errors import QUOTA_CODES, PostStackError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["End", "Failure", "Totals", "end_for", "end_for_all", "failure_for"]

_ADDRESS: Final = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_MOST_REASONS: Final = 20
_LONGEST_REASON: Final = 120
OTHER_REASONS: Final = "other reasons"


class End(Enum):
    """Why a run ended."""

    DONE = "done"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    QUOTA = "quota"
    UNREACHABLE = "unreachable"
    ALIKE = "alike"
    """All of the first e-mails were refused for one reason."""


class Failure(NamedTuple):
    """Why a row was not sent, or may not have been."""

    error: str
    status: int | None = None
    """Of HTTP; 0 when there was no answer, `None` when nothing was asked."""
    code: str | None = None
    is_unknown: bool = False
    """Whether it may have been sent all the same."""

    @property
    def reason(self) -> str:
        """What it is counted under: the error, without addresses, and without what is said of unknown outcomes."""
        text = _cut(_ADDRESS.sub("…", self.error.removesuffix(DOUBT).removesuffix(UNSENT).rstrip()))
        return f"{text.rstrip('.')} ({self.code})" if self.code and self.code not in text else text

    def described(self, line: int, raw: str = "") -> dict[str, Any]:
        """Return what a report says of it."""
        outcome = "unknown" if self.is_unknown else "not sent"
        described: dict[str, Any] = {
            "line": line, "outcome": outcome, "error": self.error, "code": self.code, "status": self.status,
        }  # fmt: skip
        return {**described, "raw": raw} if raw else described


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_REASON:
        return text
    words, _, _ = text[:_LONGEST_REASON].rpartition(" ")
    # One very long word would leave hardly anything.
    return f"{words if len(words) > _LONGEST_REASON // 2 else text[: _LONGEST_REASON - 1]}…"


def failure_for(error: PostStackError | ValueError) -> Failure:
    """Return why a row failed."""
    if isinstance(error, PostStackError):
        return Failure(error.error, error.status_code, error.code, error.may_have_taken_effect)
    return Failure(str(error))


def end_for(error: PostStackError | ValueError) -> End | None:
    """Return why nothing more can be sent, `None` when only this row failed, as far as one row can tell."""
    if not isinstance(error, PostStackError):
        return None
    if error.quota_exceeded or error.code in QUOTA_CODES:
        return End.QUOTA
    return End.REFUSED if error.status_code == 401 else None


def end_for_all(error: PostStackError | ValueError) -> End | None:
    """Return why nothing more can be sent when many rows in a line fail so, `None` when that says nothing.

    A 403 is about one sender, whose domain is not the key's, or about the key.
    """
    if not isinstance(error, PostStackError):
        return None
    return End.REFUSED if error.status_code == 403 else End.UNREACHABLE if error.transient else None


@dataclass
class Totals:
    """Counts of rows, over all runs of one file."""

    sent: int = 0
    replayed: int = 0
    """Accepted before, under the same key."""
    failed: int = 0
    unknown: int = 0
    """Those of the failed that may have been sent all the same."""
    reasons: Counter[str] = field(default_factory=Counter[str])

    @property
    def done(self) -> int:
        """All of which something is known."""
        return self.sent + self.replayed + self.failed

    def add_failure(self, failure: Failure) -> None:
        """Count one that failed."""
        self.failed += 1
        self.unknown += failure.is_unknown
        reason = failure.reason
        # A text with the number of each row in it would make as many reasons as there are rows.
        is_new = reason not in self.reasons and len(self.reasons) >= _MOST_REASONS
        self.reasons[OTHER_REASONS if is_new else reason] += 1

    def as_json(self) -> dict[str, Any]:
        """Return what a journal keeps."""
        return {
            "sent": self.sent,
            "replayed": self.replayed,
            "failed": self.failed,
            "unknown": self.unknown,
            "reasons": dict(self.reasons),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Totals:
        """Return what a journal has kept."""
        return cls(kept["sent"], kept["replayed"], kept["failed"], kept["unknown"], Counter(kept["reasons"]))
