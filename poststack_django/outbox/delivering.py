"""Sending claimed rows and writing down what came of it. Imports models: import it late."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Length
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from poststack import OutcomeUnknownError, PostStackConnectionError, PostStackError
from poststack_django.backends.email import EmailBackend
from poststack_django.clients import with_key_for, without_retries
from poststack_django.delivery import Call, Outcome, calls, perform, takes_batches
from poststack_django.models import EmailContent, EmailRecipient, SentEmail
from poststack_django.other_providers import refuse_repeating
from poststack_django.outbox.claims import claim_due, release
from poststack_django.outbox.pauses import Pauses
from poststack_django.outgoing import Outgoing
from poststack_django.records import BEFORE_ACCEPTANCE, payload_of, record_accepted
from poststack_django.result import SendStatus
from poststack_django.sending import tell_accepted
from poststack_django.settings import ClientSettings, get_settings
from poststack_django.settling import database
from poststack_django.signals import send_failed
from poststack_django.status import Status
from poststack_django.stored import backend_of, message_of, stored_payload
from poststack_tasks.policy import GiveUp, Limits, RetryLater, decide

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["Drained", "deliver", "drain"]

logger = logging.getLogger("poststack.django")

ALL_AT_ONCE: Final = 1_000_000
LARGEST_PART: Final = 50_000_000
"""Characters of stored calls that are read at a time; one e-mail with many files can have more than half of it."""


@dataclass
class Drained:
    """What became of e-mails of the outbox."""

    sent: int = 0
    put_off: int = 0
    """They stay in the outbox, and are tried again later."""
    given_up: int = 0

    @property
    def total(self) -> int:
        """Return how many were tried."""
        return self.sent + self.put_off + self.given_up

    def __iadd__(self, other: Drained) -> Drained:
        self.sent += other.sent
        self.put_off += other.put_off
        self.given_up += other.given_up
        return self


def drain(
    limit: int | None = None, *, stopping: Callable[[], bool] = lambda: False, pauses: Pauses | None = None
) -> Drained:
    """Send what is due, at most so many e-mails, until nothing is or `stopping` says to."""
    drained, pauses = Drained(), pauses or Pauses(get_settings().outbox.longest_delay)
    left = ALL_AT_ONCE if limit is None else limit
    while left > 0 and not stopping():
        rows = claim_due(min(left, get_settings().outbox.batch_size), without_mailers=pauses.mailers())
        if not rows:
            break
        left -= len(rows)
        drained += deliver(rows, stopping=stopping, pauses=pauses)
    return drained


@sensitive_variables()
def deliver(
    rows: Sequence[SentEmail], *, stopping: Callable[[], bool] = lambda: False, pauses: Pauses | None = None
) -> Drained:
    """Send rows that this process has claimed. What goes wrong is stored with them, and never raised."""
    drained, pauses = Drained(), pauses or Pauses(get_settings().outbox.longest_delay)
    for part in _parts(rows):
        if stopping():
            release(part)
            continue
        try:
            backend = backend_of(part[0])
            _refuse_repeating(backend)
        except ImproperlyConfigured as error:
            # A deployment in between can cause this, and the next one can mend it: nothing is given up for it at once.
            drained += _failed(part, PostStackConnectionError(0, str(error)), EmailBackend)
            continue
        outgoing, broken = _outgoing(part, backend)
        drained += broken
        drained += _deliver(outgoing, backend, stopping, pauses)
    return drained


def _refuse_repeating(backend: EmailBackend) -> None:
    configuration = without_retries(backend.configuration)
    if configuration.provider is not None or configuration.factory is not None:
        refuse_repeating(backend.client_for(configuration))


def _parts(rows: Sequence[SentEmail]) -> Iterator[list[SentEmail]]:
    """Yield the rows of one mailer after the other, no more at a time than may be in memory."""
    contents = EmailContent.objects.using(database()).filter(pk__in=[row.pk for row in rows])
    sizes = dict(contents.values_list("pk", Length("payload")))
    part: list[SentEmail] = []
    size = 0
    for row in sorted(rows, key=lambda row: row.mailer):  # The sort is stable: each mailer's keep their order.
        own = sizes.get(row.pk, 0)
        if part and (part[0].mailer != row.mailer or size + own > LARGEST_PART):
            yield part
            part, size = [], 0
        part.append(row)
        size += own
    if part:
        yield part


def _deliver(
    outgoing: Sequence[Outgoing], backend: EmailBackend, stopping: Callable[[], bool], pauses: Pauses
) -> Drained:
    drained = Drained()
    down: dict[ClientSettings, PostStackError] = {}
    interruption: Exception | None = None
    base = without_retries(backend.configuration)
    clients = {one.client or base for one in outgoing}
    one_by_one = {client for client in clients if not takes_batches(backend.client_for(client))}
    for call in calls(outgoing, base, get_settings().outbox.batch_size, one_by_one=one_by_one):
        rows = [cast("SentEmail", one.row) for one in call.messages]
        if interruption is not None or stopping() or _outlasts_the_claim(rows, call.client):
            release(rows)
            continue
        if (error := down.get(call.client)) is not None:
            # It has just failed for a reason that would fail this call, too; these were not tried.
            drained += _failed(rows, error, type(backend), tried=False)
            continue
        outcomes = perform(backend.client_for(call.client), call)
        drained += _record(call, outcomes, type(backend))
        failure = next((one for one in outcomes if isinstance(one, PostStackError) and one.transient), None)
        if failure is None:
            pauses.succeeded(rows[0].mailer)
        elif not failure.quota_exceeded:
            down[call.client] = failure
            # Being throttled is one tenant's own affair; no answer, or a broken one, is everybody's.
            if failure.status_code != 429 or backend.configuration.key_for_message is None:
                pauses.failed(rows[0].mailer, failure.retry_after)
        unexpected = (one for one in outcomes if isinstance(one, Exception))
        interruption = next((one for one in unexpected if not isinstance(one, (PostStackError, ValueError))), None)
    if interruption is not None:  # Such as the time limit of the task that this runs in. The rows are put off.
        raise interruption
    return drained


def _outlasts_the_claim(rows: Sequence[SentEmail], client: ClientSettings) -> bool:
    """Return whether the call might still be under way when somebody else may send these: those before took long."""
    until = rows[0].claimed_until
    if until is None or client.deadline is None:
        return False
    left = (until - timezone.now()).total_seconds()
    # With a lease that is shorter than a call, which a check warns of, nothing would ever be sent.
    return left < client.deadline < get_settings().outbox.lease


def _record(call: Call, outcomes: Sequence[Outcome], sender: type) -> Drained:
    drained = Drained()
    pairs = [(cast("SentEmail", one.row), one, outcome) for one, outcome in zip(call.messages, outcomes, strict=True)]
    accepted = [(row, outcome) for row, _, outcome in pairs if not isinstance(outcome, Exception)]
    # Raised, not logged, if the database fails: the lease ends, the row is tried again, and the same key finds the id.
    record_accepted(accepted)
    for row, one, outcome in pairs:
        if isinstance(outcome, Exception):
            drained += _failed([row], outcome, sender)
        else:
            tell_accepted(one, outcome, sender)
            drained.sent += 1
    return drained


def _failed(rows: Iterable[SentEmail], error: Exception, sender: type, *, tried: bool = True) -> Drained:
    """Decide for each row whether it is tried again, by the policy that all queues share."""
    counted: Counter[str] = Counter()
    for row in rows:
        known = _as_poststack_error(error)
        decision = (
            GiveUp("it is not a payload that can be sent")
            if known is None
            else decide(known, attempt=row.attempts, age=_age(row), random=random.random, limits=_limits(row))
        )
        if isinstance(decision, RetryLater):
            _put_off(row, decision, error, tried=tried)
            counted["put_off"] += 1
        else:
            reason = decision.reason if isinstance(decision, GiveUp) else ""
            counted["given_up"] += _give_up(row, error, reason, _state_after(known), sender=sender)
    return Drained(put_off=counted["put_off"], given_up=counted["given_up"])


def _put_off(row: SentEmail, decision: RetryLater, error: Exception, *, tried: bool) -> None:
    logger.warning("An e-mail stays in the outbox for %.1f s: %s.", decision.delay, decision.reason)
    _update(
        row,
        claim="",
        claimed_until=None,
        next_attempt_at=timezone.now() + timedelta(seconds=decision.delay),
        attempts=row.attempts if tried else row.attempts - 1,
        first_attempt_at=row.first_attempt_at if tried or row.attempts > 1 else None,
        error=_text(error),
        error_code=(getattr(error, "code", None) or "")[:255],
    )


def _state_after(error: PostStackError | None) -> Status:
    """Return what a row is that is given up. One in doubt is sent again by nobody, and says so."""
    if isinstance(error, OutcomeUnknownError):
        return Status.UNKNOWN
    return Status.GAVE_UP if error is not None and error.transient else Status.REFUSED


def _give_up(row: SentEmail, error: Exception, reason: str, state: Status, *, sender: type) -> bool:
    """Take a row out of the outbox, visibly. Returns whether it was still there, and this process's own."""
    changed = _update(
        row,
        claim="",
        claimed_until=None,
        next_attempt_at=None,
        error=f"{_text(error)} ({reason})" if reason else _text(error),
        error_code=(getattr(error, "code", None) or "")[:255],
        status=state,
        status_at=timezone.now(),
    )
    if not changed:
        return False
    logger.warning("An e-mail of the outbox was given up: %s.", reason)
    recipients = EmailRecipient.objects.using(database()).filter(sent_email=row.pk, status__in=BEFORE_ACCEPTANCE)
    recipients.update(status=state, status_at=timezone.now())
    if row.sensitive:
        EmailContent.objects.using(database()).filter(pk=row.pk).delete()
    status = SendStatus(
        "refused" if state is Status.REFUSED else "unknown",
        row.idempotency_key,
        error=_text(error),
        code=row.error_code or None,
    )
    try:
        message = message_of(row, stored_payload(row))
    except ValueError:
        message = message_of(row)
    send_failed.send_robust(sender=sender, message=message, status=status, error=error, email=row)
    return True


