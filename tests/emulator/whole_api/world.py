"""One emulator with a data file, everything that happens to it, and what must hold whatever happens."""

from __future__ import annotations

import json
import logging
import random
import string
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from poststack import PostStack, PostStackError
from poststack.emulator.api.answers import CODES
from poststack.emulator.core import Emulator, NotPossibleError
from poststack.emulator.model import Email, EventType
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store
from poststack.emulator.tables import Table
from poststack.testing import EmulatorSession
from tests.conforming import checked
from tests.emulator.whole_api import looking
from tests.emulator.whole_api.arguments import FAILING, GROUPS, PASSWORD, PEOPLE, RECEIVING, SHOP, Known
from tests.emulator.whole_api.beginning import begin
from tests.emulator.whole_api.methods import Call
from tests.emulator.whole_api.watching import Log, Secrets, WatchedJournal, WatchedTransport, unlike

__all__ = ["SETTINGS", "World"]

START: Final = 1_800_000_000.0
# Few e-mails are kept, so that they go while broadcasts, workflows and webhooks still speak of them.
SETTINGS: Final = Settings(max_emails=40, broadcast_batch=3, broadcast_interval=1.0, retry_delays=(5.0, 60.0))
REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 413, 422, 501, 503})
# What looks at the DNS remembers what it saw, also where that was not enough.
OBSERVING: Final = frozenset({"domains.activate_dkim_rotation"})
KEY: Final = "sk_test_emulator"
ADDRESS: Final = "https://api.poststack.test"
TABLES: Final = {
    "contact_property": "contact_properties",
    "mailbox": "mailboxes",
    "notification_channel": "channels",
}
KINDS: Final = (*GROUPS.values(), "delivery", "inbound_file")
GONE: Final = 3
# Every so many steps all records are looked at.
EACH: Final = 10


