# Written by tools/unasync.py from tests/client/_async/test_contact_engagement.py. Do not edit.
"""What e-mails say about the contacts they went to, and what webhooks say about contacts."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack
from poststack.events import parse_event
from poststack.testing import EmulatorSession
from poststack.types.contacts import Contact, Engagement

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


def emailed(client: PostStack, emu: EmulatorSession, address: str = "ada@example.com") -> str:
    sent = client.emails.send({"from": "a@example.com", "to": [address], "subject": "Hi", "text": "x"})
    emu.clock.advance(1)
    return sent["id"]


def contact_of(client: PostStack, email: str = "ada@example.com") -> Contact:
    return (client.contacts.get_by_email(email))["contact"]


def heard(emu: EmulatorSession, *events: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a list that fills with the type and the data of each event a webhook gets."""
    found: list[tuple[str, dict[str, Any]]] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        event = parse_event(body)
        found.append((event.type, dict(event.data)))
        return 204

    emu.on_webhook(receive, events=events)
    return found


@pytest.mark.parametrize("event", ["opened", "clicked"])
def test_who_opens_or_clicks_is_engaged(client: PostStack, emu: EmulatorSession, event: Any) -> None:
    created = (client.contacts.create({"email": "ADA@example.com"}))["contact"]
    email = emailed(client, emu)
    emu.clock.advance(60)
    emu.simulate(email, event)

    contact = contact_of(client)

    assert contact["lastEngagedAt"] is not None
    assert contact["lastEngagedAt"] > created["createdAt"]
    assert contact["updatedAt"] == created["updatedAt"]


def test_machines_that_fetch_images_and_deliveries_engage_nobody(client: PostStack, emu: EmulatorSession) -> None:
    client.contacts.create({"email": "ada@example.com"})
    email = emailed(client, emu)
    emu.simulate(email, "opened", prefetch=True)

    assert (client.emails.get_events(email))["events"][-1]["isPrefetch"]
    assert (contact_of(client))["lastEngagedAt"] is None


def test_only_the_recipient_who_opened_is_engaged(client: PostStack, emu: EmulatorSession) -> None:
    for address in ("ada@example.com", "grace@example.com"):
        client.contacts.create({"email": address})
    sent = client.emails.send(
        {"from": "a@example.com", "to": ["ada@example.com", "grace@example.com"], "subject": "Hi", "text": "x"}
    )
    emu.clock.advance(1)
    emu.simulate(sent["id"], "opened", recipient="grace@example.com")

    assert (contact_of(client, "ada@example.com"))["lastEngagedAt"] is None
    assert (contact_of(client, "grace@example.com"))["lastEngagedAt"] is not None


@pytest.mark.parametrize(
    ("days", "expected"), [(0, "active"), (30, "active"), (30.01, "at_risk"), (90, "at_risk"), (90.01, "dormant")]
)
@pytest.mark.parametrize("opens", [False, True])
def test_engagement_fades(client: PostStack, emu: EmulatorSession, days: float, expected: Any, opens: bool) -> None:
    client.contacts.create({"email": "ada@example.com"})
    if opens:
        emu.clock.advance(200 * DAY)
        emu.simulate(emailed(client, emu), "opened")
    emu.clock.advance(days * DAY)
    groups: list[Engagement] = ["active", "at_risk", "dormant"]

    listed = {group: (client.contacts.list({"engagement_segment": group}))["meta"]["total"] for group in groups}

    assert (contact_of(client))["engagementSegment"] == expected
    assert listed == {group: int(group == expected) for group in groups}


def test_who_unsubscribes_from_an_email_is_an_unsubscribed_contact(client: PostStack, emu: EmulatorSession) -> None:
    client.contacts.create({"email": "ada@example.com"})
    emu.simulate(emailed(client, emu), "unsubscribed")

    contact = contact_of(client)

    assert contact["unsubscribed"]
    assert contact["updatedAt"] > contact["createdAt"]


def test_webhooks_hear_of_new_contacts(client: PostStack, emu: EmulatorSession) -> None:
    found = heard(emu, "contact.created")

    contact = (client.contacts.create({"email": "ada@example.com", "first_name": "Ada", "properties": {"size": 42}}))[
        "contact"
    ]
    client.contacts.import_({"contacts": [{"email": "grace@example.com"}, {"email": "ada@example.com"}]})
    emu.clock.advance(1)

    assert [data["email"] for _, data in found] == ["ada@example.com", "grace@example.com"]
    assert found[0][1] == {
        "contact_id": contact["publicId"],
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": None,
        "unsubscribed": False,
        "properties": {"size": 42},
    }


def test_webhooks_hear_of_changes_and_subscriptions(client: PostStack, emu: EmulatorSession) -> None:
    contact = (client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    found = heard(emu, "contact.updated", "contact.subscribed")

    client.contacts.update(contact, {})
    client.contacts.unsubscribe(contact)
    client.contacts.unsubscribe(contact)
    client.contacts.update(contact, {"unsubscribed": False})
    client.subscription_topics.subscribe(contact, topic)
    client.subscription_topics.subscribe(contact, topic)
    client.subscription_topics.unsubscribe(contact, topic)
    emu.clock.advance(1)

    assert [(kind, data["unsubscribed"], data.get("topic_id")) for kind, data in found] == [
        ("contact.updated", True, None),
        ("contact.updated", False, None),
        ("contact.subscribed", False, None),
        ("contact.subscribed", False, topic),
    ]
