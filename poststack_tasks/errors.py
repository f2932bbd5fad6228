"""What a job raises when it is given up, besides the client's own errors.

    Exception
    ├── PostStackError          the API refused the e-mail, or was not reached until the job's patience ended
    ├── BatchNotAllSentError    some e-mails of a batch were accepted and some were refused
    └── ValueError
        └── JobError            the job itself is wrong: it was refused when it was enqueued, or by the worker
            └── JobExpiredError it came too late: nothing was sent

All are rebuilt from their `args`, which are JSON, so they survive every result backend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from poststack import PostStackError

__all__ = ["BatchNotAllSentError", "JobError", "JobExpiredError", "without_addresses"]

# A local part begins where none goes on before, so that a long text is gone through once; it may be quoted, and the
# sign may be encoded as in a URL. Rather too much is masked than too little.
_ADDRESS: Final = re.compile(r"""(?:"[^"\n]*"|(?<![^\s<>"(),;:@])[^\s<>"(),;:@]{1,128}?)(?:@|%40)[^\s<>"'(),;:]+""")


class JobError(ValueError):
    """The job is wrong, and would be however often it was tried."""


class JobExpiredError(JobError):
    """The job came too late, so nothing was sent: late mail can be worse than none."""


class BatchNotAllSentError(Exception):
    """Some e-mails of a batch were refused; the others are sent.

    `results` has an element for each e-mail, in order: `{"id": …}`, or `{"error": …, "code": …}`. Running the job again
    sends none of the accepted ones twice.
    """

    def __init__(self, results: Sequence[Mapping[str, Any]]) -> None:
        super().__init__([dict(one) for one in results])
        self.results: list[dict[str, Any]] = self.args[0]

    @property
    def refused(self) -> dict[int, str]:
        """Return why e-mails were refused, by their place in the batch, counted from 0."""
        return {index: one.get("error", "") for index, one in enumerate(self.results) if "error" in one}

    def __str__(self) -> str:
        refused = self.refused
        if not refused:
            return "No e-mail of the batch was refused."
        first = next(iter(refused))
        return (
            f"{len(refused)} of {len(self.results)} e-mails of the batch were refused and the others are sent. "
            f"emails[{first}]: {refused[first]}"
        )


def without_addresses(error: PostStackError) -> PostStackError:
    """Return the same error for where queues keep and log errors: e-mail addresses in the API's text are left out."""
    fields = (
        error.status_code, masked(error.error), error.code, error.request_id, error.headers, error.retry_after,
        error.may_have_taken_effect,
    )  # fmt: skip
    try:
        rebuilt = type(error)(*fields)
    except Exception:  # noqa: BLE001  # a subclass of a client of one's own, which takes something else
        rebuilt = PostStackError(*fields)
    rebuilt.__cause__ = error.__cause__
    return rebuilt


def masked(text: str) -> str:
    """Return the text with `[address]` in place of every e-mail address."""
    return _ADDRESS.sub("[address]", text)
