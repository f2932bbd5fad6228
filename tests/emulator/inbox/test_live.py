"""The stream that open pages listen to, over a real connection."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from poststack.emulator.core import Emulator
from poststack.emulator.inbox.views.live import LiveUpdates
from poststack.emulator.state import AppState
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


def test_a_quiet_stream_gives_signs_of_life_and_ends_by_itself() -> None:
    async def nothing() -> Message:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never returns

    async def told() -> list[str]:
        updates = LiveUpdates(AppState(Emulator()), heartbeat=0.01, longest=0.2)
        answer = await updates.stream(Request({"type": "http", "method": "GET", "headers": []}, nothing))
        return [str(chunk) async for chunk in answer.body_iterator]  # type: ignore[attr-defined]  # it streams

    first, *others = asyncio.run(told())

    assert first == "retry: 1000\n\nevent: change\ndata: 0\n\n"
    assert set(others) == {": still here\n\n"}


def test_an_open_page_does_not_hold_up_the_end() -> None:
    command = [sys.executable, "-m", "poststack.cli", "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        found = next(found for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        with httpx.stream("GET", f"{found[0]}/inbox/live", timeout=20) as stream:
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGINT)
            rest = list(lines)
        said = process.stdout.read()

    # The stream came to its proper end, or reading it would have failed.
    assert "data: 0" in rest
    assert "Traceback" not in said
    assert "Cancel" not in said
    assert process.returncode == 0
