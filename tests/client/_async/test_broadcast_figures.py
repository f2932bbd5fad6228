"""How broadcasts do: counts, rates, who did not respond, and A/B tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from tests.client._async.readers import PEOPLE, Calls, draft_for, segment_of, status

if TYPE_CHECKING:
    from poststack.types import AbTest

pytestmark = pytest.mark.anyio

TEST: AbTest = {
    "variants": [
        {"name": "A", "subject": "Subject A", "weight": 50},
        {"name": "B", "subject": "Subject B", "html": "<p>B</p>", "weight": 50},
    ],
    "test_sample_size": 40,
    "test_duration_minutes": 60,
}


async def sent_to(client: AsyncPostStack, emu: EmulatorSession, *addresses: str) -> str:
    broadcast = await draft_for(client, await segment_of(client, *addresses))
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    return broadcast


async def started_test(client: AsyncPostStack, emu: EmulatorSession, people: int = 10) -> str:
    addresses = [f"p{number}@example.com" for number in range(people)]
    broadcast = await draft_for(client, await segment_of(client, *addresses), text="The rest")
    await client.broadcasts.update(broadcast, {"ab_test": TEST})
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    return broadcast


async def test_each_recipient_counts_once(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await sent_to(client, emu, *PEOPLE, "bounce@example.com")
    first, second = emu.sent[:2]
    for _ in range(2):
        emu.simulate(first.id, "opened")
        emu.simulate(first.id, "clicked")
    emu.simulate(second.id, "opened")
    emu.simulate(emu.sent[2].id, "opened", prefetch=True)

    shown = (await client.broadcasts.get(broadcast))["broadcast"]
    answer = await client.broadcasts.performance(broadcast)
    assert [shown[f"{name}Count"] for name in ("delivered", "opened", "clicked", "bounced")] == [3, 2, 1, 1]  # type: ignore[literal-required]
    assert answer["broadcast"] == {
        "id": broadcast,
        "subject": "News",
        "status": "sent",
        "sent_at": shown.get("sentAt"),
        "total_recipients": 4,
        "delivered": 3,
        "opened": 2,
        "clicked": 1,
        "bounced": 1,
        "open_rate": 0.5,
        "click_rate": 0.25,
        "in_progress": 0,
    }
    assert answer.get("variants") is None


async def test_what_is_not_decided_yet_is_in_progress() -> None:
    with emulator(Settings(broadcast_batch=2, broadcast_interval=10)) as emu:
        client = emu.async_client()
        segment = await segment_of(client, "defer@example.com", "fail@example.com", *PEOPLE)
        broadcast = await draft_for(client, segment)
        seen: list[int] = []
        for seconds in (0, 0, 10, 10, 10, 60):
            emu.clock.advance(seconds)
            seen.append((await client.broadcasts.performance(broadcast))["broadcast"]["in_progress"])
            if len(seen) == 1:
                await client.broadcasts.send(broadcast)

        # Nothing is; five wait; two left; one of them failed, two left; the last left; who deferred has it.
        assert seen == [0, 5, 5, 4, 2, 0]


async def test_a_deleted_email_is_not_waited_for(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await sent_to(client, emu, "defer@example.com")
    before = (await client.broadcasts.performance(broadcast))["broadcast"]["in_progress"]
    emu.emulator.delete_emails()

    after = (await client.broadcasts.performance(broadcast))["broadcast"]
    assert (before, after["in_progress"], after["total_recipients"]) == (1, 0, 1)


async def test_the_best_broadcasts_come_first(client: AsyncPostStack, emu: EmulatorSession) -> None:
    opened, clicked = await sent_to(client, emu, "a@example.com"), await sent_to(client, emu, "b@example.com")
    many = await sent_to(client, emu, *PEOPLE)
    await draft_for(client, await segment_of(client))
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")

    async def ranked(query: Any = None) -> list[str]:
        return [row["id"] for row in (await client.broadcasts.list_performance(query))["broadcasts"]]

    assert await ranked() == [clicked, many, opened]
    assert await ranked({"metric": "open_rate"}) == [opened, many, clicked]
    assert await ranked({"metric": "delivered"}) == [many, clicked, opened]
    assert await ranked({"metric": "delivered", "limit": 1}) == [many]
    assert await ranked({"since": "2026-01-01T00:00:02Z"}) == [many]
    answer = await client.broadcasts.list_performance({"since": "2026-01-01", "metric": "open_rate"})
    assert (answer.get("since"), answer.get("metric")) == ("2026-01-01T00:00:00.000Z", "open_rate")


@pytest.mark.parametrize(
    ("query", "refusal"), [({"metric": "sales"}, 422), ({"since": "lately"}, 422), ({"limit": "many"}, 400)]
)
async def test_a_ranking_that_does_not_exist_is_refused(client: AsyncPostStack, query: Any, refusal: int) -> None:
    with pytest.raises(PostStackError) as caught:
        await client.broadcasts.list_performance(query)

    assert caught.value.status_code == refusal


async def test_who_did_not_respond_is_named(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await client.contacts.create({"email": "zoe@example.com", "first_name": "Zoe"})
    broadcast = await sent_to(client, emu, *PEOPLE, "bounce@example.com")
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    bob = (await client.contacts.get_by_email("bob@example.com"))["contact"]
    await client.contacts.update(bob["publicId"], {"first_name": "Bob", "last_name": "Lee"})

    unopened = await client.broadcasts.non_openers(broadcast)
    unclicked = await client.broadcasts.non_clickers(broadcast, limit=1)
    assert unopened == {
        "broadcast": {"id": broadcast, "subject": "News"},
        "count": 2,
        "contacts": [
            {"id": bob["id"], "email": "bob@example.com", "first_name": "Bob", "last_name": "Lee"},
            {"id": bob["id"] + 1, "email": "cleo@example.com", "first_name": None, "last_name": None},
        ],
    }
    assert (unclicked.get("count"), [entry["email"] for entry in unclicked["contacts"]]) == (2, ["ada@example.com"])


async def test_nobody_can_have_missed_what_nobody_got(client: AsyncPostStack) -> None:
    broadcast = await draft_for(client, await segment_of(client))

    calls: Calls = (
        lambda: client.broadcasts.non_openers(broadcast),
        lambda: client.broadcasts.non_clickers(broadcast),
    )
    for call in calls:
        with pytest.raises(PostStackError) as caught:
            await call()
        assert caught.value.status_code == 409


async def test_a_sample_gets_the_variants_and_the_rest_the_winner(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await started_test(client, emu)
    sample = [(email.subject, email.html, email.text) for email in emu.sent]
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    during = await client.broadcasts.get_variant_stats(broadcast)
    emu.clock.advance(3_500)
    still_testing = len(emu.sent)
    emu.clock.advance(200)

    after = await client.broadcasts.get_variant_stats(broadcast)
    rest = [(email.subject, email.html, email.text) for email in emu.sent[4:]]
    assert sample == [("Subject A", None, "The rest"), ("Subject B", "<p>B</p>", None)] * 2
    assert (still_testing, during.get("winnerVariantId")) == (4, None)
    assert after.get("winnerVariantId") == after["variants"][1]["id"]
    assert rest == [("Subject B", "<p>B</p>", None)] * 6
    assert [variant["recipientCount"] for variant in after["variants"]] == [2, 8]
    assert await status(client, broadcast) == "sent"


async def test_clicks_decide_then_opens_then_the_order(client: AsyncPostStack, emu: EmulatorSession) -> None:
    winners: list[str] = []
    for events in ((), ((1, "opened"),), ((0, "clicked"), (1, "opened"), (3, "opened"))):
        emu.emulator.delete_emails()
        broadcast = await started_test(client, emu)
        for index, event in events:
            emu.simulate(emu.sent[index].id, event)  # type: ignore[arg-type]
        await client.broadcasts.end_ab_test(broadcast)
        emu.clock.advance(1)
        winners.append(emu.sent[-1].subject)
        for contact in (await client.contacts.list({"per_page": 100}))["data"]:
            await client.contacts.delete(contact["publicId"])

    assert winners == ["Subject A", "Subject B", "Subject A"]


async def test_a_test_can_be_ended_early(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await started_test(client, emu)
    assert (await status(client, broadcast), len(emu.sent)) == ("sending", 4)

    assert (await client.broadcasts.end_ab_test(broadcast))["success"]
    emu.clock.advance(1)
    assert (await status(client, broadcast), len(emu.sent)) == ("sent", 10)
    with pytest.raises(PostStackError) as caught:
        await client.broadcasts.end_ab_test(broadcast)
    assert caught.value.status_code == 409


async def test_a_test_can_be_cancelled(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await started_test(client, emu)
    await client.broadcasts.cancel(broadcast)
    emu.clock.advance(7_200)

    cancelled = (await client.broadcasts.get(broadcast))["broadcast"]
    assert (cancelled["status"], cancelled["totalRecipients"], len(emu.sent)) == ("cancelled", 4, 4)


async def test_weights_say_who_gets_which_variant() -> None:
    with emulator() as emu:
        client = emu.async_client()
        addresses = [f"p{number}@example.com" for number in range(40)]
        broadcast = await draft_for(client, await segment_of(client, *addresses))
        weights = (70, 20, 10)
        variants: Any = [{"name": "x", "subject": f"{weight}", "weight": weight} for weight in weights]
        await client.broadcasts.update(broadcast, {"ab_test": {"variants": variants, "test_sample_size": 50}})
        await client.broadcasts.send(broadcast)
        emu.clock.advance(1)

        stats = await client.broadcasts.get_variant_stats(broadcast)
        assert [variant["recipientCount"] for variant in stats["variants"]] == [14, 4, 2]


async def test_variants_have_figures_of_their_own(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await started_test(client, emu)
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    emu.simulate(emu.sent[3].id, "bounced")

    variants = (await client.broadcasts.get_variants(broadcast))["variants"]
    stats = await client.broadcasts.get_variant_stats(broadcast)
    figures = [
        (entry["openedCount"], entry["clickedCount"], entry["bouncedCount"], entry["openRate"], entry["clickRate"])
        for entry in stats["variants"]
    ]
    assert [(entry["name"], entry["subject"], entry["weight"]) for entry in variants] == [
        ("A", "Subject A", 50),
        ("B", "Subject B", 50),
    ]
    assert figures == [(1, 0, 0, 0.5, 0.0), (0, 1, 1, 0.0, 0.5)]
    assert (await client.broadcasts.performance(broadcast)).get("variants") == stats


async def test_a_broadcast_without_a_test_has_no_variants(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await sent_to(client, emu, "ada@example.com")

    calls: Calls = (
        lambda: client.broadcasts.get_variant_stats(broadcast),
        lambda: client.broadcasts.end_ab_test(broadcast),
    )
    for call in calls:
        with pytest.raises(PostStackError) as caught:
            await call()
        assert caught.value.status_code == 422
    variants = await client.broadcasts.get_variants(broadcast)
    assert variants["variants"] == []


async def test_a_test_is_taken_off_a_draft(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await draft_for(client, await segment_of(client, "ada@example.com"))
    await client.broadcasts.update(broadcast, {"ab_test": TEST})
    none: Any = {"ab_test": None}

    await client.broadcasts.update(broadcast, none)
    await client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert (await status(client, broadcast), emu.sent[0].subject) == ("sent", "News")


async def test_the_winner_is_what_is_sent_again(client: AsyncPostStack, emu: EmulatorSession) -> None:
    broadcast = await started_test(client, emu)
    emu.simulate(emu.sent[1].id, "clicked")
    emu.clock.advance(3_700)

    again = await client.broadcasts.resend(broadcast, {"target": "non_clickers"})
    await client.broadcasts.send_test(again["broadcast"]["id"], {"email": "me@example.com"})
    await client.broadcasts.send_test(broadcast, {"email": "me@example.com"})
    assert (again["broadcast"]["subject"], again.get("recipientCount")) == ("Subject B", 9)
    assert [(email.subject, email.html) for email in emu.sent[-2:]] == [("Subject B", "<p>B</p>")] * 2
