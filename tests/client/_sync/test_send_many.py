# Written by tools/unasync.py from tests/client/_async/test_send_many.py. Do not edit.
"""Any number of e-mails with one call: what becomes of each, and of how it is called."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from poststack import (
    BulkProgress,
    BulkResult,
    PostStack,
    PostStackConnectionError,
    PostStackError,
    PostStackResponseError,
)
from poststack.testing import EmulatorSession
from tests.client.bulk import awaited
from tests.client.bulk.world import LARGEST_CALL, World
from tests.scripted import ScriptedTransport, response

pytestmark = pytest.mark.anyio


def email(number: int = 0, **changes: object) -> Any:
    plain = {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": "Hello"}
    return {**plain, **changes}


def emails(count: int) -> list[Any]:
    return [email(number) for number in range(count)]


def sent(client: PostStack, given: Any, **options: Any) -> list[BulkResult]:
    results = list[BulkResult]()
    for result in client.emails.send_many(given, **options):
        results.append(result)  # so that its twin is one that can be read
    return results


def test_each_e_mail_has_a_result_in_order(client: PostStack, emu: EmulatorSession) -> None:
    results = sent(client, emails(250), key_prefix="news")

    assert [result.index for result in results] == list(range(250))
    assert [result.idempotency_key for result in results] == [f"news-{number}" for number in range(250)]
    assert all(result.sent and result.error is None and not result.replayed for result in results)
    to = {arrived.id: arrived.to for arrived in emu.sent}
    assert [to[str(result.id)] for result in results] == [[f"u{number}@example.net"] for number in range(250)]
    assert len(emu.sent) == 250


def test_a_hundred_of_them_share_a_call() -> None:
    world = World()

    sent(world.client(), iter(emails(250)), concurrency=1)

    assert [len(call) for call in world.received] == [100, 100, 50]


def test_nothing_to_send_is_no_call() -> None:
    world, progress = World(), list[BulkProgress]()

    assert sent(world.client(), (), on_progress=progress.append) == []
    assert (world.received, progress) == ([], [])


@pytest.mark.parametrize("concurrency", [1, 2, 100])
def test_what_is_in_flight_is_bounded(concurrency: int) -> None:
    world = World()

    results = sent(world.client(), emails(3_000), concurrency=concurrency)

    assert all(result.sent for result in results)
    assert 1 <= world.most_in_flight <= concurrency


def test_the_input_is_taken_as_the_results_are() -> None:
    taken = itertools.count()
    endless: Iterator[Any] = (email(next(taken)) for _ in itertools.count())

    with closing(World().client().emails.send_many(endless, concurrency=3)) as sending:
        for result in sending:
            if result.index == 1_000:
                break

    assert next(taken) <= 1_000 + 100 + 3 * 2 * 100


def test_what_has_been_done_is_told_on_the_way() -> None:
    world, progress = World(), list[BulkProgress]()
    given = emails(150)
    given[3] = "no e-mail"

    sent(world.client(), given, key_prefix="news", on_progress=progress.append)
    sent(world.client(), given, key_prefix="news", on_progress=progress.append)

    assert progress == [(99, 1, 0), (149, 1, 0), (99, 1, 99), (149, 1, 149)]
    assert [told.done for told in progress] == [100, 150, 100, 150]


# Wrong e-mails, and keys


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "ada@example.com",
        7,
        [],
        {},
        email(to=[]),
        email(to=None),
        email(to=[{"email": "ada@example.com"}]),
        {**email(), "from": ""},
        email(subject="Hi\r\nBcc: eve@example.com"),
        email(variables={"sum": float("nan")}),
        email(scheduled_at=datetime(2030, 1, 1)),  # noqa: DTZ001  # only that it is none of JSON's types counts
        email(text="\ud800"),
        email(tags={"news"}),
        email(variables={("a", "b"): 1}),
        email(attachments=[{"filename": "a", "content": "A" * 14_000_000}]),
        email(idempotency_key=""),
        email(idempotency_key=" \t"),
        email(idempotency_key=7),
        email(idempotency_key="\udcff"),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_a_wrong_e_mail_costs_no_other(wrong: Any) -> None:
    world = World()

    results = sent(world.client(), [email(0), wrong, email(2)], key_prefix="news")

    assert [result.sent for result in results] == [True, False, True]
    assert isinstance(results[1].error, ValueError)
    assert (results[1].id, results[1].index, results[1].idempotency_key) == (None, 1, "news-1")
    assert world.received == [["u0@example.net", "u2@example.net"]]


def test_wrong_e_mails_alone_are_no_call() -> None:
    world, progress = World(), list[BulkProgress]()

    results = sent(world.client(), [{"to": []}] * 150, on_progress=progress.append)

    assert [result.sent for result in results] == [False] * 150
    assert world.received == []
    assert progress[-1] == (0, 150, 0)


def test_an_e_mail_may_be_any_mapping(client: PostStack, emu: EmulatorSession) -> None:
    class Payload(dict[str, Any]):
        """An application's own."""

    given = [MappingProxyType(email(0)), MappingProxyType(email(1, idempotency_key="own")), Payload(email(2))]

    results = sent(client, given)

    assert [result.error for result in results] == [None] * 3
    assert len(emu.sent) == 3


