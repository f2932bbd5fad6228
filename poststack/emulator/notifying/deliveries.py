"""Events on their way to webhooks: what is due, what came of it, when to try again. No I/O.

A shell asks for `due` calls, makes them, and reports each with `record`. Between the two a delivery is in
flight and not handed out again; after a crash it still is due, so an endpoint may see an event twice but
never misses one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poststack.emulator.ids import IdSource
from poststack.emulator.model import Attempt, Delivery, Webhook, iso
from poststack.emulator.notifying.attempts import count_failures, note_attempt
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store
from poststack.events import SIGNATURE_HEADER, sign

__all__ = ["USER_AGENT", "Announcement", "Deliveries", "WebhookCall"]

USER_AGENT = "PostStack-Webhooks (emulator)"


@dataclass(frozen=True)
class WebhookCall:
    """One POST that a shell is to make now: no redirects, an answer within `timeout` seconds."""

    delivery_id: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float


@dataclass(frozen=True)
class Announcement:
    """An event, which may have several names, and the e-mail sent or received that it is about."""

    event_types: Sequence[str]
    data: Mapping[str, Any] = field(repr=False)
    now: float
    email_id: str | None = None
    inbound_id: int | None = None


class Deliveries:
    """The deliveries of one emulator."""

    def __init__(self, store: Store, settings: Settings, ids: IdSource) -> None:
        self._store = store
        self._settings = settings
        self._ids = ids
        self._in_flight: set[int] = set()
        self.observers: list[Callable[[Announcement], None]] = []
        """Who is told of every event besides the webhooks, and before them."""

    def announce(self, event_type: str, data: Mapping[str, Any], now: float, *, email_id: str | None = None) -> None:
        """Start a delivery of this event to every webhook that wants it, with one event id for all."""
        self._tell_observers(Announcement([event_type], data, now, email_id=email_id))
        webhooks = [webhook for webhook in self._store.webhooks.all() if webhook.wants(event_type)]
        self._start(webhooks, event_type, data, now, email_id=email_id)

    def announce_first(
        self,
        event_types: Sequence[str],
        data: Mapping[str, Any],
        now: float,
        *,
        inbound_id: int | None = None,
        webhooks: bool = True,
    ) -> None:
        """Announce an event that has several names: a webhook is told once, by the first of them that it wants.

        With `webhooks` false only the observers are told.
        """
        self._tell_observers(Announcement(event_types, data, now, inbound_id=inbound_id))
        if not webhooks:
            return
        told: set[int] = set()
        for event_type in event_types:
            wanting = [webhook for webhook in self._store.webhooks.all() if webhook.wants(event_type)]
            untold = [webhook for webhook in wanting if webhook.id not in told]
            told.update(webhook.id for webhook in untold)
            self._start(untold, event_type, data, now, inbound_id=inbound_id)

    def test(self, webhook: Webhook, now: float) -> None:
        """Send a sample event to this webhook, whatever it subscribed to."""
        named = [kind for kind in webhook.events if kind != "*"]
        data = {"email_id": "em_" + "0" * 18, "test": True, "message": "A test of this webhook."}
        self._start([webhook], named[0] if named else "email.delivered", data, now)

    def post(self, url: str, event_type: str, data: Mapping[str, Any], now: float) -> None:
        """Start a delivery to this address, which is no webhook and knows no secret: it is not signed."""
        self._start([url], event_type, data, now)

    def replay(self, delivery: Delivery, now: float) -> None:
        """Send a delivery again, same body and same event id, with a fresh round of retries."""
        delivery.failures = 0
        delivery.next_attempt_at = now
        self._store.save(delivery)

    def due(self, now: float) -> list[WebhookCall]:
        """Return the calls to make now and mark them as in flight."""
        calls: list[WebhookCall] = []
        agenda = self._store.delivery_agenda
        while (first := agenda.first()) is not None and first[0] <= now:
            agenda.put(first[1], None)
            delivery = self._store.delivery(first[1])
            if delivery is None or delivery.id in self._in_flight:
                continue
            webhook = self._store.webhooks.get(delivery.webhook_id)
            url = webhook.url if webhook is not None and webhook.active else delivery.url
            if url is None:
                # Nothing is sent to a disabled webhook; once it is enabled again, a replay brings the event.
                delivery.next_attempt_at = None
                self._store.save(delivery)
                continue
            self._in_flight.add(delivery.id)
            calls.append(self._call(delivery, url, webhook, now))
        return calls

    def record(self, delivery_id: int, attempt: Attempt, now: float) -> None:
        """Keep the outcome of a call, and plan the next one if it failed and retries are left."""
        self._in_flight.discard(delivery_id)
        delivery = self._store.delivery(delivery_id)
        if delivery is None:
            return
        note_attempt(delivery, attempt, now, self._settings.retry_delays)
        self._store.save(delivery)
        webhook = self._store.webhooks.get(delivery.webhook_id)
        limit = self._settings.disable_webhook_after
        if webhook is not None and count_failures(webhook, attempt.succeeded, now, limit):
            self._store.webhooks.save(webhook)

    def abandon(self, calls: Sequence[WebhookCall]) -> None:
        """Take back calls that were not made, so that they are due again."""
        for call in calls:
            self._in_flight.discard(call.delivery_id)
            delivery = self._store.delivery(call.delivery_id)
            if delivery is not None:
                self._store.delivery_agenda.put(delivery.id, delivery.next_attempt_at)

    def _tell_observers(self, announcement: Announcement) -> None:
        for observer in self.observers:
            observer(announcement)

    def _start(
        self,
        receivers: Sequence[Webhook | str],
        event_type: str,
        data: Mapping[str, Any],
        now: float,
        *,
        email_id: str | None = None,
        inbound_id: int | None = None,
    ) -> None:
        if not receivers:
            return
        event_id = "evt_" + self._ids(18)
        envelope = {"id": event_id, "type": event_type, "timestamp": iso(now), "data": data}
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
        for receiver in receivers:
            self._store.add_delivery(
                Delivery(
                    id=self._store.next_number("delivery"),
                    webhook_id=receiver.id if isinstance(receiver, Webhook) else 0,
                    event_id=event_id,
                    event_type=event_type,
                    body=body,
                    created_at=now,
                    email_id=email_id,
                    inbound_id=inbound_id,
                    next_attempt_at=now,
                    url=receiver if isinstance(receiver, str) else None,
                )
            )

    def _call(self, delivery: Delivery, url: str, webhook: Webhook | None, now: float) -> WebhookCall:
        body = delivery.body.encode()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if webhook is not None:
            secrets = [webhook.secret]
            if webhook.previous_secret is not None and now < (webhook.previous_secret_expires_at or 0):
                secrets.append(webhook.previous_secret)
            headers[SIGNATURE_HEADER] = sign(body, secrets)
        return WebhookCall(delivery.id, url, headers, body, self._settings.webhook_timeout)
