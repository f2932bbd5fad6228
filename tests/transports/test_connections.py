"""Connections are reused, bounded, let go of, and never shared by what must not share them."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from poststack import AsyncPostStack, PostStack, PostStackConnectionError, PostStackTimeoutError
from poststack.transports.base import HttpRequest, TransportTimeoutError
from poststack.transports.httpcore import AsyncHttpcoreTransport, HttpcoreTransport
from tests.servers import ACCEPTED, Server, Visitor, answering, serving
from tests.transports.conversations import EMAIL, FLAVOURS, KEY, run_call

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(60)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to bring about."""
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.005)


class Gate:
    """A script that holds back every answer until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = 0
        self.most_waiting = 0
        self._lock = threading.Lock()

    def __call__(self, visitor: Visitor) -> None:
        while visitor.request():
            with self._lock:
                self.waiting += 1
                self.most_waiting = max(self.most_waiting, self.waiting)
            self.opened.wait(20)
            with self._lock:
                self.waiting -= 1
            if not visitor.send(ACCEPTED):
                return


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_calls_one_after_another_share_a_connection(flavour: str) -> None:
    with serving(answering()) as server:
        run_call(flavour, server.url, _five_times(flavour))

        assert len(server.requests) == 5
        assert server.connections == 1
        until(lambda: not server.open_connections)  # Closing the client closed it.


def _five_times(flavour: str) -> Callable[[Any], Any]:
    def plain(client: Any) -> None:
        for _ in range(5):
            client.emails.send(EMAIL)

    async def awaited(client: Any) -> None:
        for _ in range(5):
            await client.emails.send(EMAIL)

    return plain if flavour == "sync" else awaited


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_old_connection_is_not_reused(flavour: str) -> None:
    with serving(answering()) as server:
        run_call(flavour, server.url, _five_times(flavour), transport_options={"keepalive_expiry": 0.0})

        assert server.connections == 5


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("last_words", [b"", b"Connection: close\r\n"])
def test_a_connection_that_the_server_closes_after_each_answer_costs_no_attempt(
    flavour: str, last_words: bytes
) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.request():
            visitor.send(ACCEPTED.replace(b"Content-Type", last_words + b"Content-Type", 1))

    def plain(client: Any) -> None:
        for number in range(4):
            client.emails.send(EMAIL)
            until(lambda: server.connections == number + 1 and not server.open_connections)  # noqa: B023  # called at once

    async def awaited(client: Any) -> None:
        for number in range(4):
            await client.emails.send(EMAIL)
            until(lambda: server.connections == number + 1 and not server.open_connections)  # noqa: B023  # called at once

    with serving(script) as server:
        run_call(flavour, server.url, plain if flavour == "sync" else awaited, max_retries=0)

        assert len(server.requests) == 4


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_connection_closed_just_as_it_is_used_again_is_made_up_for(flavour: str) -> None:
    def script(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(ACCEPTED)
        visitor.request()  # Taken, and never answered: the client cannot know whether it counted.

    with serving(script) as server:
        run_call(flavour, server.url, _five_times(flavour))

        keys = [request.header("idempotency-key") for request in server.requests]
        assert len(set(keys)) == 5
        assert len(keys) > 5


def test_threads_share_one_client_within_its_limit() -> None:
    gate = Gate()
    transport = HttpcoreTransport(max_connections=4)

    with serving(gate) as server, PostStack(KEY, server.url, transport=transport) as client:
        with ThreadPoolExecutor(16) as threads:
            sent = [threads.submit(client.emails.send, EMAIL) for _ in range(64)]
            until(lambda: gate.waiting == 4)
            gate.opened.set()

        assert [future.result() for future in sent] == [{"id": "em_1"}] * 64
        assert gate.most_waiting == 4
        assert server.connections == 4
        assert len({request.header("idempotency-key") for request in server.requests}) == 64


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_share_one_client_within_its_limit(backend: str) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = AsyncHttpcoreTransport(max_connections=4)
        async with AsyncPostStack(KEY, server.url, transport=transport) as client, anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(client.emails.send, EMAIL)
            await anyio.to_thread.run_sync(until, lambda: gate.waiting == 4)
            gate.opened.set()

    with serving(gate) as server:
        anyio.run(main, server, backend=backend)

        assert gate.most_waiting == 4
        assert server.connections == 4
        assert len(server.requests) == 64


def test_waiting_for_a_connection_ends_with_the_timeout() -> None:
    gate = Gate()
    transport = HttpcoreTransport(max_connections=1)

    with serving(gate) as server, PostStack(KEY, server.url, transport=transport, max_retries=0) as client:
        with ThreadPoolExecutor(1) as thread:
            first = thread.submit(client.emails.send, EMAIL)
            until(lambda: gate.waiting == 1)
            with pytest.raises(PostStackTimeoutError, match="no connection became free"):
                client.emails.send(EMAIL, timeout=0.05)
            gate.opened.set()
            assert first.result() == {"id": "em_1"}

        assert client.emails.send(EMAIL) == {"id": "em_1"}
        assert server.connections == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_for_a_connection_ends_with_the_timeout_for_tasks_too(backend: str) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = AsyncHttpcoreTransport(max_connections=1)
        async with AsyncPostStack(KEY, server.url, transport=transport, max_retries=0) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.emails.send, EMAIL)
                await anyio.to_thread.run_sync(until, lambda: gate.waiting == 1)
                with pytest.raises(PostStackTimeoutError, match="no connection became free"):
                    await client.emails.send(EMAIL, timeout=0.05)
                gate.opened.set()
            assert await client.emails.send(EMAIL) == {"id": "em_1"}

    with serving(gate) as server:
        anyio.run(main, server, backend=backend)

        assert server.connections == 1


def test_a_deadline_in_the_past_is_a_timeout_before_anything_is_sent() -> None:
    with serving(answering()) as server:
        request = HttpRequest("GET", server.url, {}, deadline=time.monotonic() - 1)
        with pytest.raises(TransportTimeoutError):
            HttpcoreTransport().send(request)

        assert server.connections == 0


def test_an_address_without_a_path_asks_for_the_root() -> None:
    with serving(answering()) as server:
        transport = HttpcoreTransport()
        assert transport.send(HttpRequest("GET", server.url, {})).status == 202
        transport.close()

        assert server.requests[0].first_line == "GET / HTTP/1.1"


def test_closing_twice_is_harmless_and_a_later_call_opens_again() -> None:
    with serving(answering()) as server:
        client = PostStack(KEY, server.url)
        client.emails.send(EMAIL)
        client.close()
        client.close()
        client.emails.send(EMAIL)
        client.close()

        assert server.connections == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_twice_is_harmless_when_awaited(backend: str) -> None:
    async def main(server: Server) -> None:
        client = AsyncPostStack(KEY, server.url)
        await client.aclose()
        await client.emails.send(EMAIL)
        await client.aclose()
        await client.aclose()
        await client.emails.send(EMAIL)
        await client.aclose()

    with serving(answering()) as server:
        anyio.run(main, server, backend=backend)

        assert server.connections == 2


def test_a_cancelled_call_leaves_the_client_usable_and_no_connection_behind() -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        async with AsyncPostStack(KEY, server.url) as client:
            for expected in range(1, 4):
                task = asyncio.create_task(client.emails.send(EMAIL))
                # All of them wait: the gate is closed. Only then is it sure that this call has been sent.
                await asyncio.to_thread(until, lambda: gate.waiting == server.connections == expected)  # noqa: B023  # called at once
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            gate.opened.set()
            await asyncio.to_thread(until, lambda: not server.open_connections)
            assert await client.emails.send(EMAIL) == {"id": "em_1"}

    with serving(gate) as server:
        asyncio.run(main(server))


def test_a_call_cancelled_by_trio_leaves_the_client_usable_and_no_connection_behind() -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        async with AsyncPostStack(KEY, server.url) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.emails.send, EMAIL)
                await trio.to_thread.run_sync(until, lambda: gate.waiting == 1)
                nursery.cancel_scope.cancel()
            gate.opened.set()
            await trio.to_thread.run_sync(until, lambda: not server.open_connections)
            assert await client.emails.send(EMAIL) == {"id": "em_1"}

    with serving(gate) as server:
        trio.run(main, server)


def test_calls_cancelled_while_they_wait_for_a_connection_give_nothing_up() -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = AsyncHttpcoreTransport(max_connections=1)
        async with AsyncPostStack(KEY, server.url, transport=transport) as client:
            holding = asyncio.create_task(client.emails.send(EMAIL))
            await asyncio.to_thread(until, lambda: gate.waiting == 1)
            waiting = [asyncio.create_task(client.emails.send(EMAIL)) for _ in range(5)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            gate.opened.set()
            assert await holding == {"id": "em_1"}
            assert await asyncio.gather(*[client.emails.send(EMAIL) for _ in range(3)]) == [{"id": "em_1"}] * 3

    with serving(gate) as server:
        asyncio.run(main(server))

        assert server.connections == 1


def test_an_answer_that_never_came_is_named_as_such() -> None:
    def read_and_leave(visitor: Visitor) -> None:
        visitor.request()

    expected = pytest.raises(PostStackConnectionError, match="closed the connection without an answer")
    with serving(read_and_leave) as server, expected as caught:
        PostStack(KEY, server.url, max_retries=0).emails.send(EMAIL)

    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__cause__ is None


def test_a_refused_connection_leaves_nothing_behind() -> None:
    with serving(answering()) as server:
        url = server.url

    client = PostStack(KEY, url, max_retries=0, transport=HttpcoreTransport(max_connections=2))
    for _ in range(5):
        with pytest.raises(PostStackConnectionError):
            client.emails.send(EMAIL, timeout=5.0)