def test_the_application_s_e_mails_are_not_changed(client: PostStack) -> None:
    given = [email(0, to="ada@example.com"), email(1, idempotency_key=None)]

    results = sent(client, given)

    assert [result.sent for result in results] == [True, True]
    assert given == [email(0, to="ada@example.com"), email(1, idempotency_key=None)]


def test_repeating_with_the_same_prefix_sends_nothing_again(client: PostStack, emu: EmulatorSession) -> None:
    first = sent(client, emails(120), key_prefix="news-2026-12")
    again = sent(client, emails(150), key_prefix="news-2026-12", concurrency=1)

    assert [result.replayed for result in again] == [True] * 120 + [False] * 30
    assert [result.id for result in again[:120]] == [result.id for result in first]
    assert len(emu.sent) == 150


def test_without_a_prefix_each_run_has_its_own(client: PostStack, emu: EmulatorSession) -> None:
    first, second = sent(client, emails(2)), sent(client, emails(2))

    assert len({result.idempotency_key for result in first + second}) == 4
    assert len(emu.sent) == 4


def test_a_result_names_the_key_with_which_its_e_mail_can_be_repeated(client: PostStack, emu: EmulatorSession) -> None:
    [result] = sent(client, [email()])

    again = client.emails.send(email(idempotency_key=result.idempotency_key))

    assert again == {"id": result.id, "replayed": True, "test_mode": True} or again.get("replayed")
    assert len(emu.sent) == 1


@pytest.mark.parametrize("key", ["order-1042", "bestellung-ä-☃", "a b%c", "x" * 255])
def test_an_e_mail_s_own_key_is_kept(client: PostStack, emu: EmulatorSession, key: str) -> None:
    emu.fail(lost_answer=True, times=1)

    results = sent(client, [email(0, idempotency_key=key), email(1)], key_prefix="news")

    assert [result.idempotency_key for result in results] == [key, "news-1"]
    assert [result.error for result in results] == [None, None]
    assert len(emu.sent) == 2


def test_two_of_one_key_are_one_e_mail(client: PostStack, emu: EmulatorSession) -> None:
    results = sent(client, [email(0, idempotency_key="a")] * 2 + [email(1, idempotency_key="a")])

    assert [result.sent for result in results] == [True, True, False]
    assert [result.replayed for result in results] == [False, True, False]
    assert results[0].id == results[1].id
    assert isinstance(results[2].error, PostStackError)
    assert results[2].error.status_code == 422
    assert len(emu.sent) == 1


# Sizes


def sized(number: int, size: int) -> Any:
    """Return an e-mail that is so many bytes long when it is sent under the key `k-<number>`."""
    import json

    plain = email(number, text="", idempotency_key=f"k-{number}")
    return {**plain, "text": "x" * (size - len(json.dumps(plain, separators=(",", ":"))))}


