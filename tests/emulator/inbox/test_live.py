"""The stream that open pages listen to, over a real connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.emulator.inbox.served import Served


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as running:
        yield running


def test_every_change_is_told_with_the_revision(served: Served) -> None:
    with httpx.stream("GET", f"{served.address}/inbox/live", timeout=20) as stream:
        lines = stream.iter_lines()
        first = next(line for line in lines if line.startswith("data: "))
        served.send(subject="News")
        second = next(line for line in lines if line.startswith("data: "))

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert first == "data: 0"
    assert int(second.removeprefix("data: ")) > 0


def test_many_changes_at_once_are_few_words(served: Served) -> None:
    with httpx.stream("GET", f"{served.address}/inbox/live", timeout=20) as stream:
        lines = stream.iter_lines()
        told = [next(line for line in lines if line.startswith("data: "))]
        sender = threading.Thread(target=lambda: [served.send(subject=str(number)) for number in range(60)])
        sender.start()
        sender.join()
        final = f"data: {served.settled()}"
        while told[-1] != final:
            told.append(next(line for line in lines if line.startswith("data: ")))

    # Every e-mail changes the store several times.
    assert len(told) < 60


def test_a_listener_that_leaves_is_forgotten(served: Served) -> None:
    for _ in range(3):
        with httpx.stream("GET", f"{served.address}/inbox/live", timeout=20) as stream:
            next(line for line in stream.iter_lines() if line.startswith("data: "))
    served.send(subject="After")

    assert "After" in httpx.get(f"{served.address}/inbox/").text
