"""When calls may go. The time is made up, and so is the API; see `tests.core.throttled`."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from itertools import pairwise

import pytest

from poststack._throttle import LONGEST_GAP, LONGEST_HOLD, MARGIN, Throttle
from tests.core.throttled import EPOCH, Api, World

NOW = 1_767_225_600.0
LIMIT = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 7)}


def told(throttle: Throttle, headers: dict[str, str], now: float = 0.0, clock_time: float = NOW) -> float:
    """Return how long the next call waits when one was answered with these headers."""
    throttle.learn(throttle.reserve(now), headers, now, clock_time)
    return throttle.reserve(now).wait


@pytest.mark.parametrize("rate", [0.1, 12.5, 50, 1000])
def test_calls_are_as_far_apart_as_the_limit_says_and_a_little_further(rate: float) -> None:
    throttle = Throttle(rate)

    waits = [throttle.reserve(5.0).wait for _ in range(6)]

    assert waits == pytest.approx([number * MARGIN / rate for number in range(6)])


def test_pauses_are_not_made_up_for() -> None:
    throttle = Throttle(10)
    throttle.reserve(0.0)

    assert [throttle.reserve(60.0).wait for _ in range(2)] == pytest.approx([0, MARGIN / 10])


def test_without_a_limit_nobody_waits() -> None:
    throttle = Throttle()

    assert all(throttle.reserve(0.0).wait == 0 for _ in range(1000))


@pytest.mark.parametrize("at_once", [5, 10, 100])
@pytest.mark.parametrize("tells", [True, False], ids=["told", "untold"])
def test_one_who_knows_the_limit_is_never_refused(at_once: int, tells: bool) -> None:
    api = Api(50, tells=tells)
    world = World(api)
    world.program(500, at_once, Throttle(50))

    took = world.run()

    assert api.refused == 0
    assert len(world.sent_at) == 500
    assert api.most_in(1.0) <= 50
    assert took <= 10 * MARGIN + 0.1


@pytest.mark.parametrize(("limit", "window"), [(50, 1.0), (60, 60.0), (600, 60.0)])
def test_one_who_is_told_the_limit_is_not_refused_while_fewer_are_under_way_than_it_allows(
    limit: int, window: float
) -> None:
    api = Api(limit, window=window)
    world = World(api)
    world.program(limit * 5, at_once=5)

    took = world.run()

    assert api.refused == 0
    assert took <= 5 * window * 1.1


def test_a_crowd_that_knows_nothing_at_first_learns() -> None:
    api = Api(50)
    world = World(api)
    world.program(1000, at_once=100)

    took = world.run()

    assert len(world.sent_at) == 1000
    assert api.refused <= 60  # Of the first hundred, which nobody had told anything.
    assert took <= 20 * 1.25


@pytest.mark.parametrize("tells", [True, False], ids=["told", "untold"])
def test_several_who_do_not_know_of_each_other_get_on(tells: bool) -> None:
    api = Api(50, tells=tells)
    world = World(api)
    for _ in range(4):
        world.program(250, at_once=5)

    took = world.run()

    assert len(world.sent_at) == 1000
    assert api.refused <= 100
    assert took <= 20 * 2


def test_a_429_holds_everybody_back_also_those_who_have_their_turn() -> None:
    throttle = Throttle(1)
    turns = [throttle.reserve(0.0) for _ in range(3)]

    throttle.hold(5.0, 0.5)

    assert not any(throttle.stands(turn) for turn in turns)
    assert throttle.is_held(5.4)
    assert not throttle.is_held(5.5)
    again = throttle.reserve(1.0)
    assert (again.wait, again.granted) == (4.5, False)


def test_those_who_were_held_back_go_one_after_another() -> None:
    throttle = Throttle()
    throttle.hold(2.0, 0.0)

    moments = [throttle.reserve(2.0) for _ in range(20)]

    assert all(turn.granted for turn in moments)
    gaps = [later.wait - earlier.wait for earlier, later in pairwise(moments)]
    assert all(gap > 0 for gap in gaps)
    assert max(gaps) <= LONGEST_GAP


def test_an_earlier_429_does_not_shorten_a_later_one() -> None:
    throttle = Throttle()
    throttle.hold(10.0, 0.0)
    throttle.hold(1.0, 0.1)

    assert throttle.reserve(0.2).wait == pytest.approx(9.8)


def test_turns_after_a_429_stand() -> None:
    throttle = Throttle()
    throttle.hold(1.0, 0.0)
    turn = throttle.reserve(1.0)
    assert throttle.stands(turn)

    throttle.hold(1.0, 1.1)
    assert not throttle.stands(turn)


@pytest.mark.parametrize("seconds", [LONGEST_HOLD + 0.1, 3600.0, float("inf"), float("nan"), -1.0])
def test_what_no_program_should_wait_for_holds_nobody(seconds: float) -> None:
    throttle = Throttle()
    turn = throttle.reserve(0.0)

    throttle.hold(seconds, 0.0)

    assert throttle.stands(turn)
    assert throttle.reserve(0.0).wait == 0
    assert throttle.reserve(100.0).wait == 0


def test_after_429s_calls_come_closer_again() -> None:
    throttle = Throttle()
    for number in range(5):
        throttle.hold(0.5, float(number))
    first = throttle.reserve(10.0), throttle.reserve(10.0)
    later = throttle.reserve(600.0), throttle.reserve(600.0)

    assert first[1].wait - first[0].wait > 0
    assert later[1].wait == later[0].wait == 0


def test_nothing_is_reserved_for_one_who_would_be_too_late() -> None:
    throttle = Throttle(1)
    throttle.reserve(0.0)

    late = throttle.reserve(0.0, until=1.0)

    assert not late.granted
    assert late.wait == pytest.approx(MARGIN)
    assert throttle.reserve(0.0, until=2.0).wait == pytest.approx(MARGIN)
    assert throttle.reserve(0.0).wait == pytest.approx(2 * MARGIN)


@pytest.mark.parametrize(
    "reset",
    [str(NOW + 7), f"{NOW + 7:.3f}", str(int((NOW + 7) * 1000)), "7", "7.0", " 7 "],
    ids=["seconds since 1970", "with decimals", "milliseconds", "from now", "from now with decimals", "with blanks"],
)
def test_the_end_of_a_window_is_understood(reset: str) -> None:
    assert told(Throttle(), LIMIT | {"x-ratelimit-reset": reset}) == pytest.approx(7, abs=0.001)


@pytest.mark.parametrize("skew", [-86_400, -90, 90, 86_400])
def test_a_clock_that_is_wrong_does_not_matter_where_the_server_tells_its_own(skew: float) -> None:
    headers = LIMIT | {"date": formatdate(NOW, usegmt=True)}

    assert told(Throttle(), headers, clock_time=NOW + skew) == pytest.approx(7)


@pytest.mark.parametrize("date", ["", "soon", "Thu, 99 Foo 2026 99:99:99 GMT", ",", "Thu, 01 Jan 9999 00:00:00 GMT"])
def test_a_date_that_is_none_is_passed_over(date: str) -> None:
    wait = told(Throttle(), LIMIT | {"date": date})

    # The last is a date; no window ends before it.
    assert wait == (0 if "9999" in date else 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"x-ratelimit-limit": "0"},
        {"x-ratelimit-limit": "-10"},
        {"x-ratelimit-limit": "many"},
        {"x-ratelimit-limit": "10.5"},
        {"x-ratelimit-limit": "9" * 400, "x-ratelimit-remaining": "9" * 399},
        {"x-ratelimit-limit": "9" * 5000},
        {"x-ratelimit-remaining": "-1"},
        {"x-ratelimit-remaining": "11"},
        {"x-ratelimit-remaining": ""},
        {"x-ratelimit-remaining": "0, 0"},
        {"x-ratelimit-reset": "nan"},
        {"x-ratelimit-reset": "inf"},
        {"x-ratelimit-reset": "-inf"},
        {"x-ratelimit-reset": "-7"},
        {"x-ratelimit-reset": "0"},
        {"x-ratelimit-reset": "3600"},
        {"x-ratelimit-reset": "1e300"},
        {"x-ratelimit-reset": "later"},
        {"x-ratelimit-reset": str(NOW - 7)},
    ],
    ids=lambda changes: " ".join(f"{name[12:]}={value[:8]}" for name, value in changes.items()),
)
def test_headers_that_make_no_sense_change_nothing(changes: dict[str, str]) -> None:
    throttle = Throttle()

    assert told(throttle, LIMIT | changes) == 0
    assert throttle.reserve(0.1).wait == 0
    throttle.learn(throttle.reserve(0.2), LIMIT, 0.2, NOW)
    assert throttle.reserve(0.2).wait > 0  # What makes sense still counts.


@pytest.mark.parametrize("missing", sorted(LIMIT))
def test_headers_that_are_not_there_change_nothing(missing: str) -> None:
    headers = {name: value for name, value in LIMIT.items() if name != missing}

    assert told(Throttle(), headers) == 0


def test_the_rest_of_a_window_is_spread_over_it() -> None:
    throttle = Throttle()
    told(throttle, LIMIT | {"x-ratelimit-remaining": "3"})

    moments = [throttle.reserve(0.0) for _ in range(2)]

    assert [turn.granted for turn in moments] == [True, True]
    assert moments[0].wait < moments[1].wait < 7


def test_answers_that_overtake_each_other_let_no_more_go_than_are_left() -> None:
    throttle = Throttle()
    turns = [throttle.reserve(0.0) for _ in range(10)]
    for turn in (turns[4], turns[0], turns[9], turns[2]):
        remaining = str(10 - turn.number)
        throttle.learn(turn, LIMIT | {"x-ratelimit-remaining": remaining}, 0.1, NOW)

    assert not throttle.reserve(0.2).granted
    assert throttle.reserve(8.0).granted


def test_a_new_window_has_room_again() -> None:
    throttle = Throttle()
    told(throttle, LIMIT)

    assert throttle.reserve(7.5).granted


def test_the_clock_of_the_made_up_api_need_not_be_ours() -> None:
    api = Api(50, clock_error=0.3)
    world = World(api)
    world.program(300, at_once=5)

    world.run()

    assert len(world.sent_at) == 300
    assert api.refused <= 3
    assert EPOCH % 1  # Else windows would end with our own seconds, and the test would show nothing.


def test_threads_get_a_turn_each() -> None:
    throttle = Throttle(10)
    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(throttle.reserve, [0.0] * 400))

    assert sorted(turn.number for turn in turns) == list(range(1, 401))
    assert sorted(turn.wait for turn in turns) == pytest.approx([number * MARGIN / 10 for number in range(400)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Nothing forks here.")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_not_stopped_by_a_thread_of_its_parent() -> None:
    throttle = Throttle(10)
    stop = threading.Event()

    def reserve() -> None:
        while not stop.is_set():
            throttle.reserve(0.0)

    threads = [threading.Thread(target=reserve) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                # Ended by the system when it waits for a lock that nobody frees.
                signal.alarm(30)
                throttle.reserve(0.0)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("short_by", [1e-9, 2e-7])
def test_who_has_waited_goes_although_the_clock_shows_a_little_less(short_by: float) -> None:
    throttle = Throttle()
    throttle.hold(0.02, 100.0)

    assert throttle.reserve(100.0).wait == pytest.approx(0.02)
    assert throttle.reserve(100.02 - short_by).granted
