"""What is told while it goes on."""

from __future__ import annotations

import pytest

from poststack.sending_many.outcomes import Failure, Totals
from poststack.sending_many.progress import Lines, Speed, duration
from poststack.sending_many.rows import Place


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3_599.6, "1 h 00 min"), (36_000_060, "10,000 h 01 min")],
)
def test_a_time_is_told_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_speed_is_that_of_the_last_half_minute_and_the_rest_is_estimated_by_bytes() -> None:
    speed = Speed(100_000)
    assert (speed.rate, speed.left) == (None, None)
    for second in range(100):  # Ten rows a second, then a hundred.
        rows = second * 10 if second < 50 else 500 + (second - 50) * 100
        speed.add(float(second), rows, rows * 10)
    assert speed.rate is not None
    assert speed.left is not None
    before = speed.rate
    for second in range(100, 300):
        speed.add(float(second), 5_500 + second, 50_000 + (second - 100) * 100)

    assert before < 100
    assert speed.rate == 1
    assert speed.left == pytest.approx((100_000 - 69_900) / 100)


def test_nothing_is_estimated_at_the_end_and_where_nobody_knows_the_end() -> None:
    for size in (None, 1_000):
        speed = Speed(size)
        speed.add(0.0, 0, 0)
        speed.add(10.0, 100, 1_000)
        assert (speed.rate, speed.left) == (10, None)


def test_a_line_has_the_figures_and_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    lines, totals = Lines(1_000, every=0.0), Totals(sent=1_233)
    totals.add_failure(Failure("ada@example.com is suppressed"))

    lines.show(totals, Place(1_234, 1_235, 250))

    assert capsys.readouterr().err == "25 %, 1,234 rows, 1 failed\n"
    assert dict(totals.reasons) == {"… is suppressed": 1}


def test_there_are_not_as_many_reasons_as_there_are_rows() -> None:
    totals = Totals()
    for number in range(1_000):
        totals.add_failure(Failure(f"Row {number} is wrong."))

    assert len(totals.reasons) <= 21
    assert sum(totals.reasons.values()) == totals.failed == 1_000
    assert Totals.from_json(totals.as_json()) == totals
