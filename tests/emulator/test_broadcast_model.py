"""In whatever order things happen: nobody gets a broadcast twice, nobody who opted out gets it, the figures fit."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from poststack.emulator.ids import counted_ids
from poststack.emulator.journal import SqliteJournal
from poststack.emulator.model import Email, iso
from poststack.emulator.settings import Settings
from tests.emulator.app import App

SETTINGS = Settings(broadcast_batch=2, broadcast_interval=1, delivery_delay=0.5)
PEOPLE = tuple(f"p{number}@example.com" for number in range(6))
MAGIC = ("bounce@example.com", "defer@example.com")
AB_TEST = {
    "variants": [{"name": name, "subject": name, "weight": 50} for name in ("A", "B")],
    "test_sample_size": 50,
    "test_duration_minutes": 30,
}
FOLLOWING = {
    "draft": {"draft"},
    "queued": {"queued", "sending", "sent"},
    "sending": {"sending", "sent"},
    "sent": {"sent"},
    "cancelled": {"cancelled"},
}
COUNTED = {"delivered": "deliveredCount", "opened": "openedCount", "clicked": "clickedCount", "bounced": "bouncedCount"}


@dataclass
class Known:
    """What the test knows of a broadcast. `sure` are those that must have it when it is sent."""

    members: frozenset[str]
    with_topic: bool
    status: str = "draft"
    sure: set[str] = field(default_factory=set[str])
    seen: set[str] = field(default_factory=set[str])


class Broadcasts(RuleBasedStateMachine):
    broadcasts: Bundle[str] = Bundle("broadcasts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.names = itertools.count()
        self.file = self.folder / "first"
        self.ids = counted_ids()
        self.app = App(SETTINGS, SqliteJournal(self.file), self.ids)
        self.known: dict[str, Known] = {}
        self.unsubscribed: set[str] = set()
        self.suppressed: set[str] = set()
        self.off_topic: set[str] = set()

    def ask(self, method: str, path: str, content: object = None, *, status: int = 200) -> dict[str, object]:
        reply = self.app.call(method, path, content)
        assert reply.status == status, reply.json
        answer: dict[str, object] = reply.json
        return answer

    @initialize()
    def begin(self) -> None:
        self.contacts: dict[str, str] = {}
        for address in (*PEOPLE, *MAGIC):
            reply = self.app.post("/contacts", {"email": address})
            self.contacts[address] = reply.json["contact"]["publicId"]
        self.topic = self.app.post("/subscription-topics", {"name": "News"}).json["topic"]["publicId"]
        self.segments: list[tuple[str, frozenset[str]]] = []
        for members in (self.contacts.keys(), self.contacts.keys() - set(PEOPLE[:3])):
            segment = self.app.post("/segments", {"name": "s"}).json["segment"]["publicId"]
            ids = [self.contacts[address] for address in self.contacts if address in members]
            self.ask("POST", f"/segments/{segment}/contacts", {"contact_ids": ids})
            self.segments.append((segment, frozenset(members)))
        # So that also short stories have somebody of each kind.
        self.unsubscribe(PEOPLE[3], True)
        self.suppress(PEOPLE[4], True)
        self.choose_topic(PEOPLE[5], True)

    @rule(target=broadcasts, number=st.integers(0, 1), with_topic=st.booleans(), tested=st.booleans())
    def create(self, number: int, with_topic: bool, tested: bool) -> str:
        segment, members = self.segments[number]
        content: dict[str, object] = {
            "segment_id": segment, "from": "a@example.com", "subject": "x", "text": "{{email}}",
            "topic_id": self.topic if with_topic else None, "ab_test": AB_TEST if tested else None,
        }  # fmt: skip
        broadcast: str = self.app.post("/broadcasts", content).json["broadcast"]["publicId"]
        self.known[broadcast] = Known(members, with_topic)
        return broadcast

    @rule(target=broadcasts, number=st.integers(0, 1), with_topic=st.booleans(), tested=st.booleans())
    def launch(self, number: int, with_topic: bool, tested: bool) -> str:
        broadcast = cast("str", self.create(number, with_topic, tested))
        self.send(broadcast)
        self.wait(5)
        return broadcast

    @rule(broadcast=broadcasts, delay=st.none() | st.integers(0, 5))
    def update(self, broadcast: str, delay: int | None) -> None:
        draft = self.known[broadcast].status == "draft"
        scheduled = None if delay is None else iso(self.app.now + delay)
        self.ask("PATCH", f"/broadcasts/{broadcast}", {"scheduled_at": scheduled}, status=200 if draft else 409)

    @rule(broadcast=broadcasts)
    def send(self, broadcast: str) -> None:
        known = self.known[broadcast]
        willing = {address for address in known.members if self.wants(known, address)}
        reply = self.app.post(f"/broadcasts/{broadcast}/send")
        if known.status != "draft":
            assert reply.status == 409
        elif reply.status == 200:
            known.status = "queued"
            known.sure = willing - set(MAGIC)
        else:
            # Only these two can have been suppressed without this test knowing.
            assert (reply.status, willing - set(MAGIC)) == (422, set())

    @rule(broadcast=broadcasts)
    def cancel(self, broadcast: str) -> None:
        known = self.known[broadcast]
        possible = known.status in {"queued", "sending"}
        self.ask("POST", f"/broadcasts/{broadcast}/cancel", status=200 if possible else 409)
        known.status = "cancelled" if possible else known.status

    @rule(broadcast=broadcasts)
    def end_test(self, broadcast: str) -> None:
        assert self.app.post(f"/broadcasts/{broadcast}/end-ab-test").status in {200, 409, 422}

    @rule(broadcast=broadcasts)
    def test_send(self, broadcast: str) -> None:
        self.ask("POST", f"/broadcasts/{broadcast}/test", {"email": "tester@example.com"})

    @rule(broadcast=broadcasts, target=broadcasts)
    def resend(self, broadcast: str) -> str:
        known = self.known[broadcast]
        reply = self.app.post(f"/broadcasts/{broadcast}/resend", {"target": "non_clickers"})
        if reply.status != 201:
            assert reply.status == (422 if known.status == "sent" else 409)
            return cast("str", multiple())
        segment: Any = self.ask("GET", f"/segments/{reply.json['segment']['id']}/members?per_page=100")
        members: frozenset[str] = frozenset(entry["email"] for entry in segment["data"])
        assert members <= self.delivered(broadcast)
        again: str = reply.json["broadcast"]["id"]
        self.known[again] = Known(members, known.with_topic)
        return again

    @rule(address=st.sampled_from(PEOPLE), unsubscribed=st.booleans())
    def unsubscribe(self, address: str, unsubscribed: bool) -> None:
        self.ask("PATCH", f"/contacts/{self.contacts[address]}", {"unsubscribed": unsubscribed})
        self.opted(address, self.unsubscribed, out=unsubscribed)

    @rule(address=st.sampled_from(PEOPLE), out=st.booleans())
    def suppress(self, address: str, out: bool) -> None:
        if out:
            self.ask("POST", "/suppressions", {"email": address, "reason": "manual"})
        else:
            self.app.call("DELETE", f"/suppressions/{address}")
        self.opted(address, self.suppressed, out=out)

    @rule(address=st.sampled_from(PEOPLE), out=st.booleans())
    def choose_topic(self, address: str, out: bool) -> None:
        path = f"/subscription-topics/contacts/{self.contacts[address]}/subscriptions"
        if out:
            self.ask("DELETE", f"{path}/{self.topic}")
        else:
            self.app.post(path, {"topic_id": self.topic})
        self.opted(address, self.off_topic, out=out)

    @rule(number=st.integers(0, 30), event=st.sampled_from(["opened", "clicked", "bounced"]), times=st.integers(1, 2))
    def simulate(self, number: int, event: str, times: int) -> None:
        emails = [email for found in self.by_broadcast().values() for email in found]
        if emails:
            email = emails[number % len(emails)]
            for _ in range(times):
                self.ask("POST", f"/_emulator/emails/{email.id}/simulate", {"event": event})
            if event == "bounced":
                self.opted(email.message.to[0].address, self.suppressed, out=True)

    @rule(seconds=st.sampled_from([0, 1, 2, 5, 1_900]))
    def wait(self, seconds: float) -> None:
        self.app.wait(seconds)

    @rule()
    def restart(self) -> None:
        self.app.emulator.close()
        self.reopen(self.file)

    @rule()
    def die(self) -> None:
        """Go on with what the file holds at this moment, as after a power cut."""
        copy = self.folder / f"copy{next(self.names)}"
        for ending in ("", "-wal"):
            if (source := Path(f"{self.file}{ending}")).exists():
                shutil.copy(source, f"{copy}{ending}")
        self.app.emulator.close()
        self.reopen(copy)

    @invariant()
    def nobody_gets_what_they_must_not(self) -> None:
        for broadcast, emails in self.by_broadcast().items():
            known = self.known[broadcast]
            addresses = [email.message.to[0].address for email in emails]
            assert len(addresses) == len(set(addresses))
            new = set(addresses) - known.seen
            assert new <= known.members
            assert all(self.wants(known, address) for address in new)
            known.seen |= new

    @invariant()
    def figures_are_what_happened(self) -> None:
        # Asking lets happen what is due: first all of it, so that nothing changes while this looks.
        self.app.wait(0)
        grouped = self.by_broadcast()
        for broadcast, known in self.known.items():
            emails = grouped.get(broadcast, [])
            shown = self.app.get(f"/broadcasts/{broadcast}").json["broadcast"]
            for event, count in COUNTED.items():
                assert shown[count] == sum(any(entry.type == event for entry in email.events) for email in emails)
            assert shown["status"] in FOLLOWING[known.status]
            known.status = shown["status"]
            if known.status in {"sent", "cancelled"}:
                assert shown["totalRecipients"] == len(emails)
            if known.status == "sent":
                assert known.sure <= {email.message.to[0].address for email in emails}
            assert known.status not in {"draft", "queued"} or not emails

    def teardown(self) -> None:
        if self.known:
            self.app.wait(4_000)
            self.nobody_gets_what_they_must_not()
            self.figures_are_what_happened()
            assert {known.status for known in self.known.values()} <= {"draft", "sent", "cancelled"}
        self.app.emulator.close()
        shutil.rmtree(self.folder)

    def wants(self, known: Known, address: str) -> bool:
        return address not in self.unsubscribed | self.suppressed and not (
            known.with_topic and address in self.off_topic
        )

    def opted(self, address: str, where: set[str], *, out: bool) -> None:
        if not out:
            where.discard(address)
            return
        where.add(address)
        for known in self.known.values():
            if known.status in {"queued", "sending"}:
                known.sure.discard(address)

    def by_broadcast(self) -> dict[str, list[Email]]:
        grouped: dict[str, list[Email]] = {}
        for email in self.app.emulator.store.accepted():
            if email.broadcast_id is not None and email.broadcast_recipient is not None:
                grouped.setdefault(email.broadcast_id, []).append(email)
        return grouped

    def delivered(self, broadcast: str) -> set[str]:
        emails = self.by_broadcast()[broadcast]
        return {
            email.message.to[0].address for email in emails if any(entry.type == "delivered" for entry in email.events)
        }

    def reopen(self, file: Path) -> None:
        now = self.app.now
        self.file = file
        self.app = App(SETTINGS, SqliteJournal(file), self.ids)
        self.app.now = now


TestBroadcasts = Broadcasts.TestCase
TestBroadcasts.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