@pytest.mark.parametrize(("more", "calls"), [(0, [2]), (1, [1, 1])])
def test_a_call_is_exactly_as_large_as_it_may_be(more: int, calls: list[int]) -> None:
    world = World()
    around = len('{"emails":[,]}')

    results = sent(
        world.client(), [sized(0, 5_000_000), sized(1, LARGEST_CALL - 5_000_000 - around + more)], concurrency=1
    )

    assert [result.sent for result in results] == [True, True]
    assert [len(call) for call in world.received] == calls


def test_an_e_mail_that_is_larger_goes_alone() -> None:
    world = World()

    results = sent(world.client(), [email(0), sized(1, LARGEST_CALL + 1), email(2), email(3)])

    assert [result.sent for result in results] == [True] * 4
    assert sorted(len(call) for call in world.received) == [1, 1, 2]


# Calls that are refused


@pytest.mark.parametrize("status", ["400", "403", "413", "422"])
@pytest.mark.parametrize("bad", [{0}, {57}, {99}, {3, 4, 90}])
def test_a_call_refused_for_one_e_mail_costs_no_other(status: str, bad: set[int]) -> None:
    world = World()
    unwanted = {f"u{number}@example.net" for number in bad}
    world.decide = lambda recipients: status if unwanted & set(recipients) else None

    results = sent(world.client(), emails(200), key_prefix="news")

    assert {result.index for result in results if not result.sent} == bad
    for number in bad:
        error = results[number].error
        assert isinstance(error, PostStackError)
        assert error.status_code == int(status)
        assert not error.may_have_taken_effect
    assert set(world.taken.values()) == {1}
    # To find one of a hundred takes 13 calls or so.
    assert len(world.received) <= 2 + 16 * len(bad)


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_when_all_are_refused_each_takes_hardly_more_than_one_call(status: str) -> None:
    world = World()
    world.decide = lambda _: status

    results = sent(world.client(), emails(300))

    assert not any(result.sent for result in results)
    assert len(world.received) <= 300 + 3 * 8


@pytest.mark.parametrize(("fate", "calls"), [("401", 2 * 4), ("429 quota", 2 * 4), ("403", 4 * 30)])
def test_what_is_refused_whatever_is_sent_is_soon_not_tried_any_more(fate: str, calls: int) -> None:
    world = World()
    world.decide = lambda _: fate

    results = sent(world.client(), emails(3_000))

    assert len(results) == 3_000
    assert len(world.received) <= calls
    for result in results:
        assert isinstance(result.error, PostStackError)
        assert result.error.status_code == int(fate[:3])
        assert result.error.quota_exceeded == (fate == "429 quota")
        assert not result.error.may_have_taken_effect
    assert "Not sent" in str(results[-1].error)


def test_what_may_not_be_sent_stops_nothing_while_others_may() -> None:
    world = World()
    # From two domains in turn, one of which is not the key's.
    world.decide = lambda recipients: "403" if any(int(to[1:].partition("@")[0]) % 2 for to in recipients) else None

    results = sent(world.client(), emails(200))

    assert [result.sent for result in results] == [True, False] * 100


def test_a_quota_that_is_used_up_for_one_e_mail_stops_no_other() -> None:
    world = World()
    world.emails = ["accepted", "quota"]

    results = sent(world.client(), emails(300))

    refused = [result.error for result in results if isinstance(result.error, PostStackError)]
    assert 0 < len(refused) < 300
    assert all(error.quota_exceeded and not error.may_have_taken_effect for error in refused)
    assert sum(map(len, world.received)) == 300


@pytest.mark.parametrize("fate", ["404", "302"])
def test_other_refusals_are_for_all_of_a_call(fate: str) -> None:
    world = World()
    world.decide = lambda _: fate

    results = sent(world.client(), emails(250))

    assert len(world.received) == 3
    for result in results:
        assert isinstance(result.error, PostStackError)
        assert result.error.status_code == int(fate)


