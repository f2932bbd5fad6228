"""The stream that open pages listen to, over a real connection."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Message

from poststack.emulator.core import Emulator
from poststack.emulator.inbox.views.live import LiveUpdates
from poststack.emulator.state import AppState
from poststack.transports.base import HttpRequest
from tests.emulator.inbox.served import Served

CHANGES = 400


async def events(updates: LiveUpdates) -> AsyncIterator[str]:
    """What is streamed to a page that stays open."""

    async def nothing() -> Message:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never returns

    answer = await updates.stream(Request({"type": "http", "method": "GET", "headers": []}, nothing))
    assert isinstance(answer, StreamingResponse)
    return (str(chunk) async for chunk in answer.body_iterator)


def email(subject: str) -> HttpRequest:
    payload = {"from": "a@example.com", "to": ["ada@example.com"], "subject": subject, "text": "Hello"}
    headers = {"authorization": "Bearer sk_test_live", "content-type": "application/json"}
    return HttpRequest("POST", "http://emulator/emails", headers, json.dumps(payload).encode())


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


def test_many_changes_at_once_are_few_words() -> None:
    async def told_of_changes() -> list[str]:
        state = AppState(Emulator())
        state.listen()
        chunks = await events(LiveUpdates(state))
        told = [await anext(chunks)]

        async def change() -> None:
            for number in range(CHANGES):
                state.emulator.handle(email(str(number)), state.now())
                await asyncio.sleep(0)  # Whoever listens may say so now.

        changing = asyncio.create_task(change())
        while not (changing.done() and f"data: {state.store.revision}\n" in told[-1]):
            told.append(await anext(chunks))
        return told

    # Without a pause, every change would be a word. It is as long as very many changes.
    assert len(asyncio.run(told_of_changes())) < CHANGES / 4


def test_a_listener_that_leaves_is_forgotten(served: Served) -> None:
    for _ in range(3):
        with httpx.stream("GET", f"{served.address}/inbox/live", timeout=20) as stream:
            next(line for line in stream.iter_lines() if line.startswith("data: "))
    served.send(subject="After")

    assert "After" in httpx.get(f"{served.address}/inbox/").text


def test_a_quiet_stream_gives_signs_of_life_and_ends_by_itself() -> None:
    async def told() -> list[str]:
        return [chunk async for chunk in await events(LiveUpdates(AppState(Emulator()), heartbeat=0.01, longest=0.2))]

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
