"""Addresses that nothing is sent to any more: how they come on the list, are found there, and leave it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from poststack import WebhookEvent
from poststack.testing import emulator
from poststack_django.event_records import record_event
from poststack_django.models import Suppression
from poststack_django.suppressions import suppress, suppress_all, suppressed_among, unsuppress
from tests.with_django.histories import Accepted, Settled, Step, Told, ignore, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def is_on(settings: Any) -> None:
    settings.POSTSTACK = {"SUPPRESSIONS": True}


def happen(kind: str, number: int = 1, **data: object) -> None:
    fields = {"email_id": "em_1", **data}
    record_event(WebhookEvent(f"evt_{number}", kind, None, "em_1", fields), ignore)


def listed() -> dict[str, str]:
    return dict(Suppression.objects.values_list("address", "reason"))


# By events


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("email.bounced", {}, "hard_bounce"),
        ("email.bounced", {"bounce_type": "hard"}, "hard_bounce"),
        ("email.bounced", {"bounce_type": "Soft"}, None),
        ("email.soft_bounced", {}, None),
        ("email.complained", {}, "complaint"),
        ("email.unsubscribed", {}, "unsubscribe"),
        ("email.delivered", {}, None),
        ("email.failed", {}, None),
    ],
)
def test_the_recipient_of_some_events_is_suppressed(kind: str, data: dict[str, str], reason: str | None) -> None:
    happen(kind, 1, recipient="Ada <ADA@example.com>", **data)

    assert listed() == ({ADA: reason} if reason else {})
    assert suppressed_among([ADA]) == ({ADA} if reason else set())


def test_the_event_is_named() -> None:
    happen("email.bounced", recipient=ADA)

    assert Suppression.objects.get().event_id == "evt_1"


def test_nothing_is_suppressed_unless_the_setting_is_on(settings: Any) -> None:
    settings.POSTSTACK = {}
    stored([ADA])
    Accepted().arrives()
    happen("email.bounced", recipient=ADA)
    happen("email.bounced", 2)

    assert listed() == {}


def test_the_first_reason_stays() -> None:
    happen("email.unsubscribed", 1, recipient=ADA)
    happen("email.complained", 2, recipient=ADA)

    assert listed() == {ADA: "unsubscribe"}


def test_the_event_and_the_suppression_are_stored_together() -> None:
    with transaction.atomic():
        happen("email.bounced", recipient=ADA)
        transaction.set_rollback(True)

    assert listed() == {}


@pytest.mark.parametrize("recipients", [[ADA], [ADA, "bob@example.com"]])
@pytest.mark.parametrize("early", [True, False])
def test_an_event_that_names_nobody_counts_for_the_only_recipient(recipients: list[str], early: bool) -> None:
    stored(recipients)
    steps: list[Step] = [Accepted(), Told(1, "complained")]
    for step in reversed(steps) if early else steps:
        step.arrives()

    assert listed() == ({ADA: "complaint"} if len(recipients) == 1 else {})


def test_a_soft_bounce_that_names_nobody_does_not_count() -> None:
    stored([ADA])
    Accepted().arrives()
    happen("email.bounced", bounce_type="soft")

    assert listed() == {}


@pytest.mark.parametrize("kind", ["bounced", "complained"])
@pytest.mark.parametrize("recipient", ["", ADA])
def test_a_repetition_does_not_suppress_who_was_taken_off_the_list(kind: str, recipient: str) -> None:
    stored([ADA])
    steps: list[Step] = [Told(1, kind, recipient), Accepted()]
    for step in steps:
        step.arrives()
    assert unsuppress(ADA) is True
    for step in [*steps, Settled()]:
        step.arrives()

    assert listed() == {}


@pytest.mark.repetitive
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_order_and_no_repetition_changes_who_is_suppressed(data: st.DataObject) -> None:
    history: list[Step] = [
        Told(1, "bounced", "Bob <bob@example.com>"),
        Told(2, "complained"),
        Told(3, "soft_bounced", "carol@example.com"),
        Accepted(),
    ]
    again = data.draw(st.lists(st.sampled_from([*history, Settled()]), max_size=3))
    order = data.draw(st.permutations([*history, *again]))

    with transaction.atomic():
        stored()
        for step in order:
            step.arrives()
        assert listed() == {"bob@example.com": "hard_bounce"}
        transaction.set_rollback(True)


# How they are stored


@pytest.mark.parametrize("how", ["hashed", "none"])
def test_addresses_that_are_not_to_be_stored_are_hashed(settings: Any, how: str) -> None:
    settings.POSTSTACK = {"SUPPRESSIONS": True, "STORE_RECIPIENTS": how}
    happen("email.bounced", recipient=ADA)

    assert all(address.startswith("sha256:") for address in listed())
    assert suppressed_among(["ADA@example.com", "bob@example.com"]) == {"ADA@example.com"}


def test_a_hashed_recipient_is_suppressed_by_an_event_that_names_nobody(settings: Any) -> None:
    settings.POSTSTACK = {"SUPPRESSIONS": True, "STORE_RECIPIENTS": "hashed"}
    stored([ADA])
    Accepted().arrives()
    happen("email.complained")

    assert suppressed_among([ADA]) == {ADA}


def test_nobody_leaves_the_list_with_a_change_of_settings_or_key(settings: Any) -> None:
    suppress(ADA)
    settings.POSTSTACK = {"STORE_RECIPIENTS": "hashed"}
    suppress("bob@example.com")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]

    assert suppressed_among([ADA, "bob@example.com"]) == {ADA, "bob@example.com"}
    assert unsuppress("Bob <bob@example.com>") is True
    assert suppressed_among([ADA, "bob@example.com"]) == {ADA}


# By functions


def test_suppressing_twice_is_suppressing_once() -> None:
    assert [suppress(ADA), suppress("Ada <ADA@EXAMPLE.COM>", "complaint")] == [True, False]
    assert listed() == {ADA: "manual"}
    assert [unsuppress("Ada@example.com"), unsuppress(ADA)] == [True, False]
    assert listed() == {}


@pytest.mark.parametrize(("address", "reason"), [("nobody", "manual"), (ADA, "boredom")])
def test_what_makes_no_sense_is_refused_without_the_address(address: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # whatever the text
        suppress(address, reason)

    assert address not in str(caught.value)


def test_given_spellings_come_back(django_assert_num_queries: Any) -> None:
    suppress(ADA)
    given = ["ADA@example.com", "Ada <ada@example.com>", "bob@example.com"]

    with django_assert_num_queries(1):
        assert suppressed_among(given) == set(given[:2])
    with django_assert_num_queries(0):
        assert suppressed_among([]) == set()


def test_many_are_added_with_reasons_of_any_version() -> None:
    suppress(ADA, "complaint")

    assert suppress_all([(ADA, "manual"), ("bob@example.com", "invented"), ("BOB@example.com", "hard_bounce")]) == 1
    assert listed() == {ADA: "complaint", "bob@example.com": "hard_bounce"}


# The command


@pytest.fixture
def post(settings: Any) -> Iterator[EmulatorSession]:
    with emulator() as session:
        settings.POSTSTACK = {"SUPPRESSIONS": True, "CLIENT": session.client}
        yield session


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("poststack_suppressions", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_list_can_be_kept_by_hand() -> None:
    assert run("add", ADA, "--reason", "unsubscribe") == "Added.\n"
    assert run("add", "ADA@example.com") == "It was on the list already.\n"
    assert run("list").split("\t")[:2] == [ADA, "unsubscribe"]
    assert run("remove", ADA) == "Removed.\n"
    assert run("remove", ADA) == "It was not on the project's list.\n"
    assert run("list") == run("add", ADA, verbosity=0) == ""


def test_the_list_of_poststack_is_pulled(post: EmulatorSession) -> None:
    client = post.client()
    for number in range(130):
        client.suppressions.add({"email": f"user{number}@example.com", "reason": "hard_bounce"})
    suppress("user7@example.com", "complaint")

    assert run("pull") == "130 addresses at PostStack, 129 of them new here.\n"
    assert run("pull") == "130 addresses at PostStack, 0 of them new here.\n"
    assert listed()["user7@example.com"] == "complaint"
    assert listed()["user8@example.com"] == "hard_bounce"


def test_an_address_can_be_removed_there_as_well(post: EmulatorSession) -> None:
    client = post.client()
    client.suppressions.add({"email": ADA, "reason": "manual"})
    run("pull")

    assert run("remove", "Ada <ADA@example.com>", "--also-at-poststack") == "Removed.\n"
    assert list(client.suppressions.iterate()) == []
    suppress(ADA)
    assert run("remove", ADA, "--also-at-poststack") == "Removed.\n"


def test_a_failure_there_leaves_the_list_here(post: EmulatorSession) -> None:
    suppress(ADA)
    post.fail(403, path="/suppressions")
    with pytest.raises(CommandError, match="status 403"):
        run("remove", ADA, "--also-at-poststack")

    assert listed() == {ADA: "manual"}


def test_the_command_explains_what_is_wrong(settings: Any) -> None:
    with pytest.raises(CommandError, match=r"name@example\.com"):
        run("add", "nobody")
    settings.POSTSTACK = {}
    with pytest.raises(CommandError, match="No PostStack API key"):
        run("pull")
    settings.POSTSTACK = {"CLIENT": object}
    with pytest.raises(CommandError, match="can only send"):
        run("pull")
    with pytest.raises(CommandError, match="no mailer 'other'"):
        run("pull", "--mailer", "other")


def test_an_address_that_bounced_is_sent_nothing_more(post: EmulatorSession, settings: Any) -> None:
    from django.core.mail import EmailMessage

    from poststack_django.backends import EmailBackend
    from poststack_django.errors import SuppressedRecipientsError

    happen("email.bounced", recipient="bounce@example.com")
    with pytest.raises(SuppressedRecipientsError):
        EmailBackend().send_messages([EmailMessage("Hi", "…", "a@example.com", ["Bounce@example.com"])])

    assert post.sent == []