# What is tried again


@pytest.mark.parametrize("fate", ["429", "429 soon", "500", "503", "503 of its own", "409 in progress", "refused"])
def test_an_outage_goes_unnoticed_that_is_shorter_than_the_patience(fate: str) -> None:
    world = World()
    down_until = world.clock.now + 30
    world.decide = lambda _: fate if world.clock.now < down_until else None

    results = sent(world.client(), emails(120), retry_for=600.0)

    assert all(result.sent for result in results)
    assert set(world.taken.values()) == {1}


@pytest.mark.parametrize(("fate", "in_doubt"), [("500", True), ("503 of its own", False), ("429 soon", False)])
def test_a_longer_one_is_told_of_each_e_mail(fate: str, in_doubt: bool) -> None:
    world = World()
    world.decide = lambda _: fate
    began = world.clock.now

    results = sent(world.client(max_retries=0), emails(120), retry_for=20.0, concurrency=1)

    assert 2 < len(world.received) < 60
    assert world.clock.now <= began + 2 * 20.0 + 2
    for result in results:
        assert isinstance(result.error, PostStackError)
        assert result.error.transient
        assert result.error.may_have_taken_effect == in_doubt


def test_with_no_patience_a_call_has_its_own_retries_only() -> None:
    world = World()
    world.decide = lambda _: "500"

    sent(world.client(max_retries=2), emails(1), retry_for=0)

    assert len(world.received) == 3


@pytest.mark.parametrize("fate", ["fails", "fails after", "too fast", "strange", "no id", "number", "null"])
def test_only_what_failed_transiently_is_tried_again(fate: str) -> None:
    world = World()
    given = emails(100)

    def decide(recipients: list[str]) -> str | None:
        world.emails = ["accepted"] * 9 + [fate] if len(recipients) == 100 else ["accepted"]
        return None

    world.decide = decide
    results = sent(world.client(), given)

    assert all(result.sent for result in results)
    first, second = world.received
    assert 0 < len(second) < len(first) == 100
    assert {result.replayed for result in results} == ({False, True} if fate in TAKEN_ALL_THE_SAME else {False})
    assert set(world.taken.values()) == {1}


TAKEN_ALL_THE_SAME = {"fails after", "strange", "no id", "number", "null"}


@pytest.mark.parametrize("fate", ["refused", "422", "quota"])
def test_what_is_refused_for_good_is_not_tried_again(fate: str) -> None:
    world = World()
    world.emails = [fate]

    results = sent(world.client(), emails(3))

    assert len(world.received) == 1
    assert not any(result.sent for result in results)


def test_who_is_asked_to_wait_for_long_keeps_no_other_waiting() -> None:
    world = World()
    calls = itertools.count()

    def decide(recipients: list[str]) -> str | None:
        if len(recipients) > 1:
            return "413"
        return ["429 late", "500", None][min(next(calls), 2)]

    world.decide = decide
    late, soon = sent(world.client(max_retries=0), emails(2))

    assert isinstance(late.error, PostStackError)
    assert late.error.retry_after == 120
    assert soon.sent


@pytest.mark.parametrize("fate", ["lost", "reset", "500 after", "503 after", "too few", "too many", "garbled"])
def test_an_answer_that_is_lost_doubles_nothing(fate: str) -> None:
    world = World()
    world.decide = lambda _: fate if len(world.received) == 1 else None

    results = sent(world.client(), emails(100))

    assert [(result.sent, result.replayed) for result in results] == [(True, True)] * 100
    assert set(world.taken.values()) == {1}


@pytest.mark.parametrize(
    ("fate", "kind"),
    [("lost", PostStackConnectionError), ("reset", PostStackConnectionError), ("garbled", PostStackResponseError),
     ("no data", PostStackResponseError), ("too few", PostStackResponseError), ("no objects", PostStackResponseError),
     ("null", PostStackResponseError)],
)  # fmt: skip
def test_without_an_answer_it_is_said_that_it_may_have_been_accepted(fate: str, kind: type[PostStackError]) -> None:
    world = World()
    world.calls = [fate]

    results = sent(world.client(), emails(3), retry_for=0)

    for result in results:
        assert isinstance(result.error, kind)
        assert result.error.may_have_taken_effect


