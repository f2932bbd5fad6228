"""What happens between Django's `send_messages` and its answer, whichever way the calls are made.

`sending` is a generator: it yields each call that is to be made now and is sent the outcomes. So the synchronous and
the asynchronous way of sending store, signal, log and raise the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError
from poststack_django.database import is_recording, with_orm
from poststack_django.delivery import Call, Outcome, calls
from poststack_django.errors import NotAllSentError, SuppressedRecipientsError
from poststack_django.outgoing import Outgoing
from poststack_django.preparing import Rules, prepared
from poststack_django.result import SendState, SendStatus
from poststack_django.signals import post_send, send_failed
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from poststack.types import SentEmail as Accepted

__all__ = ["logged_not_raised", "sending", "set_status", "tell_accepted", "tell_failed", "tell_not_sent"]

Result = TypeVar("Result")

logger = logging.getLogger("poststack.django")


@sensitive_variables()
def sending(
    messages: Sequence[EmailMessage], rules: Rules, sender: type, *, fail_silently: bool
) -> Generator[Call, list[Outcome], int]:
    """Send the messages; return how many the API has accepted.

    A message that is refused does not keep the others from being sent. A call that fails for a reason that would fail
    the next one as well ends it. Then the first error is raised, for several messages as `NotAllSentError`, unless
    failures of delivery are silenced.
    """
    outgoing = prepared(messages, rules, sender)
    sent: list[Outgoing] = []
    errors: dict[Outgoing, Exception | None] = {}
    for message, one in zip(messages, outgoing, strict=True):
        if one is None:
            set_status(message, SendStatus("canceled", ""))
            logger.info("An e-mail was canceled by a receiver of pre_send.")
    ready: list[Outgoing] = []
    for one in (one for one in outgoing if one is not None):
        if one.payload["to"]:
            ready.append(one)
        elif error := tell_not_sent(one, sender):
            errors[one] = error
    broken: set[object] = set()
    for call in calls(ready, rules.client):
        if call.client in broken:
            for one in call.messages:
                errors[one] = None
                set_status(one.message, SendStatus("unsent", one.key))
            continue
        _record(call.messages)
        outcomes = yield call
        _record_accepted(call, outcomes)
        for one, outcome in zip(call.messages, outcomes, strict=True):
            if isinstance(outcome, Exception):
                errors[one] = outcome
                tell_failed(one, outcome, sender)
                if _fails_the_next_as_well(outcome):
                    broken.add(call.client)
            else:
                sent.append(one)
                tell_accepted(one, outcome, sender)
    _raise_first(sent, errors, len(messages), fail_silently=fail_silently)
    return len(sent)


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
    if isinstance(error, PostStackError):
        state: SendState = "unknown" if error.transient else "refused"
        status = SendStatus(state, one.key, error=error.error, code=error.code, left_out=len(one.left_out))
    elif isinstance(error, ValueError):  # The client found the payload wrong, and nothing was sent.
        status = SendStatus("refused", one.key, error=str(error))
    else:
        status = SendStatus("unknown", one.key, error=type(error).__name__)
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
    _record([one], Status.REFUSED)
    tell_failed(one, error, sender)
    return error


def logged_not_raised(doing: str, function: Callable[[], Result]) -> Result | None:
    """Call a function that uses the database; log what it raises: whatever that is, the e-mail comes first."""
    try:
        return with_orm(function)
    except Exception as error:  # a database, a router, a receiver of a model's signals
        logger.warning("%s failed with %s.", doing.capitalize(), type(error).__name__, exc_info=error)
        return None


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


def _fails_the_next_as_well(error: Exception) -> bool:
    if not isinstance(error, PostStackError):
        return True
    return error.transient or error.status_code in {401, 403}


def _raise_first(
    sent: Sequence[Outgoing], errors: dict[Outgoing, Exception | None], total: int, *, fail_silently: bool
) -> None:
    raised = [error for error in errors.values() if error is not None]
    if not raised:
        return
    for error in raised:
        if not isinstance(error, PostStackError):  # Never silenced: it is not a failure of delivery.
            raise error
    if fail_silently:
        return
    first = raised[0]
    if total == 1 or not isinstance(first, PostStackError):
        raise first
    unsent = [(one.message, error) for one, error in errors.items()]
    raise NotAllSentError(first, [one.message for one in sent], unsent) from first


def set_status(message: Any, status: SendStatus) -> None:
    """Say on the message what became of it."""
    message.poststack_status = status
