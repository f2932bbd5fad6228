# Written by tools/unasync.py from tests/client/_async/test_broadcast_figures.py. Do not edit.
"""How broadcasts do: counts, rates, who did not respond, and A/B tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from tests.client._sync.readers import PEOPLE, Calls, draft_for, segment_of, status

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


def sent_to(client: PostStack, emu: EmulatorSession, *addresses: str) -> str:
    broadcast = draft_for(client, segment_of(client, *addresses))
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    return broadcast


def started_test(client: PostStack, emu: EmulatorSession, people: int = 10) -> str:
    addresses = [f"p{number}@example.com" for number in range(people)]
    broadcast = draft_for(client, segment_of(client, *addresses), text="The rest")
    client.broadcasts.update(broadcast, {"ab_test": TEST})
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)
    return broadcast


def test_each_recipient_counts_once(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = sent_to(client, emu, *PEOPLE, "bounce@example.com")
    first, second = emu.sent[:2]
    for _ in range(2):
        emu.simulate(first.id, "opened")
        emu.simulate(first.id, "clicked")
    emu.simulate(second.id, "opened")
    emu.simulate(emu.sent[2].id, "opened", prefetch=True)

    shown = (client.broadcasts.get(broadcast))["broadcast"]
    answer = client.broadcasts.performance(broadcast)
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


def test_what_is_not_decided_yet_is_in_progress() -> None:
    with emulator(Settings(broadcast_batch=2, broadcast_interval=10)) as emu:
        client = emu.client()
        segment = segment_of(client, "defer@example.com", "fail@example.com", *PEOPLE)
        broadcast = draft_for(client, segment)
        seen: list[int] = []
        for seconds in (0, 0, 10, 10, 10, 60):
            emu.clock.advance(seconds)
            seen.append((client.broadcasts.performance(broadcast))["broadcast"]["in_progress"])
            if len(seen) == 1:
                client.broadcasts.send(broadcast)

        # Nothing is; five wait; two left; one of them failed, two left; the last left; who deferred has it.
        assert seen == [0, 5, 5, 4, 2, 0]


def test_a_deleted_email_is_not_waited_for(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = sent_to(client, emu, "defer@example.com")
    before = (client.broadcasts.performance(broadcast))["broadcast"]["in_progress"]
    emu.emulator.delete_emails()

    after = (client.broadcasts.performance(broadcast))["broadcast"]
    assert (before, after["in_progress"], after["total_recipients"]) == (1, 0, 1)


def test_the_best_broadcasts_come_first(client: PostStack, emu: EmulatorSession) -> None:
    opened, clicked = sent_to(client, emu, "a@example.com"), sent_to(client, emu, "b@example.com")
    many = sent_to(client, emu, *PEOPLE)
    draft_for(client, segment_of(client))
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")

    def ranked(query: Any = None) -> list[str]:
        return [row["id"] for row in (client.broadcasts.list_performance(query))["broadcasts"]]

    assert ranked() == [clicked, many, opened]
    assert ranked({"metric": "open_rate"}) == [opened, many, clicked]
    assert ranked({"metric": "delivered"}) == [many, clicked, opened]
    assert ranked({"metric": "delivered", "limit": 1}) == [many]
    assert ranked({"since": "2026-01-01T00:00:02Z"}) == [many]
    answer = client.broadcasts.list_performance({"since": "2026-01-01", "metric": "open_rate"})
    assert (answer.get("since"), answer.get("metric")) == ("2026-01-01T00:00:00.000Z", "open_rate")


@pytest.mark.parametrize(
    ("query", "refusal"), [({"metric": "sales"}, 422), ({"since": "lately"}, 422), ({"limit": "many"}, 400)]
)
def test_a_ranking_that_does_not_exist_is_refused(client: PostStack, query: Any, refusal: int) -> None:
    with pytest.raises(PostStackError) as caught:
        client.broadcasts.list_performance(query)

    assert caught.value.status_code == refusal


def test_who_did_not_respond_is_named(client: PostStack, emu: EmulatorSession) -> None:
    client.contacts.create({"email": "zoe@example.com", "first_name": "Zoe"})
    broadcast = sent_to(client, emu, *PEOPLE, "bounce@example.com")
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    bob = (client.contacts.get_by_email("bob@example.com"))["contact"]
    client.contacts.update(bob["publicId"], {"first_name": "Bob", "last_name": "Lee"})

    unopened = client.broadcasts.non_openers(broadcast)
    unclicked = client.broadcasts.non_clickers(broadcast, limit=1)
    assert unopened == {
        "broadcast": {"id": broadcast, "subject": "News"},
        "count": 2,
        "contacts": [
            {"id": bob["id"], "email": "bob@example.com", "first_name": "Bob", "last_name": "Lee"},
            {"id": bob["id"] + 1, "email": "cleo@example.com", "first_name": None, "last_name": None},
        ],
    }
    assert (unclicked.get("count"), [entry["email"] for entry in unclicked["contacts"]]) == (2, ["ada@example.com"])


def test_nobody_can_have_missed_what_nobody_got(client: PostStack) -> None:
    broadcast = draft_for(client, segment_of(client))

    calls: Calls = (
        lambda: client.broadcasts.non_openers(broadcast),
        lambda: client.broadcasts.non_clickers(broadcast),
    )
    for call in calls:
        with pytest.raises(PostStackError) as caught:
            call()
        assert caught.value.status_code == 409


def test_a_sample_gets_the_variants_and_the_rest_the_winner(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = started_test(client, emu)
    sample = [(email.subject, email.html, email.text) for email in emu.sent]
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    during = client.broadcasts.get_variant_stats(broadcast)
    emu.clock.advance(3_500)
    still_testing = len(emu.sent)
    emu.clock.advance(200)

    after = client.broadcasts.get_variant_stats(broadcast)
    rest = [(email.subject, email.html, email.text) for email in emu.sent[4:]]
    assert sample == [("Subject A", None, "The rest"), ("Subject B", "<p>B</p>", None)] * 2
    assert (still_testing, during.get("winnerVariantId")) == (4, None)
    assert after.get("winnerVariantId") == after["variants"][1]["id"]
    assert rest == [("Subject B", "<p>B</p>", None)] * 6
    assert [variant["recipientCount"] for variant in after["variants"]] == [2, 8]
    assert status(client, broadcast) == "sent"


def test_clicks_decide_then_opens_then_the_order(client: PostStack, emu: EmulatorSession) -> None:
    winners: list[str] = []
    for events in ((), ((1, "opened"),), ((0, "clicked"), (1, "opened"), (3, "opened"))):
        emu.emulator.delete_emails()
        broadcast = started_test(client, emu)
        for index, event in events:
            emu.simulate(emu.sent[index].id, event)  # type: ignore[arg-type]
        client.broadcasts.end_ab_test(broadcast)
        emu.clock.advance(1)
        winners.append(emu.sent[-1].subject)
        for contact in (client.contacts.list({"per_page": 100}))["data"]:
            client.contacts.delete(contact["publicId"])

    assert winners == ["Subject A", "Subject B", "Subject A"]


def test_a_test_can_be_ended_early(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = started_test(client, emu)
    assert (status(client, broadcast), len(emu.sent)) == ("sending", 4)

    assert (client.broadcasts.end_ab_test(broadcast))["success"]
    emu.clock.advance(1)
    assert (status(client, broadcast), len(emu.sent)) == ("sent", 10)
    with pytest.raises(PostStackError) as caught:
        client.broadcasts.end_ab_test(broadcast)
    assert caught.value.status_code == 409


def test_a_test_can_be_cancelled(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = started_test(client, emu)
    client.broadcasts.cancel(broadcast)
    emu.clock.advance(7_200)

    cancelled = (client.broadcasts.get(broadcast))["broadcast"]
    assert (cancelled["status"], cancelled["totalRecipients"], len(emu.sent)) == ("cancelled", 4, 4)


def test_weights_say_who_gets_which_variant() -> None:
    with emulator() as emu:
        client = emu.client()
        addresses = [f"p{number}@example.com" for number in range(40)]
        broadcast = draft_for(client, segment_of(client, *addresses))
        weights = (70, 20, 10)
        variants: Any = [{"name": "x", "subject": f"{weight}", "weight": weight} for weight in weights]
        client.broadcasts.update(broadcast, {"ab_test": {"variants": variants, "test_sample_size": 50}})
        client.broadcasts.send(broadcast)
        emu.clock.advance(1)

        stats = client.broadcasts.get_variant_stats(broadcast)
        assert [variant["recipientCount"] for variant in stats["variants"]] == [14, 4, 2]


def test_variants_have_figures_of_their_own(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = started_test(client, emu)
    emu.simulate(emu.sent[0].id, "opened")
    emu.simulate(emu.sent[1].id, "clicked")
    emu.simulate(emu.sent[3].id, "bounced")

    variants = (client.broadcasts.get_variants(broadcast))["variants"]
    stats = client.broadcasts.get_variant_stats(broadcast)
    figures = [
        (entry["openedCount"], entry["clickedCount"], entry["bouncedCount"], entry["openRate"], entry["clickRate"])
        for entry in stats["variants"]
    ]
    assert [(entry["name"], entry["subject"], entry["weight"]) for entry in variants] == [
        ("A", "Subject A", 50),
        ("B", "Subject B", 50),
    ]
    assert figures == [(1, 0, 0, 0.5, 0.0), (0, 1, 1, 0.0, 0.5)]
    assert (client.broadcasts.performance(broadcast)).get("variants") == stats


def test_a_broadcast_without_a_test_has_no_variants(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = sent_to(client, emu, "ada@example.com")

    calls: Calls = (
        lambda: client.broadcasts.get_variant_stats(broadcast),
        lambda: client.broadcasts.end_ab_test(broadcast),
    )
    for call in calls:
        with pytest.raises(PostStackError) as caught:
            call()
        assert caught.value.status_code == 422
    variants = client.broadcasts.get_variants(broadcast)
    assert variants["variants"] == []


def test_a_test_is_taken_off_a_draft(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = draft_for(client, segment_of(client, "ada@example.com"))
    client.broadcasts.update(broadcast, {"ab_test": TEST})
    none: Any = {"ab_test": None}

    client.broadcasts.update(broadcast, none)
    client.broadcasts.send(broadcast)
    emu.clock.advance(1)

    assert (status(client, broadcast), emu.sent[0].subject) == ("sent", "News")


def test_the_winner_is_what_is_sent_again(client: PostStack, emu: EmulatorSession) -> None:
    broadcast = started_test(client, emu)
    emu.simulate(emu.sent[1].id, "clicked")
    emu.clock.advance(3_700)

    again = client.broadcasts.resend(broadcast, {"target": "non_clickers"})
    client.broadcasts.send_test(again["broadcast"]["id"], {"email": "me@example.com"})
    client.broadcasts.send_test(broadcast, {"email": "me@example.com"})
    assert (again["broadcast"]["subject"], again.get("recipientCount")) == ("Subject B", 9)
    assert [(email.subject, email.html) for email in emu.sent[-2:]] == [("Subject B", "<p>B</p>")] * 2
