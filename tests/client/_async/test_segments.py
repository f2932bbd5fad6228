"""Segments: filled by hand or by rules, counted, paged, and what their growth was."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession

if TYPE_CHECKING:
    from poststack.types import SegmentCondition, SegmentRules

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


async def contact(client: AsyncPostStack, name: str = "ada") -> str:
    created = await client.contacts.create({"email": f"{name}@example.com", "first_name": name.title()})
    return created["contact"]["publicId"]


async def segment(client: AsyncPostStack, rules: SegmentRules | None = None) -> str:
    created = await client.segments.create({"name": "Customers", "rules": rules})
    return created["segment"]["publicId"]


def rules(*conditions: SegmentCondition) -> SegmentRules:
    return {"operator": "and", "conditions": list(conditions)}


NAMED_A: SegmentCondition = {"field": "firstName", "comparator": "starts_with", "value": "a"}


async def names(client: AsyncPostStack, segment_id: str) -> list[str]:
    return [member["email"].partition("@")[0] async for member in client.segments.iterate_members(segment_id)]


async def test_a_segment_is_filled_by_hand(client: AsyncPostStack) -> None:
    ada, bob, eve = [await contact(client, name) for name in ("ada", "bob", "eve")]
    created = (await client.segments.create({"name": "Customers"}))["segment"]

    added = await client.segments.add_contacts(created["publicId"], {"contact_ids": [eve, ada, ada, "con_none"]})
    again = await client.segments.add_contacts(created["publicId"], {"contact_ids": [ada, bob]})
    in_vain = await client.segments.add_contacts(created["publicId"], {"contact_ids": [bob]})
    await client.segments.remove_contact(created["publicId"], ada)

    assert (created["name"], created["rules"], created["contactCount"]) == ("Customers", None, 0)
    assert (added["added"], again["added"], in_vain["added"]) == (2, 1, 0)
    assert await names(client, created["publicId"]) == ["eve", "bob"]


async def test_a_segment_with_rules_fills_itself(client: AsyncPostStack) -> None:
    found = await segment(client, rules(NAMED_A))
    before = await names(client, found)
    for name in ("ada", "bob", "anne"):
        await contact(client, name)

    shown = (await client.segments.get(found))["segment"]

    assert before == []
    assert shown["contactCount"] == 2
    assert [member["email"] for member in shown.get("contacts", [])] == ["ada@example.com", "anne@example.com"]
    assert shown["rules"] == rules(NAMED_A)


async def test_segments_are_listed_changed_and_removed(client: AsyncPostStack, emu: EmulatorSession) -> None:
    first, second = await segment(client), await segment(client, rules(NAMED_A))
    emu.clock.advance(60)

    changed = await client.segments.update(first, {"name": "Friends"})
    listed = (await client.segments.list())["segments"]
    await client.segments.delete(second)

    assert changed["segment"]["name"] == "Friends"
    assert changed["segment"]["updatedAt"] > changed["segment"]["createdAt"]
    assert [entry["publicId"] for entry in listed] == [second, first]
    assert [entry["publicId"] for entry in (await client.segments.list())["segments"]] == [first]


async def test_a_removed_segment_leaves_its_contacts(client: AsyncPostStack) -> None:
    ada, found = await contact(client), await segment(client)
    await client.segments.add_contacts(found, {"contact_ids": [ada]})

    await client.segments.delete(found)

    assert (await client.contacts.get(ada))["contact"]["publicId"] == ada
    with pytest.raises(PostStackError) as caught:
        await client.segments.get(found)
    assert caught.value.status_code == 404


async def test_a_deleted_contact_is_in_no_segment(client: AsyncPostStack) -> None:
    ada, bob, found = await contact(client), await contact(client, "bob"), await segment(client)
    await client.segments.add_contacts(found, {"contact_ids": [ada, bob]})

    await client.contacts.delete(ada)

    assert await names(client, found) == ["bob"]
    assert (await client.segments.growth(found))["daily"][-1]["members"] == 1


async def test_contacts_are_listed_by_segment(client: AsyncPostStack) -> None:
    await contact(client, "ada")
    await contact(client, "bob")
    found = await segment(client, rules(NAMED_A))

    listed = await client.contacts.list({"segment_id": found})

    assert [entry["email"] for entry in listed["data"]] == ["ada@example.com"]


async def test_rules_and_hands_do_not_choose_together(client: AsyncPostStack) -> None:
    ada, found = await contact(client), await segment(client, rules(NAMED_A))

    for change in (
        lambda: client.segments.add_contacts(found, {"contact_ids": [ada]}),
        lambda: client.segments.remove_contact(found, ada),
    ):
        with pytest.raises(PostStackError, match="rules to null") as caught:
            await change()
        assert caught.value.status_code == 409


async def test_rules_leave_what_was_chosen_by_hand_for_later(client: AsyncPostStack) -> None:
    bob, eve = await contact(client, "bob"), await contact(client, "eve")
    found = await segment(client)
    await contact(client, "ada")
    await client.segments.add_contacts(found, {"contact_ids": [bob, eve]})

    with_rules = await client.segments.update(found, {"rules": rules(NAMED_A)})
    renamed = await client.segments.update(found, {"name": "Other"})
    chosen = await names(client, found)
    await client.contacts.delete(eve)
    by_hand = await client.segments.update(found, {"rules": None})

    assert with_rules["segment"]["rules"] == renamed["segment"]["rules"] == rules(NAMED_A)
    assert chosen == ["ada"]
    assert by_hand["segment"]["rules"] is None
    assert await names(client, found) == ["bob"]


async def test_members_come_fifty_a_page(client: AsyncPostStack) -> None:
    for number in range(120):
        await contact(client, f"c{number}")
    found = await segment(client, rules({"field": "email", "comparator": "contains", "value": "EXAMPLE"}))

    first = await client.segments.members(found)
    widest = await client.segments.members(found, {"page": 2, "per_page": 500})
    beyond = await client.segments.members(found, {"page": 9})

    assert (len(first["data"]), first["meta"]["total"], first["meta"]["totalPages"]) == (50, 120, 3)
    assert (len(widest["data"]), widest["meta"]["perPage"]) == (20, 100)
    assert beyond["data"] == []
    assert len((await client.segments.get(found))["segment"].get("contacts", [])) == 100
    assert len(await names(client, found)) == 120


async def test_a_preview_counts_and_keeps_nothing(client: AsyncPostStack) -> None:
    for name in ("ada", "bob", "anne"):
        await contact(client, name)

    preview = await client.segments.preview_rules({"rules": rules(NAMED_A)})

    assert preview["count"] == 2
    assert (await client.segments.list())["segments"] == []


async def test_opens_and_clicks_within_the_window_count(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await contact(client, "ada")
    await contact(client, "bob")
    sent = [
        (await client.emails.send({"from": "s@example.com", "to": [to], "subject": "Hi", "text": "x"}))["id"]
        for to in ("Ada@Example.com", "ada@example.com", "bob@example.com")
    ]
    for email_id in (sent[0], sent[0], sent[1], sent[2]):
        emu.simulate(email_id, "opened")
    emu.clock.advance(10 * DAY)
    emu.simulate(sent[2], "opened")
    emu.simulate(sent[2], "clicked")

    async def matching(condition: SegmentCondition) -> int:
        return (await client.segments.preview_rules({"rules": rules(condition)}))["count"]

    twice: SegmentCondition = {"field": "emailsOpened", "comparator": "equals", "value": "2"}
    assert await matching(twice) == 1
    assert await matching({**twice, "windowDays": 9}) == 0
    assert await matching({**twice, "value": "1", "windowDays": 9}) == 1
    assert await matching({"field": "emailsClicked", "comparator": "greater_than", "value": "0"}) == 1
    emu.clock.advance(30 * DAY)
    assert await matching(twice) == 0


async def test_engagement_and_time_move_contacts_between_segments(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await contact(client)
    new = await segment(client, rules({"field": "createdAt", "comparator": "in_last_days", "value": "7"}))
    dormant = await segment(client, rules({"field": "engagementSegment", "comparator": "equals", "value": "dormant"}))
    at_first = (await names(client, new), await names(client, dormant))

    emu.clock.advance(365 * DAY)

    assert at_first == (["ada"], [])
    assert (await names(client, new), await names(client, dormant)) == ([], ["ada"])


async def test_properties_are_compared_by_their_type(client: AsyncPostStack) -> None:
    await client.contact_properties.create({"name": "orders", "label": "Orders", "type": "number"})
    await client.contact_properties.create({"name": "born", "label": "Birthday", "type": "date"})
    await client.contacts.create({"email": "a@example.com", "properties": {"orders": 9, "born": "1999-12-31"}})
    await client.contacts.create({"email": "b@example.com", "properties": {"orders": 10, "born": "2000-01-01"}})

    more = await segment(client, rules({"field": "properties.orders", "comparator": "greater_than", "value": "9"}))
    older = await segment(client, rules({"field": "properties.born", "comparator": "before", "value": "2000-01-01"}))

    assert (await names(client, more), await names(client, older)) == (["b"], ["a"])


async def test_rules_about_a_deleted_property_cannot_be_counted(client: AsyncPostStack) -> None:
    made = await client.contact_properties.create({"name": "plan", "label": "Plan", "type": "text"})
    found = await segment(client, rules({"field": "properties.plan", "comparator": "is_not_set"}))
    await contact(client)
    before = (await client.segments.get(found))["segment"]

    await client.contact_properties.delete(made["property"]["id"])
    after = (await client.segments.get(found))["segment"]

    assert (before["contactCount"], before.get("countUnavailable")) == (1, None)
    assert (after["contactCount"], after.get("countUnavailable"), after.get("contacts")) == (0, True, [])
    assert await names(client, found) == []


async def test_growth_knows_the_members_of_each_day(client: AsyncPostStack, emu: EmulatorSession) -> None:
    ids = [await contact(client, name) for name in ("ada", "bob", "eve")]
    emu.clock.advance(DAY)
    found = await segment(client)
    await client.segments.add_contacts(found, {"contact_ids": ids[:2]})
    emu.clock.advance(2 * DAY)
    await client.segments.add_contacts(found, {"contact_ids": ids[2:]})
    await client.segments.remove_contact(found, ids[0])
    await client.segments.remove_contact(found, ids[1])
    emu.clock.advance(DAY)

    growth = await client.segments.growth(found)
    last = await client.segments.growth(found, 2)

    first = emu.clock.time() - 3 * DAY
    days = [datetime.fromtimestamp(first + number * DAY, timezone.utc).date().isoformat() for number in range(4)]
    assert growth.get("available") is True
    assert [(day["date"], day["members"]) for day in growth["daily"]] == list(zip(days, (2, 2, 1, 1), strict=True))
    assert last["daily"] == growth["daily"][-2:]


async def test_growth_of_a_segment_with_rules_is_not_made_up(client: AsyncPostStack, emu: EmulatorSession) -> None:
    bob, found = await contact(client, "bob"), await segment(client)
    await client.segments.add_contacts(found, {"contact_ids": [bob]})
    emu.clock.advance(DAY)

    await client.segments.update(found, {"rules": rules(NAMED_A)})
    with_rules = await client.segments.growth(found)
    emu.clock.advance(DAY)
    await client.segments.update(found, {"rules": None})
    by_hand = await client.segments.growth(found)

    assert (with_rules.get("available"), with_rules["daily"]) == (False, [])
    assert [day["members"] for day in by_hand["daily"]] == [1]


async def test_broadcasts_to_a_segment_are_listed(client: AsyncPostStack, emu: EmulatorSession) -> None:
    ada, found, other = await contact(client), await segment(client), await segment(client)
    await client.segments.add_contacts(found, {"contact_ids": [ada]})
    made = [
        (
            await client.broadcasts.create(
                {"segment_id": found, "from": "s@example.com", "subject": subject, "text": "Hello"}
            )
        )["broadcast"]["publicId"]
        for subject in ("First", "Second")
    ]
    await client.broadcasts.send(made[0])
    emu.clock.advance(60)

    listed = (await client.segments.broadcasts(found))["broadcasts"]

    assert [(entry["publicId"], entry["subject"], entry["status"]) for entry in listed] == [
        (made[1], "Second", "draft"),
        (made[0], "First", "sent"),
    ]
    assert [entry["sentAt"] is None for entry in listed] == [True, False]
    assert (await client.segments.broadcasts(other))["broadcasts"] == []


async def test_a_broadcast_goes_to_whom_the_rules_choose(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await contact(client, "ada")
    await contact(client, "bob")
    found = await segment(client, rules(NAMED_A))
    made = await client.broadcasts.create(
        {"segment_id": found, "from": "s@example.com", "subject": "News", "text": "Hello"}
    )

    await contact(client, "anne")
    await client.broadcasts.send(made["broadcast"]["publicId"])
    emu.clock.advance(60)

    assert sorted(email.to[0] for email in emu.sent) == ["ada@example.com", "anne@example.com"]


async def test_an_unknown_segment_is_not_found(client: AsyncPostStack) -> None:
    segments, unknown = client.segments, "seg_none"

    for call in (
        lambda: segments.get(unknown),
        lambda: segments.update(unknown, {"name": "x"}),
        lambda: segments.delete(unknown),
        lambda: segments.add_contacts(unknown, {"contact_ids": ["con_1"]}),
        lambda: segments.remove_contact(unknown, "con_1"),
        lambda: segments.members(unknown),
        lambda: segments.growth(unknown),
        lambda: segments.broadcasts(unknown),
    ):
        with pytest.raises(PostStackError, match="Segment not found") as caught:
            await call()
        assert caught.value.status_code == 404


async def test_contacts_that_do_not_exist_are_not_added(client: AsyncPostStack) -> None:
    found = await segment(client)

    for ids in ([], ["con_none"]):
        with pytest.raises(PostStackError) as caught:
            await client.segments.add_contacts(found, {"contact_ids": ids})
        assert caught.value.status_code == 400
    with pytest.raises(PostStackError, match="1000") as caught:
        await client.segments.add_contacts(found, {"contact_ids": ["con_none"] * 1_001})
    assert caught.value.status_code == 422


async def test_a_contact_that_is_not_in_it_is_not_removed(client: AsyncPostStack) -> None:
    ada, found = await contact(client), await segment(client)

    for contact_id in (ada, "con_none"):
        with pytest.raises(PostStackError, match="Contact not found"):
            await client.segments.remove_contact(found, contact_id)


async def test_rules_that_mean_nothing_are_refused_and_change_nothing(client: AsyncPostStack) -> None:
    found = await segment(client, rules(NAMED_A))
    wrong = rules(NAMED_A, {"field": "email", "comparator": "greater_than", "value": "1"})

    for refused in (
        lambda: client.segments.create({"name": "x", "rules": wrong}),
        lambda: client.segments.update(found, {"name": "x", "rules": wrong}),
        lambda: client.segments.preview_rules({"rules": wrong}),
    ):
        with pytest.raises(PostStackError, match=r"rules\.conditions\[1\]\.comparator") as caught:
            await refused()
        assert caught.value.status_code == 422

    [only] = (await client.segments.list())["segments"]
    assert (only["name"], only["rules"]) == ("Customers", rules(NAMED_A))
