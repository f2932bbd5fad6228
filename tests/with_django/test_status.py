"""A status follows from the set of events, whatever their order."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack_django.status import Happened, Status, fates_from, status_choices, status_from

START = datetime(2026, 1, 2, tzinfo=timezone.utc)
KINDS = [
    f"email.{name}"
    for name in (
        "queued",
        "sent",
        "deferred",
        "soft_bounced",
        "delivered",
        "opened",
        "clicked",
        "unsubscribed",
        "failed",
        "bounced",
        "complained",
        "invented_tomorrow",
    )
]


def at(*kinds: str) -> list[Happened]:
    """Events a minute apart."""
    return [Happened(f"email.{kind}", START + timedelta(minutes=minute)) for minute, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("events", "status"),
    [
        (at("queued"), Status.QUEUED),
        (at("queued", "sent"), Status.SENDING),
        (at("sent", "deferred"), Status.DEFERRED),
        (at("deferred", "sent"), Status.SENDING),
        (at("soft_bounced"), Status.DEFERRED),
        (at("sent", "delivered"), Status.DELIVERED),
        (at("delivered", "deferred"), Status.DELIVERED),
        (at("opened"), Status.DELIVERED),
        (at("delivered", "bounced"), Status.BOUNCED),
        (at("bounced", "delivered"), Status.BOUNCED),
        (at("complained", "delivered", "opened"), Status.COMPLAINED),
        (at("complained", "bounced"), Status.COMPLAINED),
        (at("failed", "sent"), Status.FAILED),
    ],
)
def test_what_events_add_up_to(events: list[Happened], status: Status) -> None:
    known = status_from(events)

    assert known is not None
    assert known.status is status


def test_a_status_holds_since_it_was_first_reached() -> None:
    known = status_from(at("sent", "delivered", "opened"))

    assert known is not None
    assert known.at == START + timedelta(minutes=1)


@pytest.mark.parametrize("events", [[], at("invented_tomorrow"), [Happened("contact.created", None)]])
def test_events_that_say_nothing_about_delivery_change_nothing(events: list[Happened]) -> None:
    assert status_from(events) is None


moments = st.none() | st.integers(0, 5).map(lambda minute: START + timedelta(minutes=minute))
histories = st.lists(st.builds(Happened, st.sampled_from(KINDS), moments), max_size=8)


@given(histories.flatmap(lambda events: st.tuples(st.just(events), st.permutations([*events, *events]))))
def test_order_and_repetition_do_not_matter(
    case: tuple[list[Happened], list[Happened]],
) -> None:
    events, shuffled = case

    assert status_from(events) == status_from(shuffled)


@given(histories)
def test_a_complaint_is_never_hidden(events: list[Happened]) -> None:
    known = status_from([*events, Happened("email.complained", START)])

    assert known is not None
    assert known.status is Status.COMPLAINED


def test_every_status_is_a_choice() -> None:
    assert [value for value, _ in status_choices()] == list(Status)


def fates_of(*events: tuple[str, str], addresses: tuple[str, ...]) -> tuple[Status | None, dict[str, Status]]:
    """What events, each a kind and a recipient, say of an e-mail to these addresses."""
    happened = [
        Happened(f"email.{kind}", START + timedelta(minutes=minute), recipient)
        for minute, (kind, recipient) in enumerate(events)
    ]
    fates = fates_from(happened, addresses)
    each = {address: known.status for address, known in fates.recipients.items()}
    return fates.overall.status if fates.overall else None, each


def test_an_email_is_delivered_once_it_is_delivered_to_all() -> None:
    one = fates_of(("delivered", "a"), addresses=("a", "b"))
    both = fates_of(("delivered", "a"), ("delivered", "b"), addresses=("a", "b"))

    assert one == (Status.QUEUED, {"a": Status.DELIVERED})
    assert both == (Status.DELIVERED, {"a": Status.DELIVERED, "b": Status.DELIVERED})


@pytest.mark.parametrize(
    ("kind", "overall"),
    [("delivered", Status.DELIVERED), ("deferred", Status.DELIVERED), ("complained", Status.COMPLAINED)],
)
def test_a_stranger_counts_only_by_a_bad_end(kind: str, overall: Status) -> None:
    events = ("delivered", "a"), ("delivered", "b"), (kind, "stranger")

    assert fates_of(*events, addresses=("a", "b")) == (overall, {"a": Status.DELIVERED, "b": Status.DELIVERED})


def test_a_stranger_does_not_deliver_to_the_others() -> None:
    assert fates_of(("delivered", "stranger"), addresses=("a", "b")) == (Status.QUEUED, {})


def test_a_stranger_stands_for_the_only_recipient() -> None:
    assert fates_of(("delivered", "stranger"), addresses=("a",)) == (Status.DELIVERED, {"a": Status.DELIVERED})


def test_without_stored_recipients_the_named_ones_count() -> None:
    assert fates_of(("delivered", "a"), ("bounced", "b"), addresses=()) == (Status.BOUNCED, {})
    assert fates_of(("sent", ""), addresses=()) == (Status.SENDING, {})