@pytest.mark.parametrize("refusal", ["400", "401", "404", "422", "429 quota", "429 late", "503 of its own"])
def test_a_refusal_is_no_proof_after_an_attempt_without_an_answer(refusal: str) -> None:
    world = World()
    world.decide = lambda _: "lost" if len(world.received) == 1 else refusal

    results = sent(world.client(max_retries=0), emails(2), retry_for=2.0)

    assert world.taken.total() == 2
    for result in results:
        assert isinstance(result.error, PostStackError)
        assert result.error.may_have_taken_effect
        assert str(result.error).count("An earlier attempt had no clear answer") == 1
        assert "earlier attempt" not in result.error.error


def test_neither_is_a_refusal_of_the_e_mail_alone() -> None:
    world = World()

    def decide(recipients: list[str]) -> str | None:
        world.emails = ["accepted"] if len(world.received) == 1 else ["refused"]
        return "lost" if len(world.received) == 1 else None

    world.decide = decide
    [result] = sent(world.client(), emails(1))

    assert world.taken.total() == 1
    assert isinstance(result.error, PostStackError)
    assert result.error.may_have_taken_effect


def test_a_deadline_is_each_call_s_and_the_patience_all_calls_for_an_e_mail() -> None:
    world = World()
    up_at = world.clock.now + 40
    world.decide = lambda _: "500" if world.clock.now < up_at else None

    results = sent(world.client(deadline=5.0, max_retries=80), emails(2), retry_for=100.0)

    assert [result.sent for result in results] == [True, True]


def test_calls_keep_to_the_client_s_limit() -> None:
    world = World()
    began = world.clock.now

    results = sent(world.client(rate_limit=2), emails(1_000), concurrency=1)

    assert all(result.sent for result in results)
    assert world.clock.now - began >= 4.5


# How it ends


class InputError(Exception):
    """What an application's own generator raises."""


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_what_the_input_raises_is_raised_when_all_before_it_is_known(count: int) -> None:
    world, results = World(), list[BulkResult]()

    def given() -> Iterator[Any]:
        yield from emails(count)
        raise InputError

    sending = world.client().emails.send_many(given())
    for _ in range(count):
        results.append(sending.__next__())
    with pytest.raises(InputError):
        sending.__next__()

    assert [result.sent for result in results] == [True] * count


@pytest.mark.parametrize("given", [None, 7, "ada@example.com", b"", email(), {"emails": emails(2)}, object()])
def test_what_holds_no_e_mails_is_refused_at_once(client: PostStack, given: Any) -> None:
    with pytest.raises(ValueError, match="send_many takes a list"):
        client.emails.send_many(given)


