"""The contacts of one emulator: every change of one, what follows from it, and who hears of it. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from poststack.emulator.audience import membership
from poststack.emulator.audience.records import Contact, Topic, TopicChoice
from poststack.emulator.ids import IdSource
from poststack.emulator.model import Email, EmailEvent
from poststack.emulator.notifying.deliveries import Deliveries
from poststack.emulator.store import Store

__all__ = ["MAX_CHOICES", "MAX_CONTACTS", "ContactEvent", "Contacts", "contact_data"]

MAX_CONTACTS = 50_000
MAX_CHOICES = 200_000

ContactEvent = Literal["created", "updated", "subscribed"]


class Contacts:
    """Adds, changes and removes contacts. Whether a value is allowed is judged before it comes here."""

    def __init__(self, store: Store, deliveries: Deliveries, ids: IdSource) -> None:
        self._store = store
        self._deliveries = deliveries
        self._ids = ids
        self.observers: list[Callable[[Contact, ContactEvent, float], None]] = []
        """Who is told of every event, after the change is kept and before the webhooks are."""

    @property
    def full(self) -> bool:
        """Whether there is no room for another contact."""
        return len(self._store.contacts) >= MAX_CONTACTS

    def find(self, address: str) -> Contact | None:
        """Return the contact with this address, whose case does not matter."""
        return self._store.contacts.find("email", address.lower())

    def add(
        self,
        address: str,
        now: float,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        unsubscribed: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> Contact:
        """Keep a new contact and announce it. There must be none with this address."""
        contact = Contact(
            number=self._store.next_number("contact"),
            id="con_" + self._ids(18),
            email=address,
            created_at=now,
            updated_at=now,
            first_name=first_name,
            last_name=last_name,
            unsubscribed=unsubscribed,
            properties=dict(properties or {}),
        )
        self._store.contacts.save(contact)
        self._announce(contact, "created", now)
        return contact

    def change(self, contact: Contact, now: float, changes: Mapping[str, Any]) -> None:
        """Set fields of a contact and announce it; nothing happens when it has these values already."""
        before = {name: getattr(contact, name) for name in changes}
        if before == changes:
            return
        for name, value in changes.items():
            setattr(contact, name, value)
        contact.updated_at = now
        self._store.contacts.save(contact)
        self._announce(contact, "updated", now)
        if before.get("unsubscribed") and not contact.unsubscribed:
            self._announce(contact, "subscribed", now)

    def remove(self, contact: Contact, now: float) -> None:
        """Forget a contact with its choices, and take it out of all segments."""
        membership.forget(self._store, contact, now)
        for topic in self._store.topics.all():
            if (choice := self.choice(contact, topic)) is not None:
                self._store.topic_choices.remove(choice)
        self._store.contacts.remove(contact)

    def remove_property(self, name: str) -> None:
        """Take the values of a property away from all contacts, of which none counts as updated."""
        for contact in self._store.contacts.all():
            if name in contact.properties:
                contact.properties = {key: value for key, value in contact.properties.items() if key != name}
                self._store.contacts.save(contact)

    def choice(self, contact: Contact, topic: Topic) -> TopicChoice | None:
        """Return what a contact said about a topic; `None` when it said nothing, and so is subscribed."""
        return self._store.topic_choices.find("pair", f"{topic.number}/{contact.number}")

    def choose(self, contact: Contact, topic: Topic, subscribed: bool, now: float) -> TopicChoice:
        """Note that a contact wants a topic, or does not, and return the choice."""
        choice = self.choice(contact, topic)
        if choice is not None and choice.subscribed == subscribed:
            return choice
        if choice is None:
            number = self._store.next_number("topic_choice")
            choice = TopicChoice(number, topic.number, contact.number, subscribed, now)
        choice.subscribed, choice.updated_at = subscribed, now
        self._store.topic_choices.save(choice)
        if subscribed:
            self._announce(contact, "subscribed", now, topic_id=topic.id)
        return choice

    def remove_topic(self, topic: Topic) -> None:
        """Forget a topic and what was said about it."""
        for choice in self._store.topic_choices.all():
            if choice.topic == topic.number:
                self._store.topic_choices.remove(choice)
        self._store.topics.remove(topic)

    def observe(self, email: Email, event: EmailEvent) -> None:
        """Let the contact that an e-mail went to be known to have opened, clicked, or unsubscribed."""
        contact = None if event.recipient is None else self.find(event.recipient)
        if contact is None:
            return
        if event.type == "unsubscribed":
            self.change(contact, event.at, {"unsubscribed": True})
        # Machines that fetch images ahead of people say nothing about the person.
        elif event.type in {"opened", "clicked"} and not event.is_prefetch:
            contact.opened += event.type == "opened"
            contact.clicked += event.type == "clicked"
            contact.last_engaged_at = event.at
            self._store.contacts.save(contact)

    def _announce(self, contact: Contact, event: ContactEvent, now: float, **details: str) -> None:
        for observer in self.observers:
            observer(contact, event, now)
        self._deliveries.announce("contact." + event, {**contact_data(contact), **details}, now)


def contact_data(contact: Contact) -> dict[str, Any]:
    """Return what the receivers of events are told of a contact."""
    return {
        "contact_id": contact.id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "unsubscribed": contact.unsubscribed,
        "properties": dict(contact.properties),
    }
