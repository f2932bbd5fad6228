"""One client, in forked children and on several event loops."""

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

import pytest
import trio

from tests.patience import PATIENCE
from tests.servers import Server, answering, serving
from tests.transports.conversations import EMAIL, ON_ASYNCIO, ON_TRIO, SYNCHRONOUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.conversations import Flavour


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to bring about."""
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.005)


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_one_client_serves_several_event_loops_one_after_another(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)

        async def main() -> None:
            await client.emails.send(EMAIL)
            await client.emails.send(EMAIL)
            await client.aclose()

        for _ in range(3):
            asyncio.run(main())
        assert server.connections == 3


@pytest.mark.parametrize("flavour", ON_TRIO)
def test_one_client_serves_asyncio_and_trio(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)

        async def main() -> None:
            await client.emails.send(EMAIL)
            await client.emails.send(EMAIL)
            await client.aclose()

        asyncio.run(main())
        trio.run(main)
        asyncio.run(main())

        assert server.connections == 3


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_connections_are_closed_with_the_event_loop_that_opened_them(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)

        async def main() -> None:
            await asyncio.gather(*[client.emails.send(EMAIL) for _ in range(3)])

        for _ in range(4):
            asyncio.run(main())
            until(lambda: not server.open_connections)


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_connections_of_an_event_loop_that_was_left_in_a_hurry_are_let_go_of(flavour: Flavour) -> None:
    with serving(answering()) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # What Python says of sockets that a closed loop leaves.
        client = flavour.client(server.url)

        def in_a_hurry() -> None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(client.emails.send(EMAIL))
            loop.close()  # Without what `asyncio.run` does before.

        for _ in range(10):
            in_a_hurry()
        gc.collect()

        until(lambda: len(server.open_connections) <= 1)
        asyncio.run(_close_quietly(client))
        gc.collect()


async def _close_quietly(client: Any) -> None:
    await client.emails.send(EMAIL)
    await client.aclose()


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_one_client_serves_event_loops_in_several_threads(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)

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
@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_a_forked_child_opens_connections_of_its_own(flavour: Flavour) -> None:
    with serving(answering()) as server, flavour.client(server.url) as client:
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
@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_a_child_forked_while_threads_are_sending_can_send(flavour: Flavour) -> None:
    context = multiprocessing.get_context("fork")
    with serving(answering()) as server, flavour.client(server.url, deadline=20.0) as client:
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
                    process.join(PATIENCE)
            finally:
                stop.set()
            for future in busy:
                future.result()

        assert [process.exitcode for process in children] == [0] * 4


def _send_in_child(client: Any) -> None:
    for _ in range(5):
        assert client.emails.send(EMAIL) == {"id": "em_1"}


@needs_fork
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_an_asynchronous_client_survives_a_fork(flavour: Flavour) -> None:
    with serving(answering()) as server:
        client = flavour.client(server.url)

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


@pytest.mark.parametrize("flavour", SYNCHRONOUS)
def test_forgotten_connections_are_closed_and_not_used_again(flavour: Flavour) -> None:
    transport = flavour.transport()

    with serving(answering()) as server, flavour.client(server.url, transport) as client:
        client.emails.send(EMAIL)
        transport.forget_connections()
        until(lambda: not server.open_connections)
        client.emails.send(EMAIL)
        assert server.connections == 2


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_forgotten_connections_are_not_used_again_when_awaited(flavour: Flavour) -> None:
    transport = flavour.transport()

    async def main(server: Server) -> None:
        async with flavour.client(server.url, transport) as client:
            await client.emails.send(EMAIL)
            transport.forget_connections()
            await client.emails.send(EMAIL)

    with serving(answering()) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # The forgotten one is left to the garbage collector.
        asyncio.run(main(server))
        gc.collect()

        assert server.connections == 2