class World:
    """Give it things to do; it raises `AssertionError` when something must not have come of them."""

    def __init__(self) -> None:
        self.secrets: Secrets = Secrets()
        self.known: Known = Known()
        self.reached: set[str] = set()
        self.not_simulated: set[str] = set()
        self.keys: list[str] = [KEY]
        self._folder = tempfile.TemporaryDirectory()
        self._log = Log(self.secrets)
        logging.getLogger("poststack").addHandler(self._log)
        self._random = random.Random(0)
        self._open(START)
        self._steps = 0
        self._written: set[str] = set()
        self._declined: set[tuple[str | None, str]] = set()
        self.settle()

    # What can be done

    def populate(self) -> None:
        """Let there be one of each kind, so that also short stories are about something."""
        begin(self._ask, self.wait, self.known)
        self.receive(PEOPLE[0], attached=True)

    def _ask(self, method: str, *arguments: Any) -> Any:
        answer = self.call(Call(method, arguments))
        assert not isinstance(answer, PostStackError), (method, answer)
        return answer

    def call(self, call: Call, key: str = KEY) -> Any:
        """Make a call, and hold what comes of it to everything that must hold."""
        self.session.clock.advance(0)
        self.settle()
        try:
            answer = call.make(self._client(key))
        except (TypeError, ValueError):
            # The client itself refuses what cannot be meant; nothing was sent.
            answer = None
        self.secrets.check(repr(answer), f"the answer of {call.method}")
        if isinstance(answer, PostStackError):
            self._refused(call, answer)
            if answer.status_code == 501:
                self.not_simulated.add(call.method)
        elif answer is not None:
            self.reached.add(call.method)
            if answer is not None and call.method not in looking.READING:
                self._learn(answer)
            if PASSWORD in repr(call):
                self.secrets.known.add(PASSWORD)
        self.settle()
        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.session.clock.advance(seconds)
        self.settle()

    def simulate(self, number: int, event: EventType) -> None:
        """Let something happen to one of the e-mails."""
        emails = self.session.emulator.store.accepted()
        if emails:
            with suppress(NotPossibleError):
                self.session.simulate(emails[number % len(emails)].id, event)
        self.settle()

    def receive(self, sender: str, *, attached: bool = False, recipient: str = f"support+7@{SHOP}") -> None:
        """Let a mail come in."""
        files: list[Any] = [{"filename": "a.txt", "content": "YQ=="}] if attached else []
        with suppress(ValueError):
            self.session.receive(from_=sender, to=recipient, subject="Re: Hi", text="Yes\n> No?", attachments=files)
        self.settle()

    def set_dns(self, number: int, *, readable: bool, missing: bool) -> None:
        """Change what the DNS of one of the domains has."""
        domains = self.session.emulator.store.domains.all()
        if domains:
            unpublished: Any = ["dkim"] if missing else []
            self.session.set_dns(domains[number % len(domains)].number, unpublished=unpublished, readable=readable)
        self.settle()

    def tidy(self, number: int) -> None:
        """Delete an e-mail, or a received one, as in the inbox."""
        emulator = self.session.emulator
        if number % 2 and (emails := emulator.store.accepted()):
            emulator.delete_email(emails[number % len(emails)].id)
        elif inbound := emulator.store.inbound_emails.all():
            emulator.delete_inbound(inbound[number % len(inbound)].number)
        self.settle()

    def restart(self) -> None:
        """Stop, and go on with what the data file holds: every answer is as before."""
        before, now, kept = self.look(), self.session.clock.time(), self._journal.live()
        self.session.emulator.close()
        self._open(now)
        assert self._journal.live() == kept
        after = self.look()
        assert not (other := [name for name in before if before[name] != after.get(name)]), [
            (name, before[name], after.get(name)) for name in other
        ]

    def look(self) -> Mapping[Call, object]:
        """Read everything there is: lists, pages and single answers agree, what is gone is gone, nothing changes."""
        self.session.clock.advance(0)
        self.settle()
        client = self._client(KEY)
        for kind, gone in self.known.gone.items():
            for number, public in gone[-GONE:]:
                for call in looking.at(kind, number, public):
                    answer = call.make(client)
                    assert isinstance(answer, PostStackError), (call, answer)
                    assert answer.status_code == 404, (call, answer)
        looking.compare_lists(client)
        found = looking.everything(client, self.known)
        for call, answer in found.items():
            self.secrets.check(repr(answer), repr(call))
            self.reached.add(call.method)
        self._compare_kept()
        assert not (changes := self._journal.changes()), changes
        return found

    def end(self) -> None:
        """Let everything come to its end, and look once more."""
        self.wait(100_000)
        self.restart()

    def close(self) -> None:
        """Stop, whatever the state."""
        self.session.emulator.close()
        logging.getLogger("poststack").removeHandler(self._log)
        self._folder.cleanup()

    # What must hold

    def settle(self) -> None:
        """Look at what is kept, after something happened."""
        assert not self._log.failures, self._log.failures
        assert self.session.emulator.store.total <= SETTINGS.max_emails
        self._steps += 1
        if self._steps % EACH == 0:
            self._compare_kept()
        self._look_for_unwanted()
        self._know()
        self._journal.mark()

    def _compare_kept(self) -> None:
        """What is in memory is in the data file: no change was made without being saved."""
        assert not (unsaved := unlike(self._journal.saved, self._journal.live())), unsaved

    def _refused(self, call: Call, error: PostStackError) -> None:
        assert error.status_code in REFUSALS, (call, error)
        assert error.status_code != 503 or call.method.startswith("domains."), call
        assert error.code == CODES[error.status_code], (call, error.code)
        assert error.request_id, call
        assert error.error, call
        changes = self._journal.changes()
        assert not changes or call.method in OBSERVING, (call, error, changes)

    def _look_for_unwanted(self) -> None:
        """Nobody gets a broadcast, or an e-mail of a workflow, who had declined before this and still does."""
        store = self.session.emulator.store
        declined: set[tuple[str | None, str]] = {(None, entry.email.lower()) for entry in store.suppressions.all()}
        declined |= {(None, contact.email.lower()) for contact in store.contacts.all() if contact.unsubscribed}
        for choice in store.topic_choices.all():
            contact = store.contacts.get(choice.contact)
            if contact is not None and not choice.subscribed:
                declined.add((str(choice.topic), contact.email.lower()))
        both = declined & self._declined
        for email, topic in self._addressed():
            assert (None, email.message.to[0].address.lower()) not in both, email.id
            assert (topic, email.message.to[0].address.lower()) not in both, email.id
        self._written.update(email.id for email in store.accepted())
        self._declined = declined

    def _addressed(self) -> Iterator[tuple[Email, str | None]]:
        store = self.session.emulator.store
        by_workflow = {email_id for run in store.workflow_runs.all() for email_id in run.email_ids}
        for email in store.accepted():
            if email.id in self._written:
                continue
            if email.broadcast_recipient is not None:
                broadcast = store.broadcasts.find("id", email.broadcast_id or "")
                yield email, None if broadcast is None else str(broadcast.topic)
            elif email.id in by_workflow:
                yield email, None

    def _learn(self, answer: object) -> None:
        if isinstance(answer, dict):
            content = cast("dict[str, Any]", answer)
            if "signingSecret" in content:
                self.secrets.known.add(content["signingSecret"])
            if "key" in content:
                self.secrets.known.add(content["key"])
                self.keys.append(content["key"])

    def _know(self) -> None:
        store, known = self.session.emulator.store, self.known
        there = {kind: _ids(store, kind) for kind in KINDS}
        for kind, before in known.there.items():
            known.gone.setdefault(kind, []).extend(entry for entry in before if entry not in there[kind])
        known.there = there
        known.properties = {entry.name: entry.type for entry in store.contact_properties.all()}
        known.now = self.session.clock.time()

    # How it is made

    def _client(self, key: str) -> PostStack:
        # Without retries: what is refused is looked at, once.
        return checked(PostStack(key, ADDRESS, max_retries=0, transport=self.session.transport))

    def _open(self, now: float) -> None:
        self._journal = WatchedJournal(str(Path(self._folder.name) / "data"))
        self.session: EmulatorSession = EmulatorSession()
        self.session.emulator = Emulator(SETTINGS, journal=self._journal, ids=self._id)
        transport = WatchedTransport(self.session.emulator, now)
        transport.secrets = self.secrets
        transport.receive(RECEIVING, self._hook)
        transport.receive(FAILING, lambda body, headers: 500)
        self.session.transport, self.session.clock = transport, transport.clock

    def _id(self, length: int) -> str:
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=length))

    def _hook(self, body: bytes, headers: Mapping[str, str]) -> int:
        self.secrets.check(body.decode(), "a webhook call")
        json.loads(body)
        return 200


def _ids(store: Store, kind: str) -> list[tuple[int, str]]:
    """Return the numbers and public ids of all records of a kind; those without a public id have their number."""
    if kind == "email":
        return [(email.number, email.id) for email in store.accepted()]
    if kind == "webhook":
        return [(webhook.id, str(webhook.id)) for webhook in store.webhooks.all()]
    if kind == "delivery":
        webhooks = store.webhooks.all()
        return [(entry.id, str(entry.id)) for webhook in webhooks for entry in store.deliveries_of_webhook(webhook.id)]
    # What is not simulated yet has no table.
    table: Table[Any] | None = getattr(store, TABLES.get(kind, kind + "s"), None)
    records = [] if table is None else table.all()
    return [(record.number, getattr(record, "id", str(record.number))) for record in records]
