"""What is due when, and that what is no longer due takes no room."""

from __future__ import annotations

import tracemalloc

from poststack.emulator.agenda import Agenda


def test_the_earliest_comes_first_and_moved_ones_at_their_new_time() -> None:
    agenda = Agenda()
    for number, at in ((1, 30.0), (2, 10.0), (3, 20.0), (2, 40.0), (3, None)):
        agenda.put(number, at)

    assert agenda.first() == (30.0, 1)


def test_moving_and_removing_take_no_room() -> None:
    agenda = Agenda()
    agenda.put(0, 1e12)
    tracemalloc.start()
    try:
        for number in range(1, 50_000):
            agenda.put(1, 2e12 + number)
            agenda.put(number + 1, 3e12 + number)
            agenda.put(number + 1, None)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert agenda.first() == (1e12, 0)
    assert taken < 1_000_000
