"""Topics that contacts can decline."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio


async def topic_id(client: AsyncPostStack, name: str = "News") -> str:
    return (await client.subscription_topics.create({"name": name}))["topic"]["publicId"]


async def contact_id(client: AsyncPostStack, email: str = "ada@example.com") -> str:
    return (await client.contacts.create({"email": email}))["contact"]["publicId"]


async def test_a_topic_is_listed_changed_and_removed(client: AsyncPostStack) -> None:
    topic = (await client.subscription_topics.create({"name": "News", "description": "Monthly"}))["topic"]
    changed = (await client.subscription_topics.update(topic["publicId"], {"name": "Letters"}))["topic"]
    bare = (await client.subscription_topics.update(topic["publicId"], {"description": None}))["topic"]
    listed = await client.subscription_topics.list()
    await client.subscription_topics.delete(topic["publicId"])

    assert changed == {**topic, "name": "Letters"}
    assert bare == {**changed, "description": None}
    assert listed["topics"] == [bare]
    assert (await client.subscription_topics.list())["topics"] == []
    with pytest.raises(PostStackError) as caught:
        await client.subscription_topics.get(topic["publicId"])
    assert (caught.value.status_code, caught.value.error) == (404, "Topic not found")


async def test_everybody_is_subscribed_who_said_nothing(client: AsyncPostStack) -> None:
    contact, topic = await contact_id(client), await topic_id(client)

    detail = await client.subscription_topics.get(topic)

    assert (detail.get("subscriberCount"), detail.get("unsubscribedCount")) == (1, 0)
    assert (await client.subscription_topics.get_contact_subscriptions(contact))["subscriptions"] == []
    assert [one["contactPublicId"] for one in (await client.subscription_topics.list_subscribers(topic))["data"]] == [
        contact
    ]


async def test_a_contact_declines_a_topic_and_takes_it_back(client: AsyncPostStack, emu: EmulatorSession) -> None:
    contact, topic, other = await contact_id(client), await topic_id(client), await topic_id(client, "Offers")

    declined = (await client.subscription_topics.unsubscribe(contact, topic))["subscription"]
    again = (await client.subscription_topics.unsubscribe(contact, topic))["subscription"]
    detail = await client.subscription_topics.get(topic)
    said = (await client.subscription_topics.get_contact_subscriptions(contact))["subscriptions"]
    emu.clock.advance(60)
    back = (await client.subscription_topics.subscribe(contact, topic))["subscription"]

    assert not declined["subscribed"]
    assert again == declined
    assert (detail.get("subscriberCount"), detail.get("unsubscribedCount")) == (0, 1)
    assert said == [{**declined, "topic": detail["topic"]}]
    assert (back["id"], back["subscribed"]) == (declined["id"], True)
    assert back["updatedAt"] > declined["updatedAt"]
    assert (await client.subscription_topics.get(other)).get("subscriberCount") == 1


async def test_subscribers_come_in_pages(client: AsyncPostStack, emu: EmulatorSession) -> None:
    topic = await topic_id(client)
    for number in range(53):
        contact = await contact_id(client, f"{number}@example.com")
        if number < 2:
            await client.subscription_topics.unsubscribe(contact, topic)
            emu.clock.advance(60)

    first = await client.subscription_topics.list_subscribers(topic)
    small = await client.subscription_topics.list_subscribers(topic, {"page": 2, "per_page": 2})
    declined = await client.subscription_topics.list_subscribers(topic, {"subscribed": "false"})
    wanted = [one["email"] async for one in client.subscription_topics.iterate_subscribers(topic, {"per_page": 20})]

    assert first["meta"] == {"page": 1, "perPage": 50, "total": 51, "totalPages": 2}
    assert [one["email"] for one in small["data"]] == ["4@example.com", "5@example.com"]
    assert [one["email"] for one in declined["data"]] == ["0@example.com", "1@example.com"]
    assert declined["data"][0]["subscribedAt"] < declined["data"][1]["subscribedAt"]
    assert wanted == [f"{number}@example.com" for number in range(2, 53)]


async def test_a_deleted_contact_or_topic_takes_the_choices_along(client: AsyncPostStack) -> None:
    ada, grace = await contact_id(client), await contact_id(client, "grace@example.com")
    news, offers = await topic_id(client), await topic_id(client, "Offers")
    for contact in (ada, grace):
        for topic in (news, offers):
            await client.subscription_topics.unsubscribe(contact, topic)

    await client.contacts.delete(ada)
    await client.subscription_topics.delete(offers)

    [left] = (await client.subscription_topics.get_contact_subscriptions(grace))["subscriptions"]
    detail = await client.subscription_topics.get(news)
    assert left.get("topic") == detail["topic"]
    assert (detail.get("subscriberCount"), detail.get("unsubscribedCount")) == (0, 1)


async def test_contacts_and_topics_that_do_not_exist_are_refused(client: AsyncPostStack) -> None:
    contact, topic = await contact_id(client), await topic_id(client)

    for arguments, missing in (
        (("con_unknown", topic), "Contact not found"),
        ((contact, "top_unknown"), "Topic not found"),
    ):
        for method in (client.subscription_topics.subscribe, client.subscription_topics.unsubscribe):
            with pytest.raises(PostStackError) as caught:
                await method(*arguments)
            assert (caught.value.status_code, caught.value.error) == (404, missing)


@pytest.mark.parametrize(
    ("content", "status"),
    [({"name": ""}, 400), ({}, 400), ({"name": "x" * 201}, 422), ({"name": "a\nb"}, 422),
     ({"name": "a", "description": "x" * 2_001}, 422), ({"name": "a", "description": 7}, 400)],
)  # fmt: skip
async def test_topics_that_make_no_sense_are_refused(client: AsyncPostStack, content: Any, status: int) -> None:
    with pytest.raises(PostStackError) as caught:
        await client.subscription_topics.create(content)

    assert caught.value.status_code == status
