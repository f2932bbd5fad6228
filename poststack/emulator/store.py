"""Everything one emulator remembers, with the indexes that keep lists quick.

Memory holds the truth; a `Journal` follows every change, so that a restart finds it again. Reading is open to
anybody; only `Emulator` writes, because a change has to be committed and announced as well. What is kept is
bounded: when there are more than `max_emails`, or their contents exceed `max_bytes`, the oldest go, with
their events, deliveries and idempotency keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

from poststack.emulator.account import api_keys, domains
from poststack.emulator.agenda import Agenda
from poststack.emulator.audience import records as audience
from poststack.emulator.audience.properties import CONTACT_PROPERTIES, ContactProperty
from poststack.emulator.audience.signup_forms import SIGNUP_FORMS, SignupForm
from poststack.emulator.codec import email_to_json
from poststack.emulator.model import Delivery, Email, Message, Suppression, Template, Webhook
from poststack.emulator.notifying.channels import CHANNEL_DELIVERIES, CHANNELS, Channel, ChannelDelivery
from poststack.emulator.outreach import broadcasts, workflows
from poststack.emulator.receiving import inbound, mailboxes
from poststack.emulator.search import EVERYTHING, EmailSearch, Page
from poststack.emulator.tables import Kind, Table

__all__ = ["Contents", "Journal", "Store"]

T = TypeVar("T")
R = TypeVar("R")

_WEBHOOKS = Kind("webhook", Webhook, number=lambda webhook: webhook.id)
_SUPPRESSIONS = Kind(
    "suppression", Suppression, number=lambda entry: entry.id, keys={"address": lambda entry: entry.email.lower()}
)
_TEMPLATES = Kind("template", Template, keys={"id": lambda template: template.id})

# Deliveries belong to their e-mail and go with it; those about contacts, domains and received mail, and those of
# `webhooks.test`, belong to none and are bounded here: by one for each row of the largest import.
_MAX_UNBOUND_DELIVERIES = 10_000


@dataclass
class Contents:
    """All records of a journal, each kind in the order of its numbers."""

    emails: list[Email] = field(default_factory=list[Email])
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    records: Mapping[str, list[Any]] = field(default_factory=dict[str, "list[Any]"])


class Journal(Protocol):
    """Where changes go to survive a restart."""

    def load(self, kinds: Iterable[Kind[Any]]) -> Contents:
        """Return what earlier runs left: e-mails, deliveries, and records of these kinds by the name of the kind."""
        ...

    def highest(self) -> dict[str, int]:
        """Return, by kind, the highest number ever given out, so that none is used twice."""
        ...

    def added(self, email: Email) -> None:
        """Keep the message of a new e-mail, which never changes."""
        ...

    def changed(self, kind: str, number: int, content: Callable[[], Mapping[str, Any]]) -> None:
        """Keep the state that a record has at the next commit."""
        ...

    def removed(self, kind: str, number: int) -> None:
        """Forget a record."""
        ...

    def commit(self, highest: Mapping[str, int]) -> None:
        """Make all changes since the last call permanent, together; keep the highest numbers given out."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Store:
    """The e-mails of one emulator with their deliveries, and a table of everything else.

    `revision` grows with every change; a page that shows revision n is up to date while it is still n.
    """

    def __init__(
        self, *, journal: Journal | None = None, max_emails: int = 10_000, max_bytes: int = 512 * 1024 * 1024
    ) -> None:
        self.revision: int = 0
        self.unread: int = 0
        self.bytes: int = 0
        self._journal = journal
        self._max_emails = max_emails
        self._max_bytes = max_bytes
        self._emails: dict[int, Email] = {}
        self._numbers: dict[str, int] = {}
        self._keys: dict[tuple[bool, str], int] = {}
        self._to_address: dict[str, dict[int, None]] = {}
        self._deliveries: dict[int, Delivery] = {}
        self._of_email: dict[str | None, dict[int, Delivery]] = {}
        self._of_webhook: dict[int, dict[int, Delivery]] = {}
        self._highest: dict[str, int] = {}
        self._tables: list[tuple[Kind[Any], Table[Any]]] = []
        self.email_agenda: Agenda = Agenda()
        self.delivery_agenda: Agenda = Agenda()
        self.webhooks: Table[Webhook] = self._table(_WEBHOOKS)
        self.suppressions: Table[Suppression] = self._table(_SUPPRESSIONS)
        self.templates: Table[Template] = self._table(_TEMPLATES)
        self.contacts: Table[audience.Contact] = self._table(audience.CONTACTS)
        self.contact_properties: Table[ContactProperty] = self._table(CONTACT_PROPERTIES)
        self.signup_forms: Table[SignupForm] = self._table(SIGNUP_FORMS)
        self.segments: Table[audience.Segment] = self._table(audience.SEGMENTS)
        self.topics: Table[audience.Topic] = self._table(audience.TOPICS)
        self.topic_choices: Table[audience.TopicChoice] = self._table(audience.TOPIC_CHOICES)
        self.workflows: Table[workflows.Workflow] = self._table(workflows.WORKFLOWS)
        self.workflow_runs: Table[workflows.Run] = self._table(workflows.RUNS)
        self.broadcasts: Table[broadcasts.Broadcast] = self._table(broadcasts.BROADCASTS)
        self.broadcast_recipients: Table[broadcasts.BroadcastRecipient] = self._table(broadcasts.BROADCAST_RECIPIENTS)
        self.domains: Table[domains.Domain] = self._table(domains.DOMAINS)
        self.removed_domains: Table[domains.RemovedDomain] = self._table(domains.REMOVED_DOMAINS)
        self.api_keys: Table[api_keys.ApiKey] = self._table(api_keys.API_KEYS)
        self.inbound_emails: Table[inbound.InboundEmail] = self._table(inbound.INBOUND_EMAILS)
        self.inbound_files: Table[inbound.InboundFile] = self._table(inbound.INBOUND_FILES)
        self.mailboxes: Table[mailboxes.Mailbox] = self._table(mailboxes.MAILBOXES)
        self.mailbox_aliases: Table[mailboxes.Alias] = self._table(mailboxes.ALIASES)
        self.mailbox_shares: Table[mailboxes.Share] = self._table(mailboxes.SHARES)
        self.channels: Table[Channel] = self._table(CHANNELS)
        self.channel_deliveries: Table[ChannelDelivery] = self._table(CHANNEL_DELIVERIES)
        if journal is not None:
            self._restore(journal.load(kind for kind, _ in self._tables))
            self._highest.update(journal.highest())
            self._trim()
            journal.commit(self._highest)

    # E-mails, newest first

    @property
    def total(self) -> int:
        """How many e-mails there are."""
        return len(self._emails)

    def emails(self, search: EmailSearch = EVERYTHING, *, page: int = 1, per_page: int = 20) -> Page[Email]:
        """Return one page of the e-mails that match, newest first."""
        if search == EVERYTHING:
            return self._page(reversed(self._emails.values()), len(self._emails), page, per_page)
        found = [email for email in reversed(self._emails.values()) if search.matches(email)]
        return self._page(found, len(found), page, per_page)

    def latest(self, search: EmailSearch = EVERYTHING) -> Email | None:
        """Return the newest e-mail that matches."""
        return next((email for email in reversed(self._emails.values()) if search.matches(email)), None)

    def accepted(self) -> list[Email]:
        """Return all e-mails in the order in which they were accepted."""
        return list(self._emails.values())

    def email(self, email_id: str) -> Email | None:
        """Return the e-mail with this `em_…` id."""
        number = self._numbers.get(email_id)
        return None if number is None else self._emails[number]

    def email_by_number(self, number: int) -> Email | None:
        """Return the e-mail with this internal number, the one the agenda uses."""
        return self._emails.get(number)

    def email_by_key(self, test_mode: bool, idempotency_key: str) -> Email | None:
        """Return the e-mail that was accepted under this key in this mode."""
        number = self._keys.get((test_mode, idempotency_key))
        return None if number is None else self._emails[number]

    def emails_to(self, address: str) -> list[Email]:
        """Return the e-mails that go to this address, whose case does not matter, oldest first."""
        return [self._emails[number] for number in self._to_address.get(address.lower(), ())]

    def add_email(self, email: Email) -> None:
        """Keep a new e-mail, and drop the oldest ones when that is too many."""
        self._index_email(email)
        if self._journal is not None:
            self._journal.added(email)
        self.save(email)
        self._trim()

    def replace_message(self, email: Email, message: Message) -> None:
        """Keep an e-mail with another message of the same size, such as one without some of its recipients."""
        for address in _addresses(email):
            self._to_address[address].pop(email.number)
            if not self._to_address[address]:
                del self._to_address[address]
        email.message = message
        for address in _addresses(email):
            self._to_address.setdefault(address, {})[email.number] = None
        if self._journal is not None:
            self._journal.added(email)
        self.save(email)

    def remove_email(self, email: Email) -> None:
        """Forget an e-mail with everything that belongs to it."""
        for delivery in self.deliveries_of_email(email.id):
            self.remove_delivery(delivery)
        self._of_email.pop(email.id, None)
        del self._emails[email.number], self._numbers[email.id]
        if email.idempotency_key is not None:
            self._keys.pop((email.test_mode, email.idempotency_key), None)
        for address in _addresses(email):
            del self._to_address[address][email.number]
            if not self._to_address[address]:
                del self._to_address[address]
        self.unread -= email.unread
        self.bytes -= email.message.size
        self.email_agenda.put(email.number, None)
        self.removed("email", email.number)

    # Webhook deliveries, newest first

    def delivery(self, delivery_id: int) -> Delivery | None:
        """Return the delivery with this id."""
        return self._deliveries.get(delivery_id)

    def deliveries_of_email(self, email_id: str | None) -> list[Delivery]:
        """Return the deliveries of the events of one e-mail, with `None` those of no e-mail sent, newest first."""
        return list(reversed(self._of_email.get(email_id, {}).values()))

    def deliveries_of_inbound(self, number: int) -> list[Delivery]:
        """Return the deliveries of the arrival of one received mail, newest first."""
        return [delivery for delivery in self.deliveries_of_email(None) if delivery.inbound_id == number]

    def deliveries_of_webhook(self, webhook_id: int) -> list[Delivery]:
        """Return the deliveries to one webhook, newest first."""
        return list(reversed(self._of_webhook.get(webhook_id, {}).values()))

    def add_delivery(self, delivery: Delivery) -> None:
        """Keep a new delivery."""
        self._index_delivery(delivery)
        self.save(delivery)
        unbound = self._of_email.get(None, {})
        while len(unbound) > _MAX_UNBOUND_DELIVERIES:
            self.remove_delivery(next(iter(unbound.values())))

    def remove_delivery(self, delivery: Delivery) -> None:
        """Forget a delivery; if it is still due, it is not tried again."""
        del self._deliveries[delivery.id]
        self._of_email[delivery.email_id].pop(delivery.id)
        self._of_webhook[delivery.webhook_id].pop(delivery.id)
        self.delivery_agenda.put(delivery.id, None)
        self.removed("delivery", delivery.id)

    def remove_webhook(self, webhook: Webhook) -> None:
        """Forget a webhook with its deliveries."""
        for delivery in self.deliveries_of_webhook(webhook.id):
            self.remove_delivery(delivery)
        self._of_webhook.pop(webhook.id, None)
        self.webhooks.remove(webhook)

    def suppression(self, address: str) -> Suppression | None:
        """Return the suppression of this address, whose case does not matter."""
        return self.suppressions.find("address", address.lower())

    # All kinds

    def next_number(self, kind: str) -> int:
        """Return a number that no record of this kind ever had."""
        self._highest[kind] = self._highest.get(kind, 0) + 1
        return self._highest[kind]

    def save(self, record: Email | Delivery) -> None:
        """Keep the present state of an e-mail or a delivery."""
        if isinstance(record, Email):
            self.email_agenda.put(record.number, record.next_step_at)
            self.changed("email", record.number, lambda: email_to_json(record))
        else:
            self.delivery_agenda.put(record.id, record.next_attempt_at)
            self.changed("delivery", record.id, lambda: asdict(record))

    def set_unread(self, email: Email, unread: bool) -> None:
        """Mark an e-mail as unread or read."""
        if email.unread != unread:
            email.unread = unread
            self.unread += 1 if unread else -1
            self.save(email)

    def next_due(self) -> float | None:
        """Return when something is to happen next to any record."""
        agendas = [self.email_agenda, self.delivery_agenda, *(table.agenda for _, table in self._tables)]
        return min((first[0] for agenda in agendas if (first := agenda.first()) is not None), default=None)

    def clear(self) -> None:
        """Forget everything; numbers are not used again."""
        for email in self.accepted():
            self.remove_email(email)
        for webhook in self.webhooks.all():
            self.remove_webhook(webhook)
        for delivery in list(self._deliveries.values()):
            self.remove_delivery(delivery)
        for _, table in self._tables:
            table.clear()

    def commit(self) -> None:
        """Make the changes since the last call permanent, together."""
        if self._journal is not None:
            self._journal.commit(self._highest)

    def close(self) -> None:
        """Commit and close the journal."""
        self.commit()
        if self._journal is not None:
            self._journal.close()

    def changed(self, kind: str, number: int, content: Callable[[], Mapping[str, Any]]) -> None:
        """Note that a record is new or another now; `content` is its JSON when it is asked for."""
        self.revision += 1
        if self._journal is not None:
            self._journal.changed(kind, number, content)

    def removed(self, kind: str, number: int) -> None:
        """Note that a record is gone."""
        self.revision += 1
        if self._journal is not None:
            self._journal.removed(kind, number)

    def _table(self, kind: Kind[R]) -> Table[R]:
        table = Table(kind, self)
        self._tables.append((kind, table))
        return table

    def _trim(self) -> None:
        while len(self._emails) > self._max_emails or (self.bytes > self._max_bytes and len(self._emails) > 1):
            self.remove_email(next(iter(self._emails.values())))

    def _index_email(self, email: Email) -> None:
        self._emails[email.number] = email
        self._numbers[email.id] = email.number
        if email.idempotency_key is not None:
            self._keys[email.test_mode, email.idempotency_key] = email.number
        for address in _addresses(email):
            self._to_address.setdefault(address, {})[email.number] = None
        self.unread += email.unread
        self.bytes += email.message.size
        self.email_agenda.put(email.number, email.next_step_at)

    def _index_delivery(self, delivery: Delivery) -> None:
        self._deliveries[delivery.id] = delivery
        self._of_email.setdefault(delivery.email_id, {})[delivery.id] = delivery
        self._of_webhook.setdefault(delivery.webhook_id, {})[delivery.id] = delivery
        self.delivery_agenda.put(delivery.id, delivery.next_attempt_at)

    def _restore(self, contents: Contents) -> None:
        for email in contents.emails:
            self._index_email(email)
        for delivery in contents.deliveries:
            self._index_delivery(delivery)
        for kind, table in self._tables:
            table.restore(contents.records[kind.name])

    @staticmethod
    def _page(items: Iterable[T] | Iterator[T], total: int, page: int, per_page: int) -> Page[T]:
        start = (page - 1) * per_page
        chosen: Sequence[T] = list(islice(items, start, start + per_page)) if start < total else []
        return Page(chosen, page, per_page, total)


def _addresses(email: Email) -> set[str]:
    return {recipient.address.lower() for recipient in email.message.recipients}
