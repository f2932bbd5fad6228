"""What happens before an attempt of a job calls the API: who is left out, and the row. Imports models: import it late.

An attempt may be the second one for the same e-mail, and the first may have been accepted. PostStack refuses a key that
comes with another e-mail, so recipients are left out as they were the first time, whoever was suppressed since; an
address that PostStack itself has suppressed gets nothing in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.mail import EmailMultiAlternatives
from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError
from poststack_django.borrowing import borrowed_connection
from poststack_django.database import is_recording, logged_not_raised
from poststack_django.guard import guard, leave_out
from poststack_django.models import EmailRecipient, SentEmail
from poststack_django.outgoing import Outgoing
from poststack_django.preparing import leave_out_suppressed
from poststack_django.privacy import stored_address
from poststack_django.records import NEVER_ACCEPTED, record_attempts
from poststack_django.sending import tell_not_sent
from poststack_django.settings import get_settings
from poststack_django.settling import database
from poststack_django.status import Status
from poststack_django.stored import mailer_of_jobs, message_from
from poststack_tasks.admission import Settled, Verdict

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_django.backends.email import EmailBackend

__all__ = ["on_the_way", "outgoing_from", "prepare"]

on_the_way: Final[ContextVar[tuple[Outgoing, ...]]] = ContextVar("on_the_way", default=())
"""What this thread, or task of an event loop, has prepared and not yet recorded."""


@sensitive_variables()
def prepare(emails: Sequence[SendEmail]) -> list[Verdict]:
    """Store a row for each e-mail, and return what is to be sent of it.

    Nothing is, if its row already has the id of PostStack: an attempt before this one was accepted. Raises what is
    wrong with the settings of the staging guard.
    """
    backend = mailer_of_jobs()
    with borrowed_connection():
        known = _known_rows(emails)
        made: dict[int, Outgoing] = {}
        verdicts: list[Verdict] = list(emails)
        for at, email in enumerate(emails):
            row = known.get(_key(email))
            if row is not None and row.email_id is not None:
                verdicts[at] = Settled(_answer_of(row))
            else:
                made[at] = outgoing_from(email, backend)
        _leave_out(made.values(), known, backend)
        ready: list[Outgoing] = []
        for at, one in made.items():
            if one.payload["to"]:
                verdicts[at] = one.payload
                ready.append(one)
            else:
                verdicts[at] = _not_sent(one, backend)
        if ready and is_recording():
            logged_not_raised("storing the e-mails of a job", lambda: _begin(ready))
    on_the_way.set(tuple(ready))
    return verdicts


def outgoing_from(email: SendEmail, backend: EmailBackend) -> Outgoing:
    """Return an e-mail of a job as all others are on their way."""
    payload = cast("SendEmail", dict(email))
    try:
        message = message_from(email)
    except ValueError:  # Files that are none. What is wrong with them is for the API to say.
        message = EmailMultiAlternatives(email.get("subject", ""), email.get("text", ""), email["from"], email["to"])
        vars(message)["idempotency_key"] = _key(email)
    return Outgoing(message, payload, backend.alias or "")


def _known_rows(emails: Sequence[SendEmail]) -> dict[str, SentEmail]:
    if not is_recording():
        return {}
    keys = [_key(email) for email in emails]
    rows = SentEmail.objects.get_queryset().using(database()).filter(idempotency_key__in=keys)
    found = logged_not_raised("looking for the e-mails of a job", lambda: list(rows)) or []
    return {row.idempotency_key: row for row in found}


def _leave_out(made: Any, known: Mapping[str, SentEmail], backend: EmailBackend) -> None:
    rules = backend.rules
    first: list[Outgoing] = []
    for one in made:
        one.left_out += guard(one.payload, rules.allowed_recipients, rules.redirect_to)
        row = known.get(one.key)
        then = None if row is None or row.status in NEVER_ACCEPTED else _suppressed_then(row)
        if then is None:
            first.append(one)
        else:
            addresses = {address for _, address in one.recipients if stored_address(address) in then}
            one.left_out += leave_out(one.payload, addresses.__contains__, Status.SUPPRESSED)
    leave_out_suppressed(first)


def _suppressed_then(row: SentEmail) -> set[str] | None:
    """Return the recipients that an earlier attempt left out, as they are stored; `None` if that is not known."""
    if get_settings().store_recipients == "none":
        return None
    recipients = EmailRecipient.objects.using(database()).filter(sent_email=row.pk, status=Status.SUPPRESSED)
    found = logged_not_raised("looking for recipients", lambda: list(recipients.values_list("address", flat=True)))
    return None if found is None else set(found)


def _not_sent(one: Outgoing, backend: EmailBackend) -> Verdict:
    error = tell_not_sent(one, type(backend))
    if error is None:
        return Settled({"status": "withheld"})
    # Queues rebuild errors from their arguments, and that of Django's mail takes none.
    return PostStackError(error.status_code, error.error, error.code)


def _begin(ready: Sequence[Outgoing]) -> None:
    """Store the rows, and that somebody is at it: an event that comes before the answer waits for it."""
    rows, now = record_attempts(ready), timezone.now()
    until = now + timedelta(seconds=get_settings().outbox.lease)
    waiting = SentEmail.objects.using(database()).filter(
        pk__in=[row.pk for row in rows], email_id=None, next_attempt_at=None
    )
    waiting.update(
        attempts=F("attempts") + 1,
        first_attempt_at=Coalesce(F("first_attempt_at"), Value(now, output_field=DateTimeField())),
        claimed_until=until,
        status=Case(When(status=Status.GAVE_UP, then=Value(Status.UNKNOWN)), default=F("status")),
    )


def _answer_of(row: SentEmail) -> dict[str, Any]:
    return {"id": row.email_id, "replayed": True, "test_mode": row.test_mode}


def _key(email: SendEmail) -> str:
    return email.get("idempotency_key", "")
