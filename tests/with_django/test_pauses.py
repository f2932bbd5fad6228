"""How long a mailer is left alone."""

from __future__ import annotations

from poststack_django.outbox.pauses import FIRST_PAUSE, LONGEST_PAUSE, Pauses


def pause_after(failures: int, retry_after: float | None = None, longest: float = 900.0) -> float:
    pauses = Pauses(longest)
    for _ in range(failures):
        pauses.failed("default", retry_after)
    left = pauses.seconds_left()
    assert left is not None
    return left


def test_it_doubles_with_every_failure_up_to_a_limit() -> None:
    assert 0 < pause_after(1) <= FIRST_PAUSE
    assert FIRST_PAUSE * 2 < pause_after(3) <= FIRST_PAUSE * 4
    assert LONGEST_PAUSE / 2 < pause_after(50) <= LONGEST_PAUSE


def test_retry_after_counts_up_to_the_longest_delay() -> None:
    assert 59 < pause_after(1, 60.0) <= 60
    assert 99 < pause_after(1, 3600.0, longest=100.0) <= 100


def test_success_ends_the_doubling() -> None:
    pauses = Pauses(900.0)
    for _ in range(10):
        pauses.failed("default", None)
        pauses.succeeded("default")

    other = Pauses(900.0)
    other.failed("default", None)
    assert pauses.mailers() == other.mailers() == {"default"}
    assert Pauses(900.0).seconds_left() is None
