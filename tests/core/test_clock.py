"""The real time."""

from __future__ import annotations

import time

import anyio
import pytest

from poststack._clock import SystemClock
from poststack.transports.base import Clock


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_system_clock_is_a_clock_on_every_loop(backend: str) -> None:
    clock = SystemClock()
    begun = clock.monotonic()

    clock.sleep(0.001)
    anyio.run(clock.asleep, 0.001, backend=backend)

    assert isinstance(clock, Clock)
    assert clock.monotonic() - begun >= 0.002
    assert abs(clock.time() - time.time()) < 60
