# Written by tools/unasync.py from tests/client/_async/test_broadcast_drafts.py. Do not edit.
"""Drafts of broadcasts, tests of them, and new drafts for those who did not respond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from tests.client._sync.readers import PEOPLE, Calls, draft_for, recipients, segment_of, status

if TYPE_CHECKING:
    from poststack.types import BroadcastStatus

pytestmark = pytest.mark.anyio

VARIANT = {"name": "A", "subject": "One", "weight": 50}


def test_a_draft_is_shown_as_it_was_created(client: PostStack) -> None:
    segment = segment_of(client)
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]

    created = client.broadcasts.create(
        {
            "segment_id": segment,
            "from": "Shop <shop@example.com>",
            "subject": "News",
            "html": "<p>Hello</p>",
            "text": "Hello",
            "reply_to": "help@example.com",
            "name": "January",
            "scheduled_at": "2026-02-01T10:00:00+01:00",
            "topic_id": topic,
        }
    )

    broadcast = created["broadcast"]
    assert (broadcast["status"], broadcast["subject"], broadcast.get("name")) == ("draft", "News", "January")
    assert (broadcast["segmentPublicId"], broadcast["topicPublicId"]) == (segment, topic)
    assert broadcast.get("scheduledAt") == "2026-02-01T09:00:00.000Z"
    assert (broadcast["totalRecipients"], broadcast.get("sentAt")) == (0, None)
    assert client.broadcasts.get(broadcast["publicId"]) == created


def test_every_field_of_a_draft_can_be_changed(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client))
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    other = (client.segments.create({"name": "Others"}))["segment"]["publicId"]
    eve = (client.contacts.create({"email": "eve@example.com"}))["contact"]["publicId"]
    client.segments.add_contacts(other, {"contact_ids": [eve]})

    changed = client.broadcasts.update(
        broadcast,
        {
            "segment_id": other,
            "from": "b@example.com",
            "subject": "Later",
            "html": "<p>1</p>",
            "text": "2",
            "reply_to": "help@example.com",
            "name": "Better",
            "topic_id": topic,
        },
    )
    detached = client.broadcasts.update(broadcast, {"topic_id": None})
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert (changed["broadcast"]["topicPublicId"], detached["broadcast"]["topicPublicId"]) == (topic, None)
    assert changed["broadcast"].get("name") == "Better"
    (email,) = emu.sent
    assert (email.from_, email.to, email.subject) == ("b@example.com", ["eve@example.com"], "Later")
    assert (email.html, email.text, email.reply_to) == ("<p>1</p>", "2", ["help@example.com"])


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "cancelled"])
def test_only_a_draft_can_be_changed_or_sent(state: BroadcastStatus) -> None:
    with emulator(Settings(broadcast_batch=1, broadcast_interval=10)) as emu:
        client = emu.client()
        broadcast = draft_for(client, segment_of(client, *PEOPLE))
        if state in {"queued", "cancelled"}:
            client.broadcasts.update(broadcast, {"scheduled_at": "2026-02-01"})
        client.broadcasts.send(broadcast)
        if state == "cancelled":
            client.broadcasts.cancel(broadcast)
        emu.clock.advance(100 if state == "sent" else 10)
        before = client.broadcasts.get(broadcast)

        calls: Calls = (
            lambda: client.broadcasts.update(broadcast, {"subject": "Other"}),
            lambda: client.broadcasts.send(broadcast),
        )
        for call in calls:
            with pytest.raises(PostStackError) as caught:
                call()
            assert (caught.value.status_code, state in caught.value.error) == (409, True)
        assert (client.broadcasts.get(broadcast), before["broadcast"]["status"]) == (before, state)


@pytest.mark.parametrize("state", ["draft", "sent", "cancelled"])
def test_only_what_is_under_way_can_be_cancelled(client: PostStack, emu: EmulatorSession, state: str) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    if state != "draft":
        client.broadcasts.send(broadcast)
    if state == "cancelled":
        client.broadcasts.cancel(broadcast)
    emu.clock.advance(1)

    with pytest.raises(PostStackError) as caught:
        client.broadcasts.cancel(broadcast)

    assert (caught.value.status_code, status(client, broadcast)) == (409, state)


def test_a_broadcast_to_nobody_is_refused(client: PostStack) -> None:
    segment = segment_of(client, "ada@example.com")
    ada = (client.contacts.get_by_email("ada@example.com"))["contact"]["publicId"]
    client.contacts.unsubscribe(ada)
    for broadcast in (draft_for(client, segment_of(client)), draft_for(client, segment)):
        with pytest.raises(PostStackError) as caught:
            client.broadcasts.send(broadcast)

        assert (caught.value.status_code, status(client, broadcast)) == (422, "draft")


def test_a_draft_without_a_body_cannot_be_sent(client: PostStack, emu: EmulatorSession) -> None:
    segment = segment_of(client, "ada@example.com")
    created = client.broadcasts.create({"segment_id": segment, "from": "a@example.com", "subject": "News"})
    broadcast = created["broadcast"]["publicId"]

    calls: Calls = (
        lambda: client.broadcasts.send(broadcast),
        lambda: client.broadcasts.send_test(broadcast, {"email": "a@example.com"}),
    )
    for call in calls:
        with pytest.raises(PostStackError, match="`html` or `text`") as caught:
            call()
        assert caught.value.status_code == 422
    assert emu.sent == []


def test_a_segment_or_topic_that_was_deleted_keeps_a_draft_from_being_sent(client: PostStack) -> None:
    segment, other = segment_of(client, "ada@example.com"), segment_of(client)
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    without_segment, without_topic = draft_for(client, other), draft_for(client, segment)
    client.broadcasts.update(without_topic, {"topic_id": topic})
    client.segments.delete(other)
    client.subscription_topics.delete(topic)

    for broadcast in (without_segment, without_topic):
        with pytest.raises(PostStackError, match="was deleted") as caught:
            client.broadcasts.send(broadcast)
        assert caught.value.status_code == 422
    assert (client.broadcasts.get(without_segment))["broadcast"]["segmentPublicId"] is None
    assert (client.broadcasts.get(without_topic))["broadcast"]["topicPublicId"] is None


@pytest.mark.parametrize("gone", ["segment", "topic"])
def test_a_segment_or_topic_deleted_before_its_time_cancels_a_broadcast(
    client: PostStack, emu: EmulatorSession, gone: str
) -> None:
    segment = segment_of(client, "ada@example.com")
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    broadcast = draft_for(client, segment)
    client.broadcasts.update(broadcast, {"topic_id": topic, "scheduled_at": "2026-01-02"})
    client.broadcasts.send(broadcast)
    if gone == "segment":
        client.segments.delete(segment)
    else:
        client.subscription_topics.delete(topic)
    emu.clock.advance(86_500)

    assert (status(client, broadcast), emu.sent) == ("cancelled", [])


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"from": None}, 400),
        ({"subject": ""}, 400),
        ({"segment_id": None}, 400),
        ({"segment_id": "seg_unknown"}, 404),
        ({"topic_id": "top_unknown"}, 404),
        ({"topic_id": 1}, 400),
        ({"from": "nobody"}, 422),
        ({"from": "a@unverified.org"}, 422),
        ({"reply_to": "nobody"}, 422),
        ({"subject": "one\r\ntwo"}, 422),
        ({"subject": "x" * 999}, 422),
        ({"name": "x" * 999}, 422),
        ({"html": "x" * (1024 * 1024 + 1)}, 422),
        ({"scheduled_at": "soon"}, 422),
        ({"ab_test": []}, 400),
        ({"ab_test": {}}, 400),
        ({"ab_test": {"variants": [1, 2]}}, 400),
        ({"ab_test": {"variants": [{**VARIANT, "weight": 100}]}}, 422),
        ({"ab_test": {"variants": [{**VARIANT, "weight": 16}] * 6}}, 422),
        ({"ab_test": {"variants": [VARIANT, {**VARIANT, "weight": 49}]}}, 422),
        ({"ab_test": {"variants": [{**VARIANT, "weight": 0}, {**VARIANT, "weight": 100}]}}, 422),
        ({"ab_test": {"variants": [VARIANT, {**VARIANT, "weight": 50.5}]}}, 400),
        ({"ab_test": {"variants": [VARIANT, {"name": "B", "subject": "Two"}]}}, 400),
        ({"ab_test": {"variants": [VARIANT, {"subject": "Two", "weight": 50}]}}, 400),
        ({"ab_test": {"variants": [VARIANT, {**VARIANT, "subject": "one\ntwo"}]}}, 422),
        ({"ab_test": {"variants": [VARIANT, VARIANT], "test_sample_size": 4}}, 422),
        ({"ab_test": {"variants": [VARIANT, VARIANT], "test_sample_size": 51}}, 422),
        ({"ab_test": {"variants": [VARIANT, VARIANT], "test_duration_minutes": 29}}, 422),
        ({"ab_test": {"variants": [VARIANT, VARIANT], "test_duration_minutes": 1_441}}, 422),
    ],
)
def test_what_a_broadcast_cannot_be_is_refused(changes: dict[str, Any], refusal: int) -> None:
    with emulator(Settings(domains=("example.com",))) as emu:
        client = emu.client()
        segment = segment_of(client)
        broadcast = draft_for(client, segment)
        before = client.broadcasts.get(broadcast)
        whole: Any = {"segment_id": segment, "from": "a@example.com", "subject": "News", "text": "x", **changes}
        change: Any = {"name": "Changed", **changes}

        calls: Calls = (
            lambda: client.broadcasts.create(whole),
            lambda: client.broadcasts.update(broadcast, change),
        )
        for call in calls:
            with pytest.raises(PostStackError) as caught:
                call()
            assert caught.value.status_code == refusal
        assert (client.broadcasts.list())["data"] == [before["broadcast"]]


def test_an_unknown_broadcast_is_not_found(client: PostStack) -> None:
    calls: Calls = (
        lambda: client.broadcasts.get("br_1"),
        lambda: client.broadcasts.update("br_1", {}),
        lambda: client.broadcasts.send("br_1"),
        lambda: client.broadcasts.cancel("br_1"),
        lambda: client.broadcasts.resend("br_1"),
        lambda: client.broadcasts.send_test("br_1", {"email": "a@example.com"}),
        lambda: client.broadcasts.get_variants("br_1"),
        lambda: client.broadcasts.get_variant_stats("br_1"),
        lambda: client.broadcasts.performance("br_1"),
        lambda: client.broadcasts.non_openers("br_1"),
        lambda: client.broadcasts.non_clickers("br_1"),
        lambda: client.broadcasts.end_ab_test("br_1"),
    )
    for call in calls:
        with pytest.raises(PostStackError, match="Broadcast not found") as caught:
            call()
        assert caught.value.status_code == 404


def test_broadcasts_are_listed_newest_first(client: PostStack) -> None:
    segment = segment_of(client, "ada@example.com")
    ids = [draft_for(client, segment) for _ in range(3)]
    client.broadcasts.update(ids[0], {"name": "Spring SALE"})
    client.broadcasts.update(ids[1], {"subject": "The sale begins"})
    client.broadcasts.send(ids[2])
    client.broadcasts.cancel(ids[2])

    page = client.broadcasts.list({"per_page": 2})
    found = [entry["publicId"] for entry in (client.broadcasts.list({"search": "sale"}))["data"]]
    cancelled = [entry["publicId"] for entry in (client.broadcasts.list({"status": "cancelled"}))["data"]]
    every = [entry["publicId"] for entry in client.broadcasts.iterate({"per_page": 1})]
    assert ([entry["publicId"] for entry in page["data"]], page["meta"]["totalPages"]) == (ids[:0:-1], 2)
    assert (found, cancelled, every) == (ids[1::-1], [ids[2]], ids[::-1])


def test_a_test_goes_to_one_address_and_is_not_counted(client: PostStack, emu: EmulatorSession) -> None:
    client.contacts.create({"email": "Me@example.com", "first_name": "Mia"})
    broadcast = draft_for(client, segment_of(client, *PEOPLE), text="Hello {{first_name}}")

    client.broadcasts.send_test(broadcast, {"email": "me@example.com"})
    client.broadcasts.send_test(broadcast, {"email": "other@example.com"})
    emu.clock.advance(1)
    emu.simulate(emu.sent[0].id, "opened")

    draft = (client.broadcasts.get(broadcast))["broadcast"]
    assert [(email.to, email.text) for email in emu.sent] == [
        (["me@example.com"], "Hello Mia"),
        (["other@example.com"], "Hello "),
    ]
    assert (draft["status"], draft["totalRecipients"], draft["deliveredCount"], draft["openedCount"]) == (
        *("draft", 0, 0, 0),
    )
    assert {email.broadcast_id for email in emu.sent} == {broadcast}


@pytest.mark.parametrize(
    ("given", "refusal"), [({}, 400), ({"email": "nobody"}, 422), ({"email": "gone@example.com"}, 422)]
)
def test_a_test_is_refused_like_any_email(client: PostStack, emu: EmulatorSession, given: Any, refusal: int) -> None:
    broadcast = draft_for(client, segment_of(client))
    client.suppressions.add({"email": "gone@example.com", "reason": "manual"})

    with pytest.raises(PostStackError) as caught:
        client.broadcasts.send_test(broadcast, given)

    assert (caught.value.status_code, emu.sent) == (refusal, [])


@pytest.mark.parametrize(
    ("target", "expected"), [(None, PEOPLE[1:]), ("non_openers", PEOPLE[1:]), ("non_clickers", PEOPLE)]
)
def test_a_resend_is_a_draft_for_those_who_did_not_respond(
    client: PostStack, emu: EmulatorSession, target: str | None, expected: tuple[str, ...]
) -> None:
    broadcast = draft_for(client, segment_of(client, *PEOPLE, "bounce@example.com"))
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    emu.simulate(emu.sent[0].id, "opened")
    before = len(emu.sent)
    wanted: Any = None if target is None else {"target": target, "subject": "Once more"}

    again = client.broadcasts.resend(broadcast, wanted)
    draft = (client.broadcasts.get(again["broadcast"]["id"]))["broadcast"]
    client.broadcasts.send(again["broadcast"]["id"])
    emu.clock.advance(1)

    segment = again.get("segment")
    assert segment is not None
    assert (again["broadcast"]["status"], segment["name"]) == (
        "draft",
        f"News ({target or 'non_openers'})".replace("_", "-"),
    )
    assert again["broadcast"]["subject"] == ("News" if target is None else "Once more")
    assert (again.get("recipientCount"), draft["segmentPublicId"]) == (len(expected), segment["id"])
    assert recipients(emu)[before:] == list(expected)
    assert emu.sent[-1].text == "Hello"


def test_a_resend_counts_only_those_who_may_get_it(client: PostStack, emu: EmulatorSession) -> None:
    people = ("ada@example.com", "bob@example.com", "cy@example.com", "dee@example.com")
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    broadcast = draft_for(client, segment_of(client, *people))
    client.broadcasts.update(broadcast, {"topic_id": topic})
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    contacts = {contact["email"]: contact["publicId"] for contact in (client.contacts.list())["data"]}
    client.suppressions.add({"email": people[0], "reason": "manual"})
    client.contacts.unsubscribe(contacts[people[1]])
    client.subscription_topics.unsubscribe(contacts[people[2]], topic)

    again = client.broadcasts.resend(broadcast)
    client.broadcasts.send(again["broadcast"]["id"])
    emu.clock.advance(1)

    assert again.get("recipientCount") == 1
    assert recipients(emu)[len(people) :] == [people[3]]
    client.suppressions.add({"email": people[3], "reason": "manual"})
    with pytest.raises(PostStackError, match="nobody to write to again"):
        client.broadcasts.resend(broadcast)


def test_only_what_was_sent_to_people_who_did_not_respond_is_sent_again(
    client: PostStack, emu: EmulatorSession
) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    wrong: Any = {"target": "everybody"}
    with pytest.raises(PostStackError) as draft:
        client.broadcasts.resend(broadcast)
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    with pytest.raises(PostStackError) as unknown_target:
        client.broadcasts.resend(broadcast, wrong)
    with pytest.raises(PostStackError) as two_lines:
        client.broadcasts.resend(broadcast, {"subject": "one\ntwo"})
    with pytest.raises(PostStackError) as too_long:
        client.broadcasts.resend(broadcast, {"subject": "x" * 999})
    emu.simulate(emu.sent[0].id, "opened")
    with pytest.raises(PostStackError) as nobody:
        client.broadcasts.resend(broadcast)

    refusals = [caught.value.status_code for caught in (draft, unknown_target, two_lines, too_long, nobody)]
    assert refusals == [409, 422, 422, 422, 422]
    assert len((client.broadcasts.list())["data"]) == 1
