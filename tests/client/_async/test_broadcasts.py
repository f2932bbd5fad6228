"""Broadcasts: drafts, and their way to the people of a segment."""

from __future__ import annotations

import pytest

from poststack import AsyncPostStack
from poststack.testing import EmulatorSession, Settings, emulator
from tests.client._async.readers import PEOPLE, draft_for, recipients, segment_of, status

pytestmark = pytest.mark.anyio


async def test_everybody_in_the_segment_gets_the_broadcast(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await draft_for(client, await segment_of(client, *PEOPLE))

    assert (await client.broadcasts.send(broadcast))["success"]
    assert await status(client, broadcast) == "sending"
    emu.clock.advance(1)

    sent = (await client.broadcasts.get(broadcast))["broadcast"]
    assert recipients(emu) == list(PEOPLE)
    assert (sent["status"], sent["totalRecipients"], sent["deliveredCount"]) == ("sent", 3, 3)
    assert sent.get("sentAt") is not None
    assert {email.broadcast_id for email in emu.sent} == {broadcast}
    listed = (await client.emails.list())["data"][0]
    assert (listed["unsubscribeEnabled"], listed["fromName"]) == (True, "Shop")


async def test_people_outside_the_segment_get_nothing(client: AsyncPostStack, emu: EmulatorSession) -> None:
    segment = await segment_of(client, "ada@example.com")
    await client.contacts.create({"email": "eve@example.com"})
    await client.broadcasts.send(await draft_for(client, segment))
    emu.clock.advance(1)

    assert recipients(emu) == ["ada@example.com"]


async def test_who_does_not_want_it_is_left_out(client: AsyncPostStack, emu: EmulatorSession) -> None:
    segment = await segment_of(client, *PEOPLE, "dora@example.com")
    ada, bob = [(await client.contacts.get_by_email(address))["contact"]["publicId"] for address in PEOPLE[:2]]
    topic = (await client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    await client.contacts.unsubscribe(ada)
    await client.subscription_topics.unsubscribe(bob, topic)
    await client.suppressions.add({"email": "CLEO@example.com", "reason": "manual"})
    broadcast = await draft_for(client, segment)
    await client.broadcasts.update(broadcast, {"topic_id": topic})
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert recipients(emu) == ["dora@example.com"]
    assert (await client.broadcasts.get(broadcast))["broadcast"]["totalRecipients"] == 1


async def test_a_topic_that_was_chosen_again_counts_for_nothing_else(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    segment = await segment_of(client, "ada@example.com")
    ada = (await client.contacts.get_by_email("ada@example.com"))["contact"]["publicId"]
    news, offers = [
        (await client.subscription_topics.create({"name": name}))["topic"]["publicId"] for name in ("News", "Offers")
    ]
    await client.subscription_topics.unsubscribe(ada, news)
    await client.subscription_topics.subscribe(ada, news)
    await client.subscription_topics.unsubscribe(ada, offers)
    broadcast = await draft_for(client, segment)
    await client.broadcasts.update(broadcast, {"topic_id": news})
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert recipients(emu) == ["ada@example.com"]


async def test_placeholders_say_who_it_goes_to(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await client.contact_properties.create({"name": "city", "label": "City", "type": "text"})
    contact = await client.contacts.create(
        {"email": "ada@example.com", "first_name": "Ada <1>", "properties": {"city": "Köge\n& Co", "vip": True}}
    )
    segment = (await client.segments.create({"name": "Readers"}))["segment"]["publicId"]
    await client.segments.add_contacts(segment, {"contact_ids": [contact["contact"]["publicId"]]})
    created = await client.broadcasts.create(
        {
            "segment_id": segment,
            "from": "a@example.com",
            "subject": "{{ first_name }}, news from {{city}}",
            "html": "<p>{{first_name}} {{last_name}} {{properties.city}}</p>",
            "text": "{{email}} {{vip}} {{nothing}}.",
        }
    )
    await client.broadcasts.send(created["broadcast"]["publicId"])
    emu.clock.advance(1)

    (email,) = emu.sent
    assert email.subject == "Ada <1>, news from Köge & Co"
    assert email.html == "<p>Ada &lt;1&gt;  Köge\n&amp; Co</p>"
    assert email.text == "ada@example.com true ."


async def test_a_large_broadcast_leaves_in_batches(client: AsyncPostStack) -> None:
    settings = Settings(broadcast_batch=2, broadcast_interval=10)
    with emulator(settings) as emu:
        client = emu.async_client()
        broadcast = await draft_for(client, await segment_of(client, *PEOPLE))
        await client.broadcasts.send(broadcast)
        seen: list[tuple[str, int]] = []
        for _ in range(3):
            seen.append((await status(client, broadcast), len(emu.sent)))
            emu.clock.advance(10)

    assert seen == [("sending", 0), ("sending", 2), ("sent", 3)]


async def test_a_scheduled_broadcast_waits_for_its_time(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await draft_for(client, await segment_of(client, "ada@example.com"))
    updated = await client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    await client.broadcasts.send(broadcast)
    emu.clock.advance(3_599)

    assert updated["broadcast"].get("scheduledAt") == "2026-01-01T01:00:00.000Z"
    assert (await status(client, broadcast), emu.sent) == ("queued", [])
    emu.clock.advance(2)
    assert (await status(client, broadcast), recipients(emu)) == ("sent", ["ada@example.com"])


async def test_a_draft_is_never_sent_by_itself(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await draft_for(client, await segment_of(client, "ada@example.com"))
    await client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    emu.clock.advance(7_200)

    assert (await status(client, broadcast), emu.sent) == ("draft", [])
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    assert recipients(emu) == ["ada@example.com"]


async def test_who_joins_before_it_begins_gets_it_and_who_leaves_does_not(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    segment = await segment_of(client)
    broadcast = await draft_for(client, segment)
    await client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    await client.broadcasts.send(broadcast)
    contact = (await client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    await client.segments.add_contacts(segment, {"contact_ids": [contact]})
    emu.clock.advance(3_601)

    assert recipients(emu) == ["ada@example.com"]


async def test_a_scheduled_broadcast_whose_segment_is_empty_goes_to_nobody(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    broadcast = await draft_for(client, await segment_of(client))
    await client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    await client.broadcasts.send(broadcast)
    emu.clock.advance(3_601)

    sent = (await client.broadcasts.get(broadcast))["broadcast"]
    assert (sent["status"], sent["totalRecipients"], emu.sent) == ("sent", 0, [])


async def test_who_opts_out_while_it_is_sent_is_left_out() -> None:
    with emulator(Settings(broadcast_batch=1, broadcast_interval=10)) as emu:
        client = emu.async_client()
        broadcast = await draft_for(client, await segment_of(client, *PEOPLE, "dora@example.com"))
        await client.broadcasts.send(broadcast)
        emu.clock.advance(10)
        for address in ("bob@example.com", "cleo@example.com"):
            found = (await client.contacts.get_by_email(address))["contact"]["publicId"]
            await (client.contacts.unsubscribe if address[0] == "b" else client.contacts.delete)(found)
        emu.clock.advance(100)

        sent = (await client.broadcasts.get(broadcast))["broadcast"]
        assert recipients(emu) == ["ada@example.com", "dora@example.com"]
        assert (sent["status"], sent["totalRecipients"]) == ("sent", 2)


async def test_a_queued_broadcast_can_be_cancelled(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await draft_for(client, await segment_of(client, "ada@example.com"))
    await client.broadcasts.update(broadcast, {"scheduled_at": "2026-01-01T01:00:00Z"})
    await client.broadcasts.send(broadcast)

    assert (await client.broadcasts.cancel(broadcast))["success"]
    emu.clock.advance(7_200)
    assert (await status(client, broadcast), emu.sent) == ("cancelled", [])


async def test_what_has_left_before_a_cancellation_stays_sent() -> None:
    with emulator(Settings(broadcast_batch=1, broadcast_interval=10)) as emu:
        client = emu.async_client()
        broadcast = await draft_for(client, await segment_of(client, *PEOPLE))
        await client.broadcasts.send(broadcast)
        emu.clock.advance(10)
        await client.broadcasts.cancel(broadcast)
        emu.clock.advance(100)

        cancelled = (await client.broadcasts.get(broadcast))["broadcast"]
        assert recipients(emu) == ["ada@example.com"]
        assert (cancelled["status"], cancelled["totalRecipients"], cancelled["deliveredCount"]) == ("cancelled", 1, 1)
