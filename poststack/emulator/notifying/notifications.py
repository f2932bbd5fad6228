"""Events on their way to chats: which channels hear of what, in which words, and what came of it. No I/O.

Works like `Deliveries`: a shell asks for `due` calls, makes them, and reports each. Only addresses of this machine are
ever called; for any other one it is noted that the delivery was not made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from poststack.emulator.model import Attempt
from poststack.emulator.notifying.attempts import count_failures, note_attempt
from poststack.emulator.notifying.channels import Channel, ChannelDelivery
from poststack.emulator.notifying.deliveries import USER_AGENT, Announcement, WebhookCall
from poststack.emulator.receiving.mailboxes import address_key, mailbox_at
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store

__all__ = ["NOT_MADE", "Notifications"]

NOT_MADE = (
    "Not made: the emulator calls only this machine, never Slack, Discord or Telegram. Give the channel a `webhookUrl` "
    "at localhost to see what would be posted."
)
_TEST_EVENT = "test"
_MAX_DELIVERIES = 10_000
# Forgetting the oldest takes a look at all of them, so that it is done for many at a time.
_FORGOTTEN_AT_ONCE = 500
_MAX_LINE = 300
_LINES = (
    ("From", "from"),
    ("To", "to"),
    ("Recipient", "recipient"),
    ("Subject", "subject"),
    ("Reason", "reason"),
    ("Link", "url"),
    ("Contact", "email"),
    ("Domain", "name"),
    ("Status", "status"),
)


@dataclass(frozen=True)
class _Origin:
    """The numbers of the domain and the mailbox that an event is about."""

    domain: int | None = None
    mailbox: int | None = None


class Notifications:
    """The notifications of one emulator."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._in_flight: set[int] = set()

    def observe(self, announcement: Announcement) -> None:
        """Tell every channel that wants it, once, by the first name of the event that it wants."""
        channels = self._store.channels.all()
        if not channels:
            return
        origin = self._origin(announcement)
        for channel in channels:
            wanted = [name for name in announcement.event_types if channel.wants(name)]
            if wanted and channel.domain in {None, origin.domain} and channel.mailbox in {None, origin.mailbox}:
                self._start(channel, wanted[0], _text(wanted[0], announcement.data), announcement.now)

    def test(self, channel: Channel, now: float) -> ChannelDelivery:
        """Tell a channel a sample event, whatever it wants to hear of. It is tried once."""
        return self._start(channel, _TEST_EVENT, "A test of this channel from PostStack.", now)

    def replay(self, delivery: ChannelDelivery, now: float) -> None:
        """Tell an event again, in the same words, with a fresh round of retries."""
        delivery.failures = 0
        delivery.next_attempt_at = now
        self._store.channel_deliveries.save(delivery)

    def deliveries_to(self, channel: Channel) -> list[ChannelDelivery]:
        """Return what a channel was told or is to be, newest first."""
        return [entry for entry in self._store.channel_deliveries.newest() if entry.channel == channel.number]

    def remove(self, channel: Channel) -> None:
        """Forget a channel with its deliveries."""
        for delivery in self.deliveries_to(channel):
            self._store.channel_deliveries.remove(delivery)
        self._store.channels.remove(channel)

    def due(self, now: float) -> list[WebhookCall]:
        """Return the calls to make now and mark them as in flight."""
        calls: list[WebhookCall] = []
        table = self._store.channel_deliveries
        while (delivery := table.due(now)) is not None:
            table.agenda.put(delivery.number, None)
            if delivery.number in self._in_flight:
                continue
            channel = self._store.channels.get(delivery.channel)
            url = channel.url if channel is not None and channel.active else None
            if url is None:
                # Like a disabled webhook: a replay brings the event once the channel is enabled again.
                delivery.next_attempt_at = None
                table.save(delivery)
                continue
            self._in_flight.add(delivery.number)
            headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
            calls.append(
                WebhookCall(delivery.number, url, headers, delivery.body.encode(), self._settings.webhook_timeout)
            )
        return calls

    def record(self, delivery_id: int, attempt: Attempt, now: float) -> None:
        """Keep the outcome of a call, if it was one to a channel."""
        self._in_flight.discard(delivery_id)
        delivery = self._store.channel_deliveries.get(delivery_id)
        if delivery is None:
            return
        note_attempt(delivery, attempt, now, () if delivery.is_test else self._settings.retry_delays)
        self._store.channel_deliveries.save(delivery)
        channel = self._store.channels.get(delivery.channel)
        if channel is not None:
            channel.last_used_at = now
            count_failures(channel, attempt.succeeded, now, self._settings.disable_webhook_after)
            self._store.channels.save(channel)

    def abandon(self, calls: Sequence[WebhookCall]) -> None:
        """Take back calls that were not made, so that they are due again."""
        for call in calls:
            self._in_flight.discard(call.delivery_id)
            delivery = self._store.channel_deliveries.get(call.delivery_id)
            if delivery is not None:
                self._store.channel_deliveries.agenda.put(delivery.number, delivery.next_attempt_at)

    def _origin(self, announcement: Announcement) -> _Origin:
        address = None
        if announcement.email_id is not None and (email := self._store.email(announcement.email_id)) is not None:
            address = email.message.from_.address
        elif announcement.inbound_id is not None:
            received = self._store.inbound_emails.get(announcement.inbound_id)
            address = None if received is None else received.to_address
        if address is None:
            return _Origin(domain=announcement.data.get("domain_id"))
        domain = self._store.domains.find("name", address_key(address).rpartition("@")[2])
        mailbox = mailbox_at(self._store, address)
        return _Origin(None if domain is None else domain.number, None if mailbox is None else mailbox.number)

    def _start(self, channel: Channel, event_type: str, text: str, now: float) -> ChannelDelivery:
        made = channel.url is not None
        delivery = ChannelDelivery(
            # Of the same numbers as webhook deliveries: who reports a call need not say which it was.
            number=self._store.next_number("delivery"),
            channel=channel.number,
            event_type=event_type,
            body=json.dumps(_post(channel, text), ensure_ascii=False),
            created_at=now,
            is_test=event_type == _TEST_EVENT,
            not_made=None if made else NOT_MADE,
            next_attempt_at=now if made else None,
        )
        table = self._store.channel_deliveries
        table.save(delivery)
        if len(table) > _MAX_DELIVERIES:
            for oldest in table.all()[:_FORGOTTEN_AT_ONCE]:
                table.remove(oldest)
        return delivery


def _post(channel: Channel, text: str) -> dict[str, Any]:
    if channel.type == "discord":
        # Nobody is to be mentioned because of what a stranger wrote into a subject.
        return {"content": text, "allowed_mentions": {"parse": []}}
    if channel.type == "telegram":
        return {"chat_id": channel.config["chatId"], "text": text}
    return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}


def _text(event_type: str, data: Mapping[str, Any]) -> str:
    lines = [event_type]
    for label, name in _LINES:
        value: object = data.get(name)
        shown = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else value
        if isinstance(shown, str) and shown:
            lines.append(f"{label}: {' '.join(shown.split())[:_MAX_LINE]}")
    return "\n".join(lines)
