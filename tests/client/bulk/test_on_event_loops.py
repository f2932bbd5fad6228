"""How `send_many` begins and ends on event loops: input that is awaited, cancelling, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from poststack import AsyncPostStack, BulkResult
from poststack.transports.base import HttpRequest, HttpResponse
from tests.client.bulk.world import URL, World, WorldTransport
from tests.servers import Visitor as ServerVisitor
from tests.servers import serving

FLAVOURS = ["asyncio", "trio"]


def email(number: int) -> Any:
    return {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": "Hello"}


class Input:
    """E-mails that are awaited; counts those taken and says whether it was closed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[Any, None]:
        try:
            while self.taken < self.count:
                self.taken += 1
                if self.taken % 70 == 0:
                    await anyio.sleep(0)
                yield email(self.taken - 1)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
            self.is_closed = True


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_input_may_be_awaited(flavour: str) -> None:
    world, given = World(), Input(250)

    async def main() -> list[BulkResult]:
        return [result async for result in world.async_client().emails.send_many(given())]

    results = anyio.run(main, backend=flavour)

    assert [result.sent for result in results] == [True] * 250
    assert [len(call) for call in world.received] == [100, 100, 50]
    assert given.is_closed


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_awaited_input_raises_is_raised_at_the_end(flavour: str) -> None:
    world, results = World(), list[BulkResult]()

    async def failing() -> AsyncGenerator[Any, None]:
        for number in range(150):
            yield email(number)
        raise ZeroDivisionError

    async def main() -> None:
        async for result in world.async_client().emails.send_many(failing()):
            results.append(result)  # a comprehension would lose those before the error

    with pytest.raises(ZeroDivisionError):
        anyio.run(main, backend=flavour)
    assert [result.sent for result in results] == [True] * 150


def test_the_synchronous_client_says_who_takes_such_input() -> None:
    given: Any = Input(1)()
    with pytest.raises(ValueError, match="AsyncPostStack"):
        World().client().emails.send_many(given)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_stopping_closes_the_awaited_input_too(flavour: str) -> None:
    given = Input(3_000)

    async def main() -> None:
        async with aclosing(World().async_client().emails.send_many(given())) as sending:
            async for _ in sending:
                break
        assert given.is_closed

    anyio.run(main, backend=flavour)


class Counting(WorldTransport):
    """Calls a function at each place where a call can be cancelled, before and after it is answered."""

    def __init__(self, world: World, at_each: Callable[[], Awaitable[None]]) -> None:
        super().__init__(world)
        self._at_each = at_each

    async def asend(self, request: HttpRequest) -> HttpResponse:
        await self._at_each()
        answer = await super().asend(request)
        await self._at_each()
        return answer


async def stopped_at(place: int, way: str) -> bool:
    """Send, and cancel, or raise, at the so manieth place; return whether that place was reached."""
    world, given, results, passed = World(), Input(500), list[BulkResult](), 0

    async def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed == place:
            if way == "exception":
                raise ZeroDivisionError
            scope.cancel()
        await anyio.sleep(0)

    client = AsyncPostStack("sk_test_1", URL, transport=Counting(world, pass_by))
    with anyio.CancelScope() as scope:
        try:
            async for result in client.emails.send_many(given(), concurrency=3, key_prefix="news"):
                results.append(result)  # a comprehension would lose those before the end
        except ZeroDivisionError:
            assert way == "exception"
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
                assert world.in_flight == 0
                assert given.is_closed
    for result in results:
        assert world.ids[str(result.id)][1] == f"news-{result.index}"
    assert passed >= place or len(results) == 500
    return passed >= place


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("way", ["scope", "exception"])
def test_it_can_be_stopped_anywhere(flavour: str, way: str) -> None:
    """At the first place where it waits, at the second, and so on, until it comes to its end before that."""
    for place in range(1, 100):
        if not anyio.run(stopped_at, place, way, backend=flavour):
            assert place == 11
            return
    pytest.fail("It never came to its end.")