def _update(row: SentEmail, **changes: object) -> bool:
    """Change a row that is still this process's own. Another one that took it over since then knows more."""
    mine = SentEmail.objects.using(database()).filter(pk=row.pk, claim=row.claim, email_id=None)
    changed = bool(mine.update(**changes))
    if changed:
        for name, value in changes.items():
            setattr(row, name, value)
    return changed


def _outgoing(rows: Sequence[SentEmail], backend: EmailBackend) -> tuple[list[Outgoing], Drained]:
    made: list[Outgoing] = []
    broken = Drained()
    contents = EmailContent.objects.using(database()).in_bulk([row.pk for row in rows])
    for row in rows:
        if (reason := _too_late(row)) is not None:
            error = PostStackError(0, "It was not sent.")
            broken.given_up += _give_up(row, error, reason, Status.GAVE_UP, sender=type(backend))
            continue
        try:
            payload = cast("SendEmail", payload_of(contents[row.pk]))
            message = message_of(row, payload)
        except (KeyError, ValueError):
            broken += _failed([row], ValueError("The stored content of the e-mail is gone or damaged."), type(backend))
            continue
        try:
            client = without_retries(with_key_for(message, backend.configuration))
            backend.client_for(client)
        except Exception as failure:  # noqa: BLE001  # the project's own function; the other tenants' mail goes on
            broken += _failed([row], PostStackConnectionError(0, _text(failure)), type(backend))
            continue
        made.append(Outgoing(message, payload, row.mailer, client, row=row))
    return made, broken


