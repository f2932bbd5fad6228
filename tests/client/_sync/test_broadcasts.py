# Written by tools/unasync.py from tests/client/_async/test_broadcasts.py. Do not edit.
"""Broadcasts: drafts, and their way to the people of a segment."""

from __future__ import annotations

import pytest

from poststack import PostStack
from poststack.testing import EmulatorSession, Settings, emulator
from tests.client._sync.readers import PEOPLE, draft_for, recipients, segment_of, status

pytestmark = pytest.mark.anyio


def test_everybody_in_the_segment_gets_the_broadcast(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client, *PEOPLE))

    assert (client.broadcasts.send(broadcast))["success"]
    assert status(client, broadcast) == "sending"
    emu.clock.advance(1)

    sent = (client.broadcasts.get(broadcast))["broadcast"]
    assert recipients(emu) == list(PEOPLE)
    assert (sent["status"], sent["totalRecipients"], sent["deliveredCount"]) == ("sent", 3, 3)
    assert sent.get("sentAt") is not None
    assert {email.broadcast_id for email in emu.sent} == {broadcast}
    listed = (client.emails.list())["data"][0]
    assert (listed["unsubscribeEnabled"], listed["fromName"]) == (True, "Shop")


def test_people_outside_the_segment_get_nothing(client: PostStack, emu: EmulatorSession) -> None:
    segment = segment_of(client, "ada@example.com")
    client.contacts.create({"email": "eve@example.com"})
    client.broadcasts.send(draft_for(client, segment))
    emu.clock.advance(1)

    assert recipients(emu) == ["ada@example.com"]


def test_who_does_not_want_it_is_left_out(client: PostStack, emu: EmulatorSession) -> None:
    segment = segment_of(client, *PEOPLE, "dora@example.com")
    ada, bob = [(client.contacts.get_by_email(address))["contact"]["publicId"] for address in PEOPLE[:2]]
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    client.contacts.unsubscribe(ada)
    client.subscription_topics.unsubscribe(bob, topic)
    client.suppressions.add({"email": "CLEO@example.com", "reason": "manual"})
    broadcast = draft_for(client, segment)
    client.broadcasts.update(broadcast, {"topic_id": topic})
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert recipients(emu) == ["dora@example.com"]
    assert (client.broadcasts.get(broadcast))["broadcast"]["totalRecipients"] == 1


def test_a_topic_that_was_chosen_again_counts_for_nothing_else(client: PostStack, emu: EmulatorSession) -> None:
    segment = segment_of(client, "ada@example.com")
    ada = (client.contacts.get_by_email("ada@example.com"))["contact"]["publicId"]
    news, offers = [
        (client.subscription_topics.create({"name": name}))["topic"]["publicId"] for name in ("News", "Offers")
    ]
    client.subscription_topics.unsubscribe(ada, news)
    client.subscription_topics.subscribe(ada, news)
    client.subscription_topics.unsubscribe(ada, offers)
    broadcast = draft_for(client, segment)
    client.broadcasts.update(broadcast, {"topic_id": news})
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert recipients(emu) == ["ada@example.com"]


def test_placeholders_say_who_it_goes_to(client: PostStack, emu: EmulatorSession) -> None:
    client.contact_properties.create({"name": "city", "label": "City", "type": "text"})
    contact = client.contacts.create(
        {"email": "ada@example.com", "first_name": "Ada <1>", "properties": {"city": "Köge\n& Co", "vip": True}}
    )
    segment = (client.segments.create({"name": "Readers"}))["segment"]["publicId"]
    client.segments.add_contacts(segment, {"contact_ids": [contact["contact"]["publicId"]]})
    created = client.broadcasts.create(
        {
            "segment_id": segment,
            "from": "a@example.com",
            "subject": "{{ first_name }}, news from {{city}}",
            "html": "<p>{{first_name}} {{last_name}} {{properties.city}}</p>",
            "text": "{{email}} {{vip}} {{nothing}}.",
        }
    )
    client.broadcasts.send(created["broadcast"]["publicId"])
    emu.clock.advance(1)

    (email,) = emu.sent
    assert email.subject == "Ada <1>, news from Köge & Co"
    assert email.html == "<p>Ada &lt;1&gt;  Köge\n&amp; Co</p>"
    assert email.text == "ada@example.com true ."


