"""What became of an attempt of a job, on its row and told to receivers. Imports models: import it late.

sent         the row has its id; webhooks and the admin find it
tried again  `unknown`, with the reason: a later attempt finds the same row
given up     `refused`, or `gave_up` where the API never said so, with the reason
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.views.decorators.debug import sensitive_variables

from poststack import OutcomeUnknownError, PostStackError
from poststack_django.borrowing import borrowed_connection
from poststack_django.database import is_recording, logged_not_raised
from poststack_django.jobs.preparing import on_the_way, outgoing_from
from poststack_django.records import record_accepted, record_attempts, record_failure
from poststack_django.result import SendState, SendStatus, set_status
from poststack_django.sending import tell_accepted
from poststack_django.signals import send_failed
from poststack_django.status import Status
from poststack_django.stored import mailer_of_jobs
from poststack_tasks.errors import JobExpiredError
from poststack_tasks.policy import GiveUp

if TYPE_CHECKING:
    from poststack.types import SentEmail as Accepted
    from poststack_django.outgoing import Outgoing
    from poststack_tasks.outcomes import Outcome

__all__ = ["record"]

logger = logging.getLogger("poststack.django")


@sensitive_variables()
def record(outcome: Outcome) -> None:
    """Store what came of each e-mail, and tell receivers of what is final. Raises nothing that a database causes."""
    prepared = {one.key: one for one in on_the_way.get()}
    on_the_way.set(())
    backend = mailer_of_jobs()
    accepted: list[tuple[Outgoing, Accepted]] = []
    failed: list[tuple[Outgoing, Exception]] = []
    for email, answer in zip(outcome.payloads, outcome.answers, strict=True):
        one = prepared.get(email.get("idempotency_key", ""))
        if isinstance(answer, Mapping):
            if answer.get("id"):
                accepted.append((one or outgoing_from(email, backend), cast("Accepted", answer)))
        elif _code(answer) != "suppressed" or one is not None:  # Else it was told when it was prepared.
            error = answer or outcome.error or PostStackError(0, "It was not sent.")
            failed.append((one or outgoing_from(email, backend), error))
    with borrowed_connection():
        _store_accepted(accepted)
        for one, answer in accepted:
            tell_accepted(one, answer, type(backend))
        reason = outcome.decision.reason if isinstance(outcome.decision, GiveUp) else None
        for one, error in failed:
            _tell_failed(one, error, reason, type(backend))


def _store_accepted(accepted: list[tuple[Outgoing, Accepted]]) -> None:
    if not accepted or not is_recording():
        return

    def store() -> None:
        _make_rows([one for one, _ in accepted])
        rows = [(one.row, answer) for one, answer in accepted if one.row is not None]
        record_accepted([(row, answer) for row, answer in rows if row.email_id != answer["id"]])

    ids = ", ".join(answer["id"] for _, answer in accepted)
    logged_not_raised(f"storing the id {ids}", store)


def _make_rows(outgoing: list[Outgoing]) -> None:
    """Give a row to those that have none: the database was away, or they were not to be tried at all."""
    if without := [one for one in outgoing if one.row is None]:
        record_attempts(without)


def _tell_failed(one: Outgoing, error: Exception, reason: str | None, sender: type) -> None:
    transient = isinstance(error, PostStackError) and error.transient
    text = error.error if isinstance(error, PostStackError) else str(error)
    # Over a quota nothing was accepted, and an expired job may have been tried before it expired.
    doubtful = (transient and not cast("PostStackError", error).quota_exceeded) or isinstance(error, JobExpiredError)
    unknown = isinstance(error, OutcomeUnknownError)
    state: SendState = "unknown" if reason is None or doubtful or unknown else "refused"
    told = f"{text} ({reason})" if reason else text
    status = SendStatus(state, one.key, error=told, code=_code(error), left_out=len(one.left_out))
    set_status(one.message, status)
    stored = Status.GAVE_UP if reason is not None and doubtful else None

    def store() -> None:
        _make_rows([one])
        if one.row is not None:
            record_failure(one.row, status, stored)

    if is_recording():
        logged_not_raised("storing a failure", store)
    if reason is not None:
        logger.warning("An e-mail of a job was given up: %s.", reason)
        send_failed.send_robust(sender=sender, message=one.message, status=status, error=error, email=one.row)


def _code(error: Any) -> str | None:
    code: object = getattr(error, "code", None)
    return code if isinstance(code, str) else None