def _too_late(row: SentEmail) -> str | None:
    """Return why a row is not to be tried any more, `None` while it may be."""
    expires_at = _expires_at(row)
    if expires_at is not None and timezone.now() > expires_at:
        return "it has expired"
    # However long it waited for its first attempt: only an attempt can have used the key.
    return "the horizon has ended" if _age(row) > get_settings().outbox.horizon else None


def _expires_at(row: SentEmail) -> datetime | None:
    """Return the earlier of what the message says and what the settings say."""
    expires = get_settings().outbox.expires
    by_settings = None if expires is None else (row.queued_at or row.created_at) + timedelta(seconds=expires)
    return min((at for at in (row.expires_at, by_settings) if at is not None), default=None)


def _age(row: SentEmail) -> float:
    """Return the seconds since the first attempt: as long as the API must remember the key."""
    return max(0.0, (timezone.now() - (row.first_attempt_at or timezone.now())).total_seconds())


def _as_poststack_error(error: Exception) -> PostStackError | None:
    if isinstance(error, PostStackError):
        return error
    if isinstance(error, ValueError):  # The client found the payload wrong, and will again.
        return None
    return PostStackConnectionError(0, type(error).__name__)


def _text(error: Exception) -> str:
    if isinstance(error, (PostStackError, ValueError)):
        return str(error).replace("\x00", "\ufffd")
    return type(error).__name__


def _limits(row: SentEmail) -> Limits:
    outbox = get_settings().outbox
    expires_at = _expires_at(row)
    # The policy counts from the first attempt.
    expires = None if expires_at is None else _age(row) + (expires_at - timezone.now()).total_seconds()
    return Limits(
        first_delay=outbox.first_delay,
        longest_delay=outbox.longest_delay,
        horizon=outbox.horizon,
        expires=None if expires is None else max(0.0, expires),
        wait_for_quota=outbox.wait_for_quota,
    )
