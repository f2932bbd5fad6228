"""Who has a say before an attempt calls the API: a staging guard, a list of addresses that bounced, a memory.

    import poststack_tasks

    @poststack_tasks.before_send
    def only_our_own(job, emails):
        return [
            email if email["to"] == ["qa@example.com"] else poststack_tasks.Settled({"status": "withheld"})
            for email in emails
        ]

`poststack_django` keeps its rows, its suppressions and its staging guard in this way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from poststack import PostStackError

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_tasks.outcomes import Job

__all__ = ["Settled", "admitted", "before_send", "forget_before_send"]


@dataclass(frozen=True)
class Settled:
    """Nothing is to be sent, and nothing is wrong: the e-mail is done.

    `answer` is what the job returns for it: `{"status": "withheld"}`, or the API's own answer of an earlier attempt.
    """

    answer: Mapping[str, Any]


Verdict: TypeAlias = "SendEmail | Settled | PostStackError"
Check: TypeAlias = "Callable[[Job, Sequence[SendEmail]], Sequence[Verdict]]"

_checks: list[Check] = []


def before_send(check: Check) -> Check:
    """Have a function called before every attempt in this process, with the job and its e-mails.

    It returns one verdict for each, in order: the e-mail to send, which may be another one as long as it has the same
    `idempotency_key` (and is the same in every attempt: PostStack refuses a key that comes with another e-mail);
    `Settled`; or a `PostStackError`, which is treated as if the API had answered it. It must not change what it is
    given. When it raises, nothing is sent and the job is tried again later; `PostStackError` decides by itself.
    """
    if check not in _checks:
        _checks.append(check)
    return check


def forget_before_send(check: Check) -> None:
    """Call it no more."""
    if check in _checks:
        _checks.remove(check)


def admitted(job: Job, emails: Sequence[SendEmail]) -> list[Verdict]:
    """Return what all checks say of each e-mail; each is asked about those that the ones before let through."""
    verdicts: list[Verdict] = list(emails)
    for check in list(_checks):
        asked = [at for at, one in enumerate(verdicts) if isinstance(one, Mapping)]
        if not asked:
            break
        said = check(job, [cast("SendEmail", verdicts[at]) for at in asked])
        for at, verdict in zip(asked, said, strict=True):
            verdicts[at] = verdict
    return verdicts