# Not written here, because the twin of this file awaits nothing.
ToldLater, told_later = awaited.ToldLater, awaited.told_later


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": 101},
        {"concurrency": -1},
        {"concurrency": 2.5},
        {"concurrency": "4"},
        {"concurrency": None},
        {"concurrency": True},
        {"retry_for": -1},
        {"retry_for": float("nan")},
        {"retry_for": float("inf")},
        {"retry_for": None},
        {"retry_for": True},
        {"key_prefix": ""},
        {"key_prefix": " "},
        {"key_prefix": 7},
        {"key_prefix": "\ud800"},
        {"key_prefix": "zürich"},
        {"key_prefix": "news\n"},
        {"key_prefix": "x" * 201},
        {"on_progress": 5},
        {"on_progress": "print"},
        {"on_progress": told_later},
        {"on_progress": partial(told_later)},
        {"on_progress": ToldLater()},
        {"timeout": 0},
        {"timeout": float("nan")},
    ],
    ids=lambda options: ascii(next(iter(options))),
)
def test_options_that_cannot_work_are_refused_at_once(client: PostStack, options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        client.emails.send_many([email()], **options)


def test_the_longest_prefix_makes_keys_that_are_taken(client: PostStack, emu: EmulatorSession) -> None:
    prefix = "x" * 200

    assert [result.idempotency_key for result in sent(client, emails(2), key_prefix=prefix)] == [
        f"{prefix}-0",
        f"{prefix}-1",
    ]
    assert len(emu.sent) == 2


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_on_progress_raises_ends_it(concurrency: int) -> None:
    world = World()

    def fail(progress: BulkProgress) -> None:
        raise InputError(progress)

    with pytest.raises(InputError):
        sent(world.client(), emails(3_000), on_progress=fail, concurrency=concurrency)

    assert world.in_flight == 0
    assert len(world.received) <= 2 * concurrency


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_defect_of_a_transport_is_raised_and_ends_it(concurrency: int) -> None:
    world = World()

    def fail(recipients: list[str]) -> str | None:
        if "u250@example.net" in recipients:
            raise ZeroDivisionError
        return None

    world.decide = fail
    sending = world.client().emails.send_many(emails(3_000), concurrency=concurrency)
    for _ in range(200):
        assert (sending.__next__()).sent
    with pytest.raises(ZeroDivisionError):
        sending.__next__()

    assert world.in_flight == 0


def test_closed_before_it_has_begun_it_does_nothing() -> None:
    world, given = World(), iter(emails(3))

    sending = world.client().emails.send_many(given)
    sending.close()
    sending.close()

    assert world.received == []
    assert len(list(given)) == 3


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("after", [1, 100, 150])
def test_whoever_stops_in_the_middle_leaves_nothing_running(concurrency: int, after: int) -> None:
    world, is_closed = World(), list[bool]()

    def given() -> Iterator[Any]:
        try:
            yield from emails(3_000)
        finally:
            is_closed.append(True)

    source = given()
    with closing(world.client().emails.send_many(source, concurrency=concurrency)) as sending:
        for result in sending:
            if result.index + 1 == after:
                break

    calls = len(world.received)
    assert world.in_flight == 0
    assert calls <= 2 + 2 * concurrency
    assert is_closed == [True]
    sending.close()
    with pytest.raises(StopIteration):
        sending.__next__()
    assert len(world.received) == calls


def test_one_client_sends_many_while_it_sends_many() -> None:
    world = World()
    client = world.client()
    inner = list[BulkResult]()

    for result in client.emails.send_many(emails(250), key_prefix="outer"):
        if result.index % 100 == 0:
            inner += sent(client, [email(10_000 + result.index)], key_prefix=f"inner-{result.index}")

    assert [result.sent for result in inner] == [True] * 3
    assert world.taken.total() == 253


def test_results_hold_on_to_no_e_mail() -> None:
    world = World()
    world.decide = lambda _: "lost"

    given = [*emails(3), email(to=[]), email(text="\ud800")]
    results = sent(world.client(max_retries=0), given, retry_for=0)

    for result in results:
        error: BaseException | None = result.error
        assert error is not None
        while error is not None:
            assert error.__traceback__ is None
            error = error.__cause__ or error.__context__


def test_a_result_shows_no_address() -> None:
    world = World()
    results = sent(world.client(), [email(0), email(1, to=["eve\n@example.com"])], key_prefix="news")

    assert "@" not in repr(results)
    assert repr(results[0]) == "BulkResult(index=0, id='em_0', idempotency_key='news-0')"


def test_the_key_of_a_call_is_that_of_no_e_mail_and_of_no_other_call() -> None:
    accepted = response(202, {"data": [{"id": f"em_{number}"} for number in range(100)]})
    transport = ScriptedTransport(accepted)
    client = PostStack("sk_test_x", transport=transport)

    results = sent(client, emails(200), key_prefix="news", concurrency=1)

    keys = [request.headers["Idempotency-Key"] for request in transport.requests]
    assert len(set(keys)) == len(keys) == 2
    assert not {result.idempotency_key for result in results} & set(keys)
