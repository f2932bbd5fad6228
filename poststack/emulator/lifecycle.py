"""What happens to an e-mail after acceptance: its planned steps, and events by hand. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from poststack.emulator.fates import SIMULATED, overall_status, plan_for
from poststack.emulator.model import Email, EmailEvent, EventType, Message, Recipient, Suppression
from poststack.emulator.notifying.deliveries import Deliveries
from poststack.emulator.senders import may_send
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store

__all__ = ["Lifecycle", "NotPossibleError"]

_MAX_EVENTS = 1_000
# Only somebody who has the e-mail can do these.
_NEED_DELIVERY: frozenset[EventType] = frozenset({"opened", "clicked", "complained", "unsubscribed"})
_PERSON: Mapping[str, str] = {
    "country": "DK",
    "region": "Capital Region",
    "city": "Copenhagen",
    "client_name": "Apple Mail",
    "client_type": "desktop",
    "os": "macOS",
    "device": "desktop",
}


class NotPossibleError(Exception):
    """The e-mail is not in a state in which this can happen to it."""


class Lifecycle:
    """Moves the e-mails of one emulator along."""

    def __init__(self, store: Store, settings: Settings, deliveries: Deliveries) -> None:
        self._store = store
        self._settings = settings
        self._deliveries = deliveries
        self.observers: list[Callable[[Email, EmailEvent], None]] = []
        """Who is told of every event, after it is kept and before the webhooks are."""

    def accept(
        self,
        message: Message,
        email_id: str,
        now: float,
        *,
        test_mode: bool,
        scheduled_at: float | None,
        idempotency_key: str | None,
        fingerprint: str,
        broadcast_id: str | None = None,
        broadcast_recipient: int | None = None,
        reply_to_inbound: int | None = None,
        forward_of_inbound: int | None = None,
    ) -> Email:
        """Take an e-mail in: it is kept, its fate is planned, and it is announced as queued."""
        email = Email(
            number=self._store.next_number("email"),
            id=email_id,
            message=message,
            created_at=now,
            test_mode=test_mode,
            scheduled_at=scheduled_at,
            recipients=[Recipient(to.address, plan=plan_for(to.address)) for to in message.recipients],
            next_step_at=now + self._settings.delivery_delay / 2 if scheduled_at is None else scheduled_at,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            broadcast_id=broadcast_id,
            broadcast_recipient=broadcast_recipient,
            reply_to_inbound=reply_to_inbound,
            forward_of_inbound=forward_of_inbound,
        )
        self._store.add_email(email)
        self._record(email, "queued", now)
        return email

    def run(self, now: float) -> None:
        """Do every step that is due."""
        agenda = self._store.email_agenda
        while (first := agenda.first()) is not None and first[0] <= now:
            email = self._store.email_by_number(first[1])
            if email is None:
                agenda.put(first[1], None)
            elif email.sent_at is None:
                self._leave(email, now)
            else:
                self._step(email, now)

    def reschedule(self, email: Email, scheduled_at: float) -> None:
        """Move a scheduled e-mail to another time. Raises `NotPossibleError` when it is too late."""
        if not email.scheduled:
            raise NotPossibleError("Only an e-mail that is still scheduled can be rescheduled.")
        email.scheduled_at = scheduled_at
        email.next_step_at = scheduled_at
        self._store.save(email)

    def cancel(self, email: Email, now: float) -> None:
        """Cancel a scheduled e-mail: it is failed, without a webhook.

        Raises `NotPossibleError` when it is too late.
        """
        if not email.scheduled:
            raise NotPossibleError("Only an e-mail that is still scheduled can be cancelled.")
        email.cancelled_at = now
        email.status = "failed"
        email.next_step_at = None
        self._store.save(email)

    def simulate(
        self,
        email: Email,
        event_type: EventType,
        now: float,
        *,
        recipient: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        person: Mapping[str, str] | None = None,
        prefetch: bool = False,
    ) -> None:
        """Let an event happen, at one recipient or at all, in place of what was planned there.

        `person` replaces parts of who opens or clicks: country, region, city, client_name, client_type, os,
        device; `prefetch` says that a machine opened it ahead of any person. Raises `NotPossibleError` for an
        e-mail that has not left yet, an address it does not go to, or a type that cannot be simulated.
        """
        if event_type not in SIMULATED:
            raise NotPossibleError(f"Unknown event. Choose one of: {', '.join(SIMULATED)}.")
        if email.scheduled or (email.sent_at is None and not email.waits):
            raise NotPossibleError("The e-mail did not leave or is still scheduled, so nothing can happen to it.")
        chosen = [entry for entry in email.recipients if recipient in {None, entry.address} or _same(entry, recipient)]
        if not chosen:
            raise NotPossibleError("The e-mail does not go to this recipient.")
        if len(email.events) + 2 * len(chosen) > _MAX_EVENTS:
            raise NotPossibleError(f"An e-mail keeps at most {_MAX_EVENTS} events. Delete it and send another one.")
        if email.sent_at is None:
            self._leave(email, now)
        for entry in chosen:
            if event_type in _NEED_DELIVERY and entry.state == "pending":
                self._record(email, "delivered", now, entry)
            entry.plan = ()
            entry.due_at = None
            self._record(email, event_type, now, entry, metadata=metadata, person=person, prefetch=prefetch)
        self._plan(email)

    def _leave(self, email: Email, now: float) -> None:
        if email.scheduled and not self._look_again(email, now):
            return
        email.sent_at = now
        # A scheduled e-mail waited in `queued`; the rest takes as long as for any other.
        for entry in email.recipients:
            entry.due_at = now + self._settings.delivery_delay / 2 if entry.plan else None
        self._record(email, "sent", now)
        self._plan(email)

    def _look_again(self, email: Email, now: float) -> bool:
        """Drop recipients that were suppressed since acceptance; fail an e-mail that may not leave any more."""
        message, problem = email.message, None
        suppressed = [to.address for to in message.recipients if self._store.suppression(to.address) is not None]
        if not may_send(self._store, self._settings, message.from_):
            problem = "Domain not verified"
        elif len(suppressed) == len(message.recipients):
            problem = "All recipients are suppressed"
        if problem is not None:
            email.next_step_at = None
            for entry in email.recipients:
                entry.plan = ()
                self._record(email, "failed", now, entry, metadata={"reason": problem})
            return False
        if suppressed:
            email.recipients = [entry for entry in email.recipients if entry.address not in suppressed]
            self._store.replace_message(email, message.without(suppressed))
        return True

    def _step(self, email: Email, now: float) -> None:
        for entry in email.recipients:
            if entry.due_at is None or entry.due_at > now:
                continue
            event_type, entry.plan = entry.plan[0], entry.plan[1:]
            delay = self._settings.defer_delay if event_type == "deferred" else self._settings.delivery_delay / 2
            entry.due_at = now + delay if entry.plan else None
            self._record(email, event_type, now, entry)
        self._plan(email)

    def _plan(self, email: Email) -> None:
        email.next_step_at = min((entry.due_at for entry in email.recipients if entry.due_at is not None), default=None)
        self._store.save(email)

    def _record(
        self,
        email: Email,
        event_type: EventType,
        now: float,
        entry: Recipient | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        person: Mapping[str, str] | None = None,
        prefetch: bool = False,
    ) -> None:
        effect = SIMULATED.get(event_type)
        details = {**((effect and effect.details) or {}), **(metadata or {})}
        human = {**_PERSON, **(person or {})} if event_type in {"opened", "clicked"} else {}
        if event_type == "clicked":
            details.setdefault("url", "https://example.com/")
        email.events.append(
            EmailEvent(
                id=self._store.next_number("event"),
                type=event_type,
                at=now,
                recipient=None if entry is None else entry.address,
                metadata=details,
                is_prefetch=prefetch and event_type == "opened",
                **human,
            )
        )
        if entry is not None and effect is not None:
            entry.state = effect.state or entry.state
            if effect.suppress is not None:
                self._suppress(entry.address, effect.suppress, now)
        email.status = overall_status(email.recipients, sent=email.sent_at is not None)
        self._store.save(email)
        for observer in self.observers:
            observer(email, email.events[-1])
        self._deliveries.announce("email." + event_type, _webhook_data(email, email.events[-1]), now, email_id=email.id)

    def _suppress(self, address: str, reason: str, now: float) -> None:
        if self._store.suppression(address) is None:
            number = self._store.next_number("suppression")
            self._store.suppressions.save(Suppression(number, address, reason, now))


def _same(entry: Recipient, recipient: str | None) -> bool:
    return recipient is not None and entry.address.lower() == recipient.lower()


def _webhook_data(email: Email, event: EmailEvent) -> dict[str, Any]:
    # `email_id` is the API's; `to`, `subject`, `tags`, `recipient` and the details are extensions of the
    # emulator.
    message = email.message
    data: dict[str, Any] = {
        "email_id": email.id,
        "to": [to.address for to in message.to],
        "subject": message.subject,
        "tags": list(message.tags),
    }
    if event.recipient is not None:
        data["recipient"] = event.recipient
    # Whatever somebody simulates, it is about this e-mail.
    data.update({name: value for name, value in event.metadata.items() if name not in data})
    if event.client_name is not None:
        data["client"] = {"name": event.client_name, "type": event.client_type, "os": event.os}
        data["location"] = {"country": event.country, "region": event.region, "city": event.city}
    return data
