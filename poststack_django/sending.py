"""What happens between Django's `send_messages` and its answer, whichever way the calls are made.

`sending` is a generator: it yields each call that is to be made now and is sent the outcomes. So the synchronous and
the asynchronous way of sending store, signal, log and raise the same.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from django.views.decorators.debug import sensitive_variables

from poststack import OutcomeUnknownError, PostStackError
from poststack_django.database import is_recording, logged_not_raised
from poststack_django.delivery import Call, Outcome, calls, takes_batches
from poststack_django.errors import NotAllSentError, SuppressedRecipientsError
from poststack_django.other_providers import certainly_not_sent
from poststack_django.outgoing import Outgoing
from poststack_django.preparing import Rules, prepared
from poststack_django.result import SendState, SendStatus, set_status
from poststack_django.signals import post_send, send_failed
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from poststack.types import SentEmail as Accepted
    from poststack_django.settings import ClientSettings

__all__ = ["sending", "set_status", "tell_accepted", "tell_failed", "tell_not_sent"]

logger = logging.getLogger("poststack.django")


@sensitive_variables()
def sending(
    messages: Sequence[EmailMessage], rules: Rules, sender: type, *, fail_silently: bool
) -> Generator[Call, list[Outcome], int]:
    """Send the messages that have recipients; return how many the API has accepted.

    A message that is refused does not keep the others from being sent. A call that fails for a reason that would fail
    the next one as well ends it. Then the first error is raised, for several messages as `NotAllSentError`, unless
    failures of delivery are silenced.
    """
    outgoing = [one for one in prepared(messages, rules, sender) if one is not None]
    # Every client is made now: a wrong key of the last tenant is found before the mail of the first has left.
    one_by_one = {client for client in _clients(outgoing, rules) if not takes_batches(rules.client_for(client))}
    errors: dict[Outgoing, Exception | None] = {}
    ready: list[Outgoing] = []
    for one in outgoing:
        if one.payload["to"]:
            ready.append(one)
            # True until its call begins, and for good if the process is stopped before that.
            set_status(one.message, SendStatus("unsent", one.key, left_out=len(one.left_out)))
        elif error := tell_not_sent(one, sender):
            errors[one] = error
    stopped = _Stopped()
    for call in calls(ready, rules.client, one_by_one=one_by_one):
        if stopped.by(call):
            errors.update(dict.fromkeys(call.messages))
            continue
        _record(call.messages)
        for one in call.messages:
            set_status(one.message, SendStatus("unknown", one.key, left_out=len(one.left_out)))
        outcomes = yield call
        _record_accepted(call, outcomes)
        for one, outcome in zip(call.messages, outcomes, strict=True):
            if isinstance(outcome, Exception):
                errors[one] = outcome
                tell_failed(one, outcome, sender)
                stopped.note(call, outcome)
            else:
                tell_accepted(one, outcome, sender)
    _raise_first(outgoing, ready, errors, fail_silently=fail_silently)
    return sum(one not in errors for one in ready)


def tell_accepted(one: Outgoing, answer: Accepted, sender: type) -> None:
    """Put the id on the message and tell the receivers."""
    status = SendStatus(
        "queued",
        one.key,
        id=answer["id"],
        replayed=bool(answer.get("replayed", False)),
        test_mode=bool(answer.get("test_mode", False)),
        left_out=len(one.left_out),
    )
    set_status(one.message, status)
    logger.info("E-mail %s was accepted.", status.id)
    post_send.send_robust(sender=sender, message=one.message, status=status, email=one.row)


def tell_failed(one: Outgoing, error: Exception, sender: type) -> None:
    """Put the failure on the message, store it, and tell the receivers. Raises nothing."""
    left_out = len(one.left_out)
    if isinstance(error, SuppressedRecipientsError) and not one.recipients:
        status = SendStatus("suppressed", one.key, error=error.error, code=error.code, left_out=left_out)
    elif isinstance(error, PostStackError):
        # Over a quota nothing was accepted, although the same may be accepted next month; but a refusal says nothing of
        # an attempt before it that had no answer.
        in_doubt = (
            (error.transient and not error.quota_exceeded)
            or error.may_have_taken_effect
            or isinstance(error, OutcomeUnknownError)
        )
        if one.by_mailer and certainly_not_sent(error):
            in_doubt = False
        state: SendState = "unknown" if in_doubt else "refused"
        status = SendStatus(state, one.key, error=error.error, code=error.code, left_out=left_out)
    elif isinstance(error, ValueError):  # The client found the payload wrong, and nothing was sent.
        status = SendStatus("refused", one.key, error=str(error), left_out=left_out)
    else:
        status = SendStatus("unknown", one.key, error=type(error).__name__, left_out=left_out)
    set_status(one.message, status)
    # A warning, not an error: errors may be sent by e-mail, and this is the failure of an e-mail.
    logger.warning(
        "An e-mail was not sent: %s, status %s, request %s.",
        type(error).__name__,
        getattr(error, "status_code", "-"),
        getattr(error, "request_id", "-"),
    )
    if (row := one.row) is not None:
        from poststack_django.records import record_failure

        logged_not_raised("storing a failure", lambda: record_failure(row, status))
    send_failed.send_robust(sender=sender, message=one.message, status=status, error=error, email=one.row)


def tell_not_sent(one: Outgoing, sender: type) -> SuppressedRecipientsError | None:
    """Store and tell that a message has nobody left to go to; return the error, if being withheld is not all of it."""
    if all(left_out.status is Status.WITHHELD for left_out in one.left_out):
        _record([one], Status.WITHHELD)
        set_status(one.message, SendStatus("withheld", one.key, left_out=len(one.left_out)))
        logger.info("An e-mail was withheld: none of its recipients is in ALLOWED_RECIPIENTS.")
        return None
    error = SuppressedRecipientsError()
    # Hidden recipients may be left, who would learn of each other.
    _record([one], Status.REFUSED if one.recipients else Status.SUPPRESSED)
    tell_failed(one, error, sender)
    return error


class _Stopped:
    """Which calls are not worth making after what has failed before."""

    def __init__(self) -> None:
        self._all = False
        self._clients: set[ClientSettings] = set()

    def by(self, call: Call) -> bool:
        return self._all or call.client in self._clients

    def note(self, call: Call, error: Exception) -> None:
        if isinstance(error, PostStackError):
            if error.status_code in {401, 403, 429}:  # One tenant's own affair.
                self._clients.add(call.client)
            elif error.transient:
                self._all = True
        elif not isinstance(error, ValueError):  # Such as the time limit of the task that this runs in.
            self._all = True


def _clients(outgoing: Sequence[Outgoing], rules: Rules) -> set[ClientSettings]:
    return {one.client or rules.client for one in outgoing if one.payload["to"]}


def _record(messages: Sequence[Outgoing], status: Status = Status.PENDING) -> None:
    if not is_recording():
        return
    from poststack_django.records import record_attempts

    # Reports of a broken database are e-mails too: they must get out although nothing can be stored.
    logged_not_raised("storing an e-mail before sending it", lambda: record_attempts(messages, status=status))


def _record_accepted(call: Call, outcomes: Sequence[Outcome]) -> None:
    accepted = [
        (one.row, outcome)
        for one, outcome in zip(call.messages, outcomes, strict=True)
        if one.row is not None and not isinstance(outcome, Exception)
    ]
    if not accepted:
        return
    from poststack_django.records import record_accepted

    ids = ", ".join(answer["id"] for _, answer in accepted)
    logged_not_raised(f"storing the id {ids}", lambda: record_accepted(accepted))


def _raise_first(
    outgoing: Sequence[Outgoing],
    ready: Sequence[Outgoing],
    errors: dict[Outgoing, Exception | None],
    *,
    fail_silently: bool,
) -> None:
    # In the order of the messages: tenants and sizes may have mixed up that of the calls.
    raised = [error for one in outgoing if (error := errors.get(one)) is not None]
    if not raised:
        return
    for error in raised:
        if not isinstance(error, PostStackError):  # Never silenced: it is not a failure of delivery.
            raise error
    if fail_silently:
        return
    first = raised[0]
    if len(outgoing) == 1 or not isinstance(first, PostStackError):
        raise first
    sent = [one.message for one in ready if one not in errors]
    unsent = [(one.message, errors[one]) for one in outgoing if one in errors]
    raise NotAllSentError(first, sent, unsent) from first
