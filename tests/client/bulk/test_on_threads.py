"""How the synchronous `send_many` ends: no thread goes on, whoever lets go of it and wherever."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import ContextVar
from typing import Any

import pytest

from poststack import BulkResult, PostStack
from poststack.transports.base import HttpRequest, HttpResponse, SystemClock
from poststack.transports.httpcore import HttpcoreTransport
from tests.client.bulk.world import URL, World, WorldTransport
from tests.patience import PATIENCE
from tests.scripted import FakeClock
from tests.servers import Server, Visitor, serving

COUNT = 3_000


def emails(count: int = COUNT) -> Iterator[Any]:
    for number in range(count):
        yield {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": "Hello"}


def threads() -> set[threading.Thread]:
    """Return those that send."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("poststack-bulk")}


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to bring about."""
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.002)


def is_in(function: str, thread: int) -> bool:
    """Return whether a thread is in a function of this name, such as a pool's `shutdown`."""
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def test_its_threads_end_with_it() -> None:
    before = threads()
    with closing(World().client().emails.send_many(emails())) as sending:
        next(sending)
        assert threads() - before
    assert threads() == before

    assert len(list(World().client().emails.send_many(emails(250)))) == 250
    assert threads() == before


def test_one_call_at_a_time_needs_no_thread() -> None:
    before = threads()
    for _ in World().client().emails.send_many(emails(250), concurrency=1):
        assert threads() == before


def answer_later(visitor: Visitor) -> None:
    """Ask for patience, as an API in maintenance does."""
    while visitor.request() and visitor.send(
        b"HTTP/1.1 503 Down\r\nRetry-After: 59\r\nContent-Length: 16\r\n\r\n" + b'{"error":"Down"}'
    ):
        pass


class StandIn(HttpcoreTransport):
    """Lives by a clock that stands for the real one, as those of applications do."""

    class Clock(FakeClock):
        current = SystemClock()

        def sleep(self, seconds: float) -> None:
            self.current.sleep(seconds)

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.Clock()


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("rate_limit", [None, 0.01])
@pytest.mark.parametrize("transport", [HttpcoreTransport, StandIn])
def test_a_wait_ends_with_it(transport: type[HttpcoreTransport], retries: int, rate_limit: float | None) -> None:
    """Between two attempts, two rounds, and for a turn; they would last a minute, twice as long as this test may."""

    def given(server: Server) -> Iterator[Any]:
        yield from emails(150)
        until(lambda: len(server.requests) >= 1)
        raise KeyboardInterrupt

    before = threads()
    with (
        serving(answer_later) as server,
        PostStack("sk_test_1", server.url, max_retries=retries, rate_limit=rate_limit) as client,
    ):
        sending = client.emails.send_many(given(server), retry_for=1_000.0)
        with pytest.raises(KeyboardInterrupt):
            next(sending)
        assert threads() == before


def test_no_other_call_begins_when_one_that_is_under_way_is_refused() -> None:
    """It would be divided, call after call, until it is known which of its e-mails was meant."""
    world, calls = World(), list[int]()

    def given() -> Iterator[Any]:
        yield from emails(150)
        until(lambda: world.in_flight >= 1)
        raise KeyboardInterrupt

    class Refusing(WorldTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            world.enter()
            try:
                calls.append(1)
                until(lambda: is_in("shutdown", caller))
                return HttpResponse(422, {}, b'{"error": "No"}')
            finally:
                world.leave()

    caller = threading.get_ident()
    sending = PostStack("sk_test_1", URL, transport=Refusing(world)).emails.send_many(given())
    with pytest.raises(KeyboardInterrupt):
        next(sending)

    assert calls == [1]


def test_one_that_is_let_go_of_ends_by_itself() -> None:
    before, world = threads(), World()
    for _ in world.client().emails.send_many(emails()):
        break
    gc.collect()  # For interpreters that count no references.

    assert threads() == before
    assert world.in_flight == 0


def test_it_may_be_collected_on_one_of_its_own_threads() -> None:
    """As it happens to one in a circle of references: garbage is collected on whatever thread is at work."""
    world, collected, go = World(), threading.Event(), threading.Event()

    class Collecting(WorldTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            answer = super().send(request)
            if world.number_of_calls > 1 and go.wait(20) and not collected.is_set():
                gc.collect()
                collected.set()
            return answer

    before = threads()
    client = PostStack("sk_test_1", URL, transport=Collecting(world))
    circle: list[Any] = [client.emails.send_many(emails(), concurrency=2)]
    circle.append(circle)
    next(circle[0])
    gc.disable()
    try:
        del circle
        go.set()
        assert collected.wait(20)
    finally:
        gc.enable()
    until(lambda: threads() == before)


def test_one_client_sends_for_several_threads_at_once() -> None:
    world = World()
    client = world.client()
    results: dict[str, list[BulkResult]] = {}

    def send(prefix: str) -> None:
        results[prefix] = list(client.emails.send_many(emails(250), key_prefix=prefix, concurrency=2))

    senders = [threading.Thread(target=send, args=(prefix,)) for prefix in "abcd"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    for prefix in "abcd":
        assert [world.ids[str(result.id)] for result in results[prefix]] == [
            (f"u{number}@example.net", f"{prefix}-{number}") for number in range(250)
        ]
    assert world.most_in_flight <= 8


request_id: ContextVar[str] = ContextVar("request_id", default="none")


def test_calls_are_made_in_the_context_of_their_caller() -> None:
    seen: list[str] = []

    class Noting(WorldTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            seen.append(request_id.get())
            request_id.set("changed")
            return super().send(request)

    token = request_id.set("r-17")
    try:
        client = PostStack("sk_test_1", URL, transport=Noting(World()))
        assert len(list(client.emails.send_many(emails(300)))) == 300
        assert request_id.get() == "r-17"
    finally:
        request_id.reset(token)
    assert seen == ["r-17"] * 3


PROGRAM = """
import sys
from poststack import PostStack
def given():
    number = 0
    while True:
        yield {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": "Hello"}
        number += 1
with PostStack("sk_test_1", sys.argv[1]) as client:
    try:
        for result in client.emails.send_many(given(), key_prefix="news", concurrency=int(sys.argv[2])):
            if result.index % 100 == 0:
                print(result.index, flush=True)
    except KeyboardInterrupt:
        import threading
        print("interrupted", sum(thread.name.startswith("poststack-bulk") for thread in threading.enumerate()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="There are no such signals there.")
@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_ctrl_c_ends_a_program_that_sends(emulator_url: str, concurrency: str) -> None:
    command = [sys.executable, "-c", PROGRAM, emulator_url, concurrency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for _ in range(3):
                assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (out.split("\n")[-2], errors, process.returncode) == ("interrupted 0", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_can_let_go_of_it() -> None:
    world = World()
    client = world.client()
    sending = client.emails.send_many(emails(), key_prefix="parent")
    next(sending)

    child = os.fork()
    if child == 0:
        status = 1
        try:
            sending.close()
            results = list(client.emails.send_many(emails(250), key_prefix="child"))
            status = 0 if all(result.sent for result in results) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert sum(1 for _ in sending) == COUNT - 1
    assert set(world.taken.values()) == {1}
