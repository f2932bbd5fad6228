"""Broadcasts on their way: to whom, in which variant, batch by batch; and what came of them. No I/O, no clock.

Nobody gets a broadcast twice: who it goes to is written down when sending begins, everybody has one turn, and a turn
is committed together with its e-mail. Who must not get it any more when it is their turn is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from poststack.emulator.api.answers import RefusalError
from poststack.emulator.api.call import Caller
from poststack.emulator.api.compose import compose
from poststack.emulator.audience import membership
from poststack.emulator.audience.placeholders import personal
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.outreach.broadcasts import AbTest, Broadcast, BroadcastRecipient, Content, Counts, Variant

if TYPE_CHECKING:
    from poststack.emulator.audience.records import Contact
    from poststack.emulator.backend import Backend
    from poststack.emulator.model import Email, EmailEvent, Message

__all__ = ["Broadcasting"]

_logger = logging.getLogger("poststack.emulator")

_MAX_RECIPIENTS = 200_000
_WAIT_FOR_ROOM = 60.0
_COUNTED = frozenset({"delivered", "opened", "clicked", "bounced"})
# Nobody gets this e-mail: it is composed to see whether one like it would be refused.
_NOBODY = "nobody@example.com"
# Whose key sent it was looked at then.
_ITSELF = Caller()


class Broadcasting:
    """Moves the broadcasts of one emulator along."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._store = backend.store

    def run(self, now: float) -> None:
        """Do what is due, until as many e-mails as make up a batch have left: the rest still is due afterwards."""
        left = self._backend.settings.broadcast_batch
        while left > 0 and (broadcast := self._store.broadcasts.due(now)) is not None:
            left -= self._step(broadcast, left, now)
            self._store.broadcasts.save(broadcast)

    def audience(self, broadcast: Broadcast, now: float) -> list[Contact]:
        """Return whom it would go to now, in the order of the segment. Raises a 422 when the segment was deleted."""
        segment = self._store.segments.get(broadcast.segment)
        if segment is None:
            raise RefusalError(422, "The segment was deleted. Update `segment_id`.")
        return [contact for contact in membership.members(self._store, segment, now) if self.wanted(broadcast, contact)]

    def wanted(self, broadcast: Broadcast, contact: Contact) -> bool:
        """Return whether a contact may get a broadcast now."""
        if contact.unsubscribed or self._store.suppression(contact.email) is not None:
            return False
        choice = self._store.topic_choices.find("pair", f"{broadcast.topic}/{contact.number}")
        return choice is None or choice.subscribed

    def check(self, broadcast: Broadcast, caller: Caller) -> None:
        """Raise the refusal with which each of its e-mails would be answered, or a 422 for a topic that is gone."""
        if broadcast.topic is not None and self._store.topics.get(broadcast.topic) is None:
            raise RefusalError(422, "The topic was deleted. Update `topic_id`, so that nobody gets what they declined.")
        for variant in broadcast.test.variants if broadcast.test is not None else (None,):
            content = broadcast.content(variant)
            if content.html is None and content.text is None:
                raise RefusalError(422, "`html` or `text` is required before a broadcast can be sent.")
            self.compose(broadcast, content, _NOBODY, caller)

    def compose(self, broadcast: Broadcast, content: Content, address: str, caller: Caller) -> Message:
        """Return the e-mail to one address. Raises the refusal the API would answer with."""
        payload: dict[str, Any] = {
            "from": broadcast.sender,
            "to": [address],
            "reply_to": broadcast.reply_to,
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "unsubscribe": True,
            # Broadcasts go to many; a mailbox signs what it sends to somebody.
            "signature": "none",
        }
        given = {name: value for name, value in payload.items() if value is not None}
        return compose(self._backend, given, caller)

    def send(self, broadcast: Broadcast, now: float, *, test_mode: bool) -> None:
        """Queue a draft, which begins at its time. Raises `NotPossibleError` when it is none."""
        if broadcast.status != "draft":
            raise NotPossibleError(f"Only a draft can be sent; this broadcast is {broadcast.status}.")
        broadcast.status = "queued"
        broadcast.test_mode = test_mode
        broadcast.next_step_at = max(now, broadcast.scheduled_at or now)
        self._store.broadcasts.save(broadcast)

    def cancel(self, broadcast: Broadcast) -> None:
        """Stop a broadcast: what has not left stays. Raises `NotPossibleError` when there is nothing to stop."""
        if broadcast.status not in {"queued", "sending"}:
            raise NotPossibleError(
                f"Only a broadcast that is queued or being sent can be cancelled; this one is {broadcast.status}."
            )
        self._cancel(broadcast)
        self._store.broadcasts.save(broadcast)

    def end_test(self, broadcast: Broadcast, now: float) -> None:
        """Let the variant that leads win now. Raises `NotPossibleError` when no test is under way."""
        if broadcast.status != "sending" or broadcast.test is None or not broadcast.testing:
            raise NotPossibleError("No A/B test of this broadcast is under way.")
        broadcast.test.winner = _leading(broadcast.test).number
        broadcast.next_step_at = now
        self._store.broadcasts.save(broadcast)

    def recipients(self, broadcast: Broadcast, start: int = 0, stop: int | None = None) -> list[BroadcastRecipient]:
        """Return those it was to go to when sending began, in the order of their turns; or a part of them."""
        end = broadcast.planned if stop is None else stop
        numbers = range(broadcast.first + start, broadcast.first + end)
        found = map(self._store.broadcast_recipients.get, numbers)
        return [recipient for recipient in found if recipient is not None]

    def observe(self, email: Email, event: EmailEvent) -> None:
        """Count what happened to an e-mail of a broadcast, once for each recipient; prefetched opens do not count."""
        if email.broadcast_recipient is None or event.type not in _COUNTED or event.is_prefetch:
            return
        recipient = self._store.broadcast_recipients.get(email.broadcast_recipient)
        broadcast = None if recipient is None else self._store.broadcasts.get(recipient.broadcast)
        if recipient is None or broadcast is None or getattr(recipient, event.type):
            return
        setattr(recipient, event.type, True)
        self._store.broadcast_recipients.save(recipient)
        for counts in _counts(broadcast, recipient):
            setattr(counts, event.type, getattr(counts, event.type) + 1)
        self._store.broadcasts.save(broadcast)

    def _step(self, broadcast: Broadcast, most: int, now: float) -> int:
        try:
            self.check(broadcast, _ITSELF)
            if broadcast.status == "queued":
                self._begin(broadcast, now)
                return 0
        except RefusalError as refusal:
            _logger.warning("Broadcast %s was cancelled: %s", broadcast.id, refusal.error)
            self._cancel(broadcast)
            return 0
        test = broadcast.test
        if test is not None and broadcast.testing and broadcast.handled >= broadcast.sample:
            test.winner = _leading(test).number
        return self._batch(broadcast, most, now)

    def _begin(self, broadcast: Broadcast, now: float) -> None:
        contacts = self.audience(broadcast, now)
        if not self._make_room(len(contacts)):
            broadcast.next_step_at = now + _WAIT_FOR_ROOM
            return
        broadcast.status = "sending"
        broadcast.planned = broadcast.counts.recipients = len(contacts)
        test = broadcast.test
        broadcast.sample = 0 if test is None else -(-len(contacts) * test.sample_size // 100)
        turns = _turns(() if test is None else test.variants)
        for position, contact in enumerate(contacts):
            number = self._store.next_number("broadcast_recipient")
            broadcast.first = broadcast.first or number
            variant = next(turns).number if position < broadcast.sample else None
            self._store.broadcast_recipients.save(
                BroadcastRecipient(number, broadcast.number, contact.number, variant=variant)
            )
        broadcast.next_step_at = now + self._backend.settings.broadcast_interval

    def _batch(self, broadcast: Broadcast, most: int, now: float) -> int:
        end = broadcast.sample if broadcast.testing else broadcast.planned
        turns = min(most, end - broadcast.handled)
        for recipient in self.recipients(broadcast, broadcast.handled, broadcast.handled + turns):
            self._mail(broadcast, recipient, now)
        broadcast.handled += turns
        if broadcast.handled < end:
            broadcast.next_step_at = now + self._backend.settings.broadcast_interval
        elif broadcast.test is not None and broadcast.testing:
            broadcast.next_step_at = now + broadcast.test.minutes * 60
        else:
            broadcast.status = "sent"
            broadcast.sent_at = now
            broadcast.next_step_at = None
        return turns

    def _mail(self, broadcast: Broadcast, recipient: BroadcastRecipient, now: float) -> None:
        test = broadcast.test
        recipient.variant = recipient.variant if test is None or test.winner is None else test.winner
        variant = None if test is None else test.variant(recipient.variant)
        contact = self._store.contacts.get(recipient.contact)
        message = None
        if contact is not None and self.wanted(broadcast, contact):
            try:
                message = self.compose(broadcast, personal(broadcast.content(variant), contact), contact.email, _ITSELF)
            except RefusalError as refusal:
                _logger.warning("Broadcast %s left somebody out: %s", broadcast.id, refusal.error)
        if message is None:
            recipient.left_out = True
            broadcast.counts.recipients -= 1
        else:
            email = self._backend.lifecycle.accept(
                message,
                "em_" + self._backend.ids(18),
                now,
                test_mode=broadcast.test_mode,
                scheduled_at=None,
                idempotency_key=None,
                fingerprint="",
                broadcast_id=broadcast.id,
                broadcast_recipient=recipient.number,
            )
            recipient.email_id = email.id
            if variant is not None:
                variant.counts.recipients += 1
        self._store.broadcast_recipients.save(recipient)

    def _cancel(self, broadcast: Broadcast) -> None:
        broadcast.status = "cancelled"
        broadcast.next_step_at = None
        broadcast.counts.recipients -= broadcast.planned - broadcast.handled

    def _make_room(self, wanted: int) -> bool:
        for broadcast in self._store.broadcasts.all():
            if len(self._store.broadcast_recipients) + wanted <= _MAX_RECIPIENTS:
                break
            if broadcast.status in {"sent", "cancelled"} and broadcast.planned:
                for recipient in self.recipients(broadcast):
                    self._store.broadcast_recipients.remove(recipient)
                self._store.broadcasts.remove(broadcast)
        return len(self._store.broadcast_recipients) + wanted <= _MAX_RECIPIENTS or not self._store.broadcast_recipients


def _counts(broadcast: Broadcast, recipient: BroadcastRecipient) -> Iterator[Counts]:
    yield broadcast.counts
    variant = None if broadcast.test is None else broadcast.test.variant(recipient.variant)
    if variant is not None:
        yield variant.counts


def _leading(test: AbTest) -> Variant:
    """Return the variant with the highest share of clicks, of those the one with that of opens, of those the first."""

    def success(variant: Variant) -> tuple[float, float]:
        counts = variant.counts
        return counts.rate(counts.clicked), counts.rate(counts.opened)

    return max(test.variants, key=success)


def _turns(variants: Sequence[Variant]) -> Iterator[Variant]:
    """Yield variants in turn, without end, so that after any number of turns the shares are as near as can be."""
    waiting = dict.fromkeys(range(len(variants)), 0)
    while True:
        for index, variant in enumerate(variants):
            waiting[index] += variant.weight
        first = max(waiting, key=lambda index: waiting[index])
        waiting[first] -= 100
        yield variants[first]
