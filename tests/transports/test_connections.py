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

from poststack import PostStackConnectionError, PostStackTimeoutError
from poststack.transports.base import HttpRequest, TransportTimeoutError
from tests.patience import PATIENCE
from tests.servers import ACCEPTED, Server, Visitor, answering, serving
from tests.transports.conversations import (
    ASYNCHRONOUS,
    EMAIL,
    FLAVOURS,
    ON_ASYNCIO,
    ON_TRIO,
    SYNCHRONOUS,
    ask,
    run_call,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.conversations import Flavour


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to bring about."""
    ends_at = time.monotonic() + PATIENCE
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
            self.opened.wait(PATIENCE)
            with self._lock:
                self.waiting -= 1
            if not visitor.send(ACCEPTED):
                return


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_calls_one_after_another_share_a_connection(flavour: Flavour) -> None:
    with serving(answering()) as server:
        run_call(flavour, server.url, _five_times(flavour))

        assert len(server.requests) == 5
        assert server.connections == 1
        until(lambda: not server.open_connections)  # Closing the client closed it.


def _five_times(flavour: Flavour) -> Callable[[Any], Any]:
    def plain(client: Any) -> None:
        for _ in range(5):
            client.emails.send(EMAIL)

    async def awaited(client: Any) -> None:
        for _ in range(5):
            await client.emails.send(EMAIL)

    return plain if flavour.sync else awaited


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_old_connection_is_not_reused(flavour: Flavour) -> None:
    with serving(answering()) as server:
        run_call(flavour, server.url, _five_times(flavour), transport_options={"keepalive_expiry": 0.0})

        assert server.connections == 5


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("last_words", [b"", b"Connection: close\r\n"])
def test_a_connection_that_the_server_closes_after_each_answer_costs_no_attempt(
    flavour: Flavour, last_words: bytes
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
        run_call(flavour, server.url, plain if flavour.sync else awaited, max_retries=0)

        assert len(server.requests) == 4


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_connection_closed_just_as_it_is_used_again_is_made_up_for(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(ACCEPTED)
        visitor.request()  # Taken, and never answered: the client cannot know whether it counted.

    with serving(script) as server:
        run_call(flavour, server.url, _five_times(flavour))

        keys = [request.header("idempotency-key") for request in server.requests]
        assert len(set(keys)) == 5
        assert len(keys) > 5


@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_threads_share_one_client_within_its_limit(flavour: Flavour) -> None:
    gate = Gate()
    transport = flavour.transport(max_connections=4)

    with serving(gate) as server, flavour.client(server.url, transport=transport) as client:
        with ThreadPoolExecutor(16) as threads:
            sent = [threads.submit(client.emails.send, EMAIL) for _ in range(64)]
            until(lambda: gate.waiting == 4)
            gate.opened.set()

        assert [future.result() for future in sent] == [{"id": "em_1"}] * 64
        assert gate.most_waiting == 4
        assert server.connections == 4
        assert len({request.header("idempotency-key") for request in server.requests}) == 64


@pytest.mark.parametrize("flavour", ASYNCHRONOUS)
def test_tasks_share_one_client_within_its_limit(flavour: Flavour) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = flavour.transport(max_connections=4)
        async with flavour.client(server.url, transport=transport) as client, anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(client.emails.send, EMAIL)
            await anyio.to_thread.run_sync(until, lambda: gate.waiting == 4)
            gate.opened.set()

    with serving(gate) as server:
        flavour.run(main, server)

        assert gate.most_waiting == 4
        assert server.connections == 4
        assert len(server.requests) == 64


@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_waiting_for_a_connection_ends_with_the_timeout(flavour: Flavour) -> None:
    gate = Gate()
    transport = flavour.transport(max_connections=1)

    with serving(gate) as server, flavour.client(server.url, transport=transport, max_retries=0) as client:
        with ThreadPoolExecutor(1) as thread:
            first = thread.submit(client.emails.send, EMAIL)
            until(lambda: gate.waiting == 1)
            with pytest.raises(PostStackTimeoutError, match="no connection became free"):
                client.emails.send(EMAIL, timeout=0.05)
            gate.opened.set()
            assert first.result() == {"id": "em_1"}

        assert client.emails.send(EMAIL) == {"id": "em_1"}
        assert server.connections == 1


@pytest.mark.parametrize("flavour", ASYNCHRONOUS)
def test_waiting_for_a_connection_ends_with_the_timeout_for_tasks_too(flavour: Flavour) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = flavour.transport(max_connections=1)
        async with flavour.client(server.url, transport=transport, max_retries=0) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.emails.send, EMAIL)
                await anyio.to_thread.run_sync(until, lambda: gate.waiting == 1)
                with pytest.raises(PostStackTimeoutError, match="no connection became free"):
                    await client.emails.send(EMAIL, timeout=0.05)
                gate.opened.set()
            assert await client.emails.send(EMAIL) == {"id": "em_1"}

    with serving(gate) as server:
        flavour.run(main, server)

        assert server.connections == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_deadline_in_the_past_is_a_timeout_before_anything_is_sent(flavour: Flavour) -> None:
    with serving(answering()) as server:
        request = HttpRequest("GET", server.url, {}, deadline=time.monotonic() - 1)
        with pytest.raises(TransportTimeoutError) as caught:
            ask(flavour, request)

        assert not caught.value.request_sent
        assert server.connections == 0


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_address_without_a_path_asks_for_the_root(flavour: Flavour) -> None:
    with serving(answering()) as server:
        assert ask(flavour, HttpRequest("GET", server.url, {}))[0].status == 202

        assert server.requests[0].first_line == "GET / HTTP/1.1"


@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_closing_twice_is_harmless_and_a_later_call_opens_again(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)
        client.emails.send(EMAIL)
        client.close()
        client.close()
        client.emails.send(EMAIL)
        client.close()

        assert server.connections == 2


@pytest.mark.parametrize("flavour", ASYNCHRONOUS)
def test_closing_twice_is_harmless_when_awaited(flavour: Flavour) -> None:
    async def main(server: Server) -> None:
        client = flavour.client(server.url)
        await client.aclose()
        await client.emails.send(EMAIL)
        await client.aclose()
        await client.aclose()
        await client.emails.send(EMAIL)
        await client.aclose()

    with serving(answering()) as server:
        flavour.run(main, server)

        assert server.connections == 2


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_a_cancelled_call_leaves_the_client_usable_and_no_connection_behind(flavour: Flavour) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        async with flavour.client(server.url) as client:
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


@pytest.mark.parametrize("flavour", ON_TRIO)
def test_a_call_cancelled_by_trio_leaves_the_client_usable_and_no_connection_behind(flavour: Flavour) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        async with flavour.client(server.url) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.emails.send, EMAIL)
                await trio.to_thread.run_sync(until, lambda: gate.waiting == 1)
                nursery.cancel_scope.cancel()
            gate.opened.set()
            await trio.to_thread.run_sync(until, lambda: not server.open_connections)
            assert await client.emails.send(EMAIL) == {"id": "em_1"}

    with serving(gate) as server:
        trio.run(main, server)


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_calls_cancelled_while_they_wait_for_a_connection_give_nothing_up(flavour: Flavour) -> None:
    gate = Gate()

    async def main(server: Server) -> None:
        transport = flavour.transport(max_connections=1)
        async with flavour.client(server.url, transport=transport) as client:
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


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_answer_that_never_came_is_named_as_such(flavour: Flavour) -> None:
    def read_and_leave(visitor: Visitor) -> None:
        visitor.request()

    expected = pytest.raises(PostStackConnectionError, match="closed the connection without an answer")
    with serving(read_and_leave) as server, expected as caught:
        run_call(flavour, server.url, send, max_retries=0)

    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__cause__ is None


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_refused_connection_leaves_nothing_behind(flavour: Flavour) -> None:
    with serving(answering()) as server:
        url = server.url

    def refused(client: Any) -> None:
        for _ in range(5):
            with pytest.raises(PostStackConnectionError):
                client.emails.send(EMAIL, timeout=5.0)

    async def refused_awaited(client: Any) -> None:
        for _ in range(5):
            with pytest.raises(PostStackConnectionError):
                await client.emails.send(EMAIL, timeout=5.0)

    options = {"max_connections": 2}
    run_call(flavour, url, refused if flavour.sync else refused_awaited, max_retries=0, transport_options=options)