def test_it_can_be_cancelled_by_asyncio_itself() -> None:
    world = World()

    async def main() -> None:
        started, never = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            started.set()
            await never.wait()

        client = AsyncPostStack("sk_test_1", URL, transport=Counting(world, wait))

        async def send() -> None:
            async for _ in client.emails.send_many(email(number) for number in range(500)):
                pytest.fail("Nothing was answered.")

        task = asyncio.ensure_future(send())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert world.number_of_calls == 0


@pytest.mark.parametrize("turns", range(4))
def test_an_event_loop_can_end_at_any_moment(turns: int) -> None:
    """Also before the first step of its calls: a task that is cancelled then never runs."""

    async def main() -> None:
        sending = World().async_client().emails.send_many(Input(1_000)())
        task = asyncio.ensure_future(anext(sending))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(main())


def test_calls_that_others_cancel_do_not_hold_up_the_rest() -> None:
    async def main() -> None:
        never = asyncio.Event()

        async def wait() -> None:
            await never.wait()

        client = AsyncPostStack("sk_test_1", URL, transport=Counting(World(), wait))
        task = asyncio.ensure_future(anext(client.emails.send_many(Input(1_000)())))
        for _ in range(10):
            await asyncio.sleep(0)
        others = asyncio.all_tasks() - {task, asyncio.current_task()}
        assert others
        for other in others:
            other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_one_that_is_let_go_of_ends_by_itself() -> None:
    world, given = World(), Input(3_000)

    async def main() -> None:
        async for _ in world.async_client().emails.send_many(given()):
            break
        gc.collect()
        for _ in range(1_000):
            if given.is_closed and len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0)
        assert given.is_closed
        assert asyncio.all_tasks() == {asyncio.current_task()}
        calls = world.number_of_calls
        await asyncio.sleep(0)
        assert world.number_of_calls == calls

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main(), debug=True)


request_id: ContextVar[str] = ContextVar("request_id", default="none")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_calls_are_made_in_the_context_of_their_caller(flavour: str) -> None:
    seen: list[str] = []

    async def note() -> None:
        seen.append(request_id.get())
        request_id.set("changed")

    async def main() -> None:
        request_id.set("r-17")
        client = AsyncPostStack("sk_test_1", URL, transport=Counting(World(), note))
        async for _ in client.emails.send_many(email(number) for number in range(300)):
            pass
        assert request_id.get() == "r-17"

    anyio.run(main, backend=flavour)
    assert sorted(seen) == ["changed"] * 3 + ["r-17"] * 3


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_client_sends_for_several_tasks_at_once(flavour: str) -> None:
    world = World()

    async def main() -> None:
        client = world.async_client()

        async def send(prefix: str) -> None:
            given = (email(number) for number in range(250))
            results = [result async for result in client.emails.send_many(given, key_prefix=prefix, concurrency=2)]
            assert [world.ids[str(result.id)] for result in results] == [
                (f"u{number}@example.net", f"{prefix}-{number}") for number in range(250)
            ]

        async with anyio.create_task_group() as group:
            for prefix in "abcd":
                group.start_soon(send, prefix)

    anyio.run(main, backend=flavour)
    assert world.most_in_flight <= 8
    assert set(world.taken.values()) == {4}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Tasks that begin at once came with Python 3.12.")
def test_it_goes_where_tasks_begin_at_once() -> None:
    world = World()

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009
        results = [result async for result in world.async_client().emails.send_many(Input(250)())]
        assert [result.sent for result in results] == [True] * 250

    asyncio.run(main())


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_connections_of_calls_that_are_cancelled_are_closed(flavour: str) -> None:
    def never_answer(visitor: ServerVisitor) -> None:
        while visitor.request():
            pass

    with serving(never_answer) as server:

        async def main() -> None:
            async with AsyncPostStack("sk_test_1", server.url) as client:
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as group:

                        async def stop() -> None:
                            while server.connections < 3:
                                await anyio.sleep(0.005)
                            scope.cancel()

                        group.start_soon(stop)
                        given = (email(number) for number in range(500))
                        async for _ in client.emails.send_many(given, concurrency=3):
                            pytest.fail("Nothing was answered.")
                await anyio.to_thread.run_sync(server.wait_until_closed)

        anyio.run(main, backend=flavour)