def test_a_large_broadcast_leaves_in_batches(client: PostStack) -> None:
    settings = Settings(broadcast_batch=2, broadcast_interval=10)
    with emulator(settings) as emu:
        client = emu.client()
        broadcast = draft_for(client, segment_of(client, *PEOPLE))
        client.broadcasts.send(broadcast)
        seen: list[tuple[str, int]] = []
        for _ in range(3):
            seen.append((status(client, broadcast), len(emu.sent)))
            emu.clock.advance(10)

    assert seen == [("sending", 0), ("sending", 2), ("sent", 3)]


def test_a_scheduled_broadcast_waits_for_its_time(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    updated = client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    client.broadcasts.send(broadcast)
    emu.clock.advance(3_599)

    assert updated["broadcast"].get("scheduledAt") == "2026-01-01T01:00:00.000Z"
    assert (status(client, broadcast), emu.sent) == ("queued", [])
    emu.clock.advance(2)
    assert (status(client, broadcast), recipients(emu)) == ("sent", ["ada@example.com"])


def test_a_draft_is_never_sent_by_itself(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    emu.clock.advance(7_200)

    assert (status(client, broadcast), emu.sent) == ("draft", [])
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    assert recipients(emu) == ["ada@example.com"]


def test_who_joins_before_it_begins_gets_it_and_who_leaves_does_not(client: PostStack, emu: EmulatorSession) -> None:
    segment = segment_of(client)
    broadcast = draft_for(client, segment)
    client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    client.broadcasts.send(broadcast)
    contact = (client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    client.segments.add_contacts(segment, {"contact_ids": [contact]})
    emu.clock.advance(3_601)

    assert recipients(emu) == ["ada@example.com"]


def test_a_scheduled_broadcast_whose_segment_is_empty_goes_to_nobody(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client))
    client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    client.broadcasts.send(broadcast)
    emu.clock.advance(3_601)

    sent = (client.broadcasts.get(broadcast))["broadcast"]
    assert (sent["status"], sent["totalRecipients"], emu.sent) == ("sent", 0, [])


def test_who_opts_out_while_it_is_sent_is_left_out() -> None:
    with emulator(Settings(broadcast_batch=1, broadcast_interval=10)) as emu:
        client = emu.client()
        broadcast = draft_for(client, segment_of(client, *PEOPLE, "dora@example.com"))
        client.broadcasts.send(broadcast)
        emu.clock.advance(10)
        for address in ("bob@example.com", "cleo@example.com"):
            found = (client.contacts.get_by_email(address))["contact"]["publicId"]
            (client.contacts.unsubscribe if address[0] == "b" else client.contacts.delete)(found)
        emu.clock.advance(100)

        sent = (client.broadcasts.get(broadcast))["broadcast"]
        assert recipients(emu) == ["ada@example.com", "dora@example.com"]
        assert (sent["status"], sent["totalRecipients"]) == ("sent", 2)


def test_a_queued_broadcast_can_be_cancelled(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    client.broadcasts.send(broadcast)

    assert (client.broadcasts.cancel(broadcast))["success"]
    emu.clock.advance(7_200)
    assert (status(client, broadcast), emu.sent) == ("cancelled", [])


def test_what_has_left_before_a_cancellation_stays_sent() -> None:
    with emulator(Settings(broadcast_batch=1, broadcast_interval=10)) as emu:
        client = emu.client()
        broadcast = draft_for(client, segment_of(client, *PEOPLE))
        client.broadcasts.send(broadcast)
        emu.clock.advance(10)
        client.broadcasts.cancel(broadcast)
        emu.clock.advance(100)

        cancelled = (client.broadcasts.get(broadcast))["broadcast"]
        assert recipients(emu) == ["ada@example.com"]
        assert (cancelled["status"], cancelled["totalRecipients"], cancelled["deliveredCount"]) == ("cancelled", 1, 1)
