"""The real time, for transports that wrap others and bring a clock."""

from __future__ import annotations

import asyncio
import time

from poststack.transports.base import Clock, SystemClock


def test_the_real_clock_is_a_clock() -> None:
    clock = SystemClock()
    before = time.monotonic()
    clock.sleep(0.001)
    asyncio.run(clock.asleep(0.001))

    assert isinstance(clock, Clock)
    assert before + 0.002 <= clock.monotonic() <= time.monotonic()
    assert abs(clock.time() - time.time()) < 60
