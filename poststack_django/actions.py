"""What can be done about one e-mail: `refresh`, `cancel`, `resend`. The admin's buttons are these functions.

Imports models: import it late, and only when the app is installed. None of them needs a permission; ask for it before.
"""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError
from poststack_django.choices import EventState
from poststack_django.clients import with_key_for
from poststack_django.delivery import Call, perform
from poststack_django.guard import guard, leave_out
from poststack_django.models import EmailContent, EmailEvent, EmailRecipient, SentEmail
from poststack_django.other_providers import fit_resent, minds_keys, provider_names
from poststack_django.outgoing import Outgoing, Related
from poststack_django.reconciling import askable, refresh
from poststack_django.records import BEFORE_ACCEPTANCE, record_accepted, record_attempts
from poststack_django.sending import tell_accepted, tell_failed
from poststack_django.settings import get_settings
from poststack_django.settling import database, inserted, settle
from poststack_django.status import CANCELED_EVENT, UNDER_WAY, Status
from poststack_django.stored import backend_of, client_of, message_of, stored_payload
from poststack_django.suppressions import suppressed_among

if TYPE_CHECKING:
    from poststack.types import SendEmail
    from poststack_django.backends.email import EmailBackend

__all__ = ["NotPossibleError", "cancel", "key_still_holds", "refresh", "resend"]

# What the API answers when it is too late, or the e-mail is gone.
_TOO_LATE: Final = frozenset({404, 409, 422})


class NotPossibleError(ValueError):
    """The e-mail is in no state in which this can be done. The text says what can."""


def cancel(email: SentEmail) -> SentEmail:
    """Keep an e-mail from being sent: one that is scheduled at PostStack, or one that waits in the outbox.

    Returns the row as it is then. In the outbox, an attempt that got no answer may have been accepted all the same.
    Raises `NotPossibleError` when it is too late, `poststack.PostStackError` when the API does not answer, and
    `ImproperlyConfigured` when the mailer is gone. No signal is sent.
    """
    stored = SentEmail.objects.using(database()).get(pk=email.pk)
    if stored.status == Status.CANCELED.value:
        raise NotPossibleError("The e-mail is canceled already.")
    if stored.email_id is None:
        _take_out_of_outbox(stored)
    else:
        _cancel_scheduled(stored, stored.email_id)
    return SentEmail.objects.using(database()).get(pk=email.pk)


@sensitive_variables()
def resend(email: SentEmail, *, as_new: bool = False) -> SentEmail:
    """Send an e-mail again from its stored content, and return the row of the one that was sent.

    One that was never accepted, or perhaps was, goes out with the key that it had: that cannot double it. For that its
    first attempt must be younger than `OUTBOX["HORIZON"]`, as PostStack forgets keys; and a provider that minds no keys
    is sent nothing again that it may have been sent. One that was accepted or
    canceled, and every one with `as_new=True`, becomes a new row with a new key, the same related objects, and the old
    id as `resend_of` in its metadata; what was scheduled is then sent at once.

    The staging guard and the suppressions apply as they are now, and the signals are those of any sending, except for
    `pre_send`: what is sent is what was stored.

    Raises `NotPossibleError` when no content is stored or it must not be sent, `poststack.PostStackError` when the API
    refuses or does not answer (the row says so, too), and `ImproperlyConfigured` when the mailer is gone.
    """
    stored = SentEmail.objects.using(database()).get(pk=email.pk)
    payload = stored_payload(stored)
    _refuse_resending(stored, as_new=as_new)
    if payload is None:
        raise NotPossibleError(
            "The content of the e-mail is not stored. Set POSTSTACK['STORE_BODIES'] = True to be able to send later "
            "e-mails again; send this one with the code that sent it."
        )
    again = as_new or stored.email_id is not None or stored.status == Status.CANCELED.value
    backend = backend_of(stored)
    return _send(_copy(stored, payload, backend) if again else _same(stored, payload, backend), backend)


def key_still_holds(email: SentEmail) -> bool:
    """Return whether sending with the same key cannot double an e-mail that may have been accepted.

    It can through a provider that minds no keys. Raises `ImproperlyConfigured` when the mailer is gone.
    """
    if email.status == Status.REFUSED.value:
        return True
    age = (timezone.now() - (email.first_attempt_at or email.created_at)).total_seconds()
    return age < get_settings().outbox.horizon and minds_keys(client_of(email))


def _take_out_of_outbox(email: SentEmail) -> None:
    using, now = database(), timezone.now()
    waiting = SentEmail.objects.using(using).filter(pk=email.pk, email_id=None, next_attempt_at__isnull=False)
    # In one statement: a drainer that claims the row at this moment comes before it or after it.
    free = waiting.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    with transaction.atomic(using=using):
        changed = free.update(status=Status.CANCELED, status_at=now, next_attempt_at=None, claimed_until=None, claim="")
        if changed:
            recipients = EmailRecipient.objects.using(using).filter(sent_email=email.pk, status__in=BEFORE_ACCEPTANCE)
            recipients.update(status=Status.CANCELED, status_at=now)
            if email.sensitive or not get_settings().store_bodies:
                EmailContent.objects.using(using).filter(sent_email=email.pk).delete()
            return
    if waiting.exists():
        raise NotPossibleError("The e-mail is being sent at this moment. Look again in a minute what became of it.")
    raise NotPossibleError("The e-mail neither waits in the outbox nor is it scheduled, so there is nothing to cancel.")


