"""Connections are reused, bounded, let go of, and never shared by what must not share them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import threading
import time
import warnings
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
                await asyncio.to_thread(until, lambda: gate.waiting >= 1 and server.connections == expected)  # noqa: B023  # called at once
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


def test_one_client_serves_several_event_loops_one_after_another() -> None:
    with serving(answering()) as server:
        client = AsyncPostStack(KEY, server.url)

        async def main() -> None:
            await client.emails.send(EMAIL)
            await client.emails.send(EMAIL)
            await client.aclose()

        for _ in range(3):
            asyncio.run(main())
        trio.run(main)

        assert server.connections == 4


def test_connections_of_an_event_loop_that_ended_are_let_go_of() -> None:
    with serving(answering()) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # What Python says of loops left without closing the client.
        client = AsyncPostStack(KEY, server.url)

        async def main() -> None:
            await client.emails.send(EMAIL)

        for _ in range(10):
            asyncio.run(main())
        gc.collect()

        until(lambda: len(server.open_connections) <= 1)
        asyncio.run(_close_quietly(client))
        gc.collect()


async def _close_quietly(client: AsyncPostStack) -> None:
    await client.emails.send(EMAIL)
    await client.aclose()


def test_one_client_serves_event_loops_in_several_threads() -> None:
    with serving(answering()) as server:
        client = AsyncPostStack(KEY, server.url)

        async def main() -> None:
            await asyncio.gather(*[client.emails.send(EMAIL) for _ in range(5)])
            await client.aclose()

        with ThreadPoolExecutor(8) as threads:
            for future in [threads.submit(asyncio.run, main()) for _ in range(8)]:
                future.result()

        assert len(server.requests) == 40


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own() -> None:
    with serving(answering()) as server, PostStack(KEY, server.url) as client:
        client.emails.send(EMAIL)
        child = os.fork()
        if child == 0:  # pragma: no cover  # in the child
            status = 1
            with contextlib.suppress(BaseException):
                status = 0 if [client.emails.send(EMAIL), client.emails.send(EMAIL)] == [{"id": "em_1"}] * 2 else 2
            os._exit(status)
        client.emails.send(EMAIL)
        _, status = os.waitpid(child, 0)
        client.emails.send(EMAIL)

        assert os.waitstatus_to_exitcode(status) == 0
        assert sorted(request.connection for request in server.requests) == [0, 0, 0, 1, 1]


@needs_fork
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_threads_are_sending_can_send() -> None:
    context = multiprocessing.get_context("fork")
    with serving(answering()) as server, PostStack(KEY, server.url, deadline=20.0) as client:
        stop = threading.Event()

        def keep_sending() -> None:
            while not stop.is_set():
                client.emails.send(EMAIL)

        with ThreadPoolExecutor(4) as threads:
            busy = [threads.submit(keep_sending) for _ in range(4)]
            try:
                children = [context.Process(target=_send_in_child, args=(client,)) for _ in range(4)]
                for process in children:
                    process.start()
                for process in children:
                    process.join(30)
            finally:
                stop.set()
            for future in busy:
                future.result()

        assert [process.exitcode for process in children] == [0] * 4


def _send_in_child(client: PostStack) -> None:
    for _ in range(5):
        assert client.emails.send(EMAIL) == {"id": "em_1"}


@needs_fork
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_an_asynchronous_client_survives_a_fork() -> None:
    with serving(answering()) as server:
        client = AsyncPostStack(KEY, server.url)

        async def once() -> None:
            await client.emails.send(EMAIL)

        async def main() -> int:
            await once()
            child = os.fork()
            if child == 0:  # pragma: no cover  # in the child
                status = 1
                with contextlib.suppress(BaseException):
                    # As multiprocessing does: the child leaves the parent's loop alone and starts its own.
                    asyncio.events._set_running_loop(None)
                    asyncio.run(once())
                    status = 0
                os._exit(status)
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            await once()
            await client.aclose()
            return status

        assert os.waitstatus_to_exitcode(asyncio.run(main())) == 0
        assert sorted(request.connection for request in server.requests) == [0, 0, 1]


def test_forgotten_connections_are_closed_and_not_used_again() -> None:
    transport, other = HttpcoreTransport(), AsyncHttpcoreTransport()

    async def main(server: Server) -> None:
        async with AsyncPostStack(KEY, server.url, transport=other) as client:
            await client.emails.send(EMAIL)
            other.forget_connections()
            await client.emails.send(EMAIL)

    with serving(answering()) as server, PostStack(KEY, server.url, transport=transport) as client:
        client.emails.send(EMAIL)
        transport.forget_connections()
        until(lambda: not server.open_connections)
        client.emails.send(EMAIL)
        assert server.connections == 2

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # The forgotten one is left to the garbage collector.
            asyncio.run(main(server))
            gc.collect()
        assert server.connections == 4


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