def _cancel_scheduled(email: SentEmail, email_id: str) -> None:
    if email.scheduled_at is None or email.status not in UNDER_WAY:
        raise NotPossibleError("Only an e-mail that is scheduled and not sent yet can be canceled.")
    try:
        askable(email).cancel(email_id)
    except PostStackError as error:
        if error.status_code not in _TOO_LATE:
            raise
        raise NotPossibleError(
            "PostStack no longer cancels the e-mail: it is being sent, or at its end. Refresh it to see which."
        ) from error
    event = EmailEvent(
        event_id=f"canceled:{email_id}",
        email_id=email_id,
        type=CANCELED_EVENT,
        occurred_at=timezone.now(),
        state=EventState.HANDLED,
    )
    inserted(event, event_id=event.event_id)
    settle(email_id)


def _refuse_resending(email: SentEmail, *, as_new: bool) -> None:
    if email.next_attempt_at is not None and email.email_id is None:
        raise NotPossibleError("The e-mail waits in the outbox, which sends it.")
    if email.status == Status.WITHHELD.value:
        raise _withheld()
    if email.email_id is None and email.status in BEFORE_ACCEPTANCE and not as_new and not key_still_holds(email):
        if not minds_keys(client := client_of(email)):
            raise NotPossibleError(
                f"The e-mail may have been sent, and {provider_names(client)} cannot tell a repetition. Look for it "
                "there; if it is not there, poststack_django.actions.resend(email, as_new=True) sends it."
            )
        raise NotPossibleError(
            "The e-mail may have been accepted, so long ago that PostStack may have forgotten its key: sending it "
            "again could double it. Look for it at PostStack; if it is not there, "
            "poststack_django.actions.resend(email, as_new=True) sends it under a new key."
        )


def _withheld() -> NotPossibleError:
    return NotPossibleError(
        "The staging guard keeps the e-mail back. Add its recipients to POSTSTACK['ALLOWED_RECIPIENTS'], or send it "
        "from the system that may."
    )


def _same(email: SentEmail, payload: SendEmail, backend: EmailBackend) -> Outgoing:
    """Return the very same call. Another one under the same key would be refused."""
    payload["idempotency_key"] = email.idempotency_key
    rules = backend.rules
    to_be = copy.deepcopy(payload)
    kept_back = guard(to_be, rules.allowed_recipients, rules.redirect_to)
    if any(one.address != rules.redirect_to for one in kept_back):
        raise _withheld()
    if _suppressed(payload):
        raise NotPossibleError(
            "One of the recipients is suppressed by now. poststack_django.actions.resend(email, as_new=True) sends "
            "to the others, under a new key."
        )
    message = message_of(email, payload)
    return Outgoing(message, payload, email.mailer, client=with_key_for(message, rules.client))


def _copy(email: SentEmail, payload: SendEmail, backend: EmailBackend) -> Outgoing:
    payload["idempotency_key"] = str(uuid.uuid4())
    payload.pop("scheduled_at", None)
    rules = backend.rules
    left_out = guard(payload, rules.allowed_recipients, rules.redirect_to)
    suppressed = _suppressed(payload)
    left_out += leave_out(payload, suppressed.__contains__, Status.SUPPRESSED)
    if not payload["to"]:
        if suppressed:
            raise NotPossibleError("All recipients are suppressed. Delete their suppressions to send to them again.")
        raise _withheld()
    message = message_of(email, payload)
    vars(message)["idempotency_key"] = payload["idempotency_key"]
    relations = email.relations.using(database()).values_list("model", "object_id")
    return Outgoing(
        message,
        payload,
        email.mailer,
        client=with_key_for(message, rules.client),
        metadata={**email.metadata, "resend_of": email.email_id or email.idempotency_key},
        related_to=[Related(*relation) for relation in relations],
        left_out=left_out,
    )


def _suppressed(payload: SendEmail) -> set[str]:
    if not get_settings().suppressions:
        return set()
    return suppressed_among([*payload["to"], *payload.get("cc", []), *payload.get("bcc", [])])


def _send(one: Outgoing, backend: EmailBackend) -> SentEmail:
    configuration = one.client or backend.configuration
    client = backend.client_for(configuration)
    fit_resent(one, client)
    row = record_attempts([one])[0]
    outcome = perform(client, Call(configuration, [one]))[0]
    if isinstance(outcome, Exception):
        tell_failed(one, outcome, type(backend))
        raise outcome
    record_accepted([(row, outcome)])
    tell_accepted(one, outcome, type(backend))
    return SentEmail.objects.using(database()).get(pk=row.pk)
