"""What is remembered of events: in memory, and in a real Redis; under threads, tasks, cancellation and sudden death."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest

from poststack.events import SIGNATURE_HEADER, WebhookEvent
from poststack.receiving import (
    AsyncEventStore,
    AsyncRedisEventStore,
    AsyncTurn,
    AsyncWebhookReceiver,
    Claim,
    EventStore,
    MemoryEventStore,
    Progress,
    RedisEventStore,
    WebhookReceiver,
)
from poststack.testing import WebhookCall, webhook_call
from tests.services import is_missing

# redis-py describes its types in part only, and is not there in an environment without any extra.
redis: Any = import_module("redis") if find_spec("redis") else None
with_package = pytest.mark.skipif(redis is None, reason="redis is not installed")

ROOT = Path(__file__).parents[2]
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/11")
NEW, IN_PROGRESS, DONE = Progress.NEW, Progress.IN_PROGRESS, Progress.DONE


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def prefix() -> Iterator[str]:
    """Return a beginning of names that nobody else uses, and remove them at the end."""
    if redis is None:
        is_missing("redis is not installed.")
    own = f"poststack-test:{uuid.uuid4().hex}:"
    with redis.Redis.from_url(REDIS) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            is_missing(f"There is no Redis at {REDIS}.")
        yield own
        for name in client.scan_iter(f"{own}*"):
            client.delete(name)


@pytest.fixture
def client(prefix: str) -> Iterator[Any]:
    with redis.Redis.from_url(REDIS) as client:
        yield client


@asynccontextmanager
async def async_store(prefix: str, **options: Any) -> AsyncGenerator[AsyncRedisEventStore]:
    async with import_module("redis.asyncio").Redis.from_url(REDIS) as client:
        yield AsyncRedisEventStore(client, prefix=prefix, **options)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return MemoryEventStore()
    return RedisEventStore(request.getfixturevalue("client"), prefix=request.getfixturevalue("prefix"))


def with_async_store(
    request: pytest.FixtureRequest, kind: str, use: Callable[[AsyncEventStore], Awaitable[None]]
) -> None:
    async def run() -> None:
        if kind == "memory":
            await use(MemoryEventStore())
            return
        async with async_store(request.getfixturevalue("prefix")) as store:
            await use(store)

    asyncio.run(run())


both = pytest.mark.parametrize("kind", ["memory", pytest.param("redis", marks=pytest.mark.services)])


def call_of(secret: str = "secret", **more: Any) -> tuple[bytes, str]:
    call: WebhookCall = webhook_call(secret=secret, **more)
    return call.body, call.headers[SIGNATURE_HEADER]


def test_a_key_is_claimed_once(store: EventStore) -> None:
    claim = store.begin("key")

    assert (claim.key, claim.progress) == ("key", NEW)
    assert store.begin("key").progress is IN_PROGRESS
    assert store.begin("another").progress is NEW
    store.finish(claim)
    assert store.begin("key").progress is DONE


def test_what_is_given_up_can_be_claimed_again(store: EventStore) -> None:
    store.abandon(store.begin("key"))

    assert store.begin("key").progress is NEW


def test_nobody_gives_up_the_claim_of_another(store: EventStore) -> None:
    first = store.begin("key")
    store.abandon(first)
    second = store.begin("key")
    store.abandon(first)

    assert store.begin("key").progress is IN_PROGRESS
    store.finish(second)
    store.abandon(second)
    store.abandon(first)
    assert store.begin("key").progress is DONE


def test_whoever_finishes_late_has_finished(store: EventStore) -> None:
    first = store.begin("key")
    store.abandon(first)
    second = store.begin("key")
    store.finish(first)
    store.abandon(second)

    assert store.begin("key").progress is DONE


@pytest.mark.parametrize("key", ["", "ключ", "a" * 100_000, "line\nbreak", "\udcff"])
def test_any_text_is_a_key(store: EventStore, key: str) -> None:
    store.finish(store.begin(key))

    assert store.begin(key).progress is DONE


@both
def test_the_asynchronous_side_says_the_same(request: pytest.FixtureRequest, kind: str) -> None:
    async def use(store: AsyncEventStore) -> None:
        first = await store.abegin("key")
        assert (first.progress, (await store.abegin("key")).progress) == (NEW, IN_PROGRESS)
        await store.aabandon(first)
        second = await store.abegin("key")
        await store.aabandon(first)
        assert (second.progress, (await store.abegin("key")).progress) == (NEW, IN_PROGRESS)
        await store.afinish(second)
        await store.aabandon(second)
        assert (await store.abegin("key")).progress is DONE

    with_async_store(request, kind, use)


def test_memory_takes_the_silent_for_dead_when_their_lease_ends() -> None:
    store = MemoryEventStore(clock=(clock := Clock()), lease=120)
    first = store.begin("key")

    clock.now = 119.9
    assert store.begin("key").progress is IN_PROGRESS
    clock.now = 120
    second = store.begin("key")
    assert second.progress is NEW
    store.abandon(first)
    clock.now = 239.9
    assert store.begin("key").progress is IN_PROGRESS


def test_memory_forgets_after_the_retention() -> None:
    store = MemoryEventStore(clock=(clock := Clock()), retention=1000, lease=10)
    clock.now = 5
    store.finish(store.begin("key"))

    clock.now = 1004.9
    assert store.begin("key").progress is DONE
    clock.now = 1005
    assert store.begin("key").progress is NEW


def test_memory_forgets_the_oldest_when_it_is_full() -> None:
    store = MemoryEventStore(max_entries=2)
    for key in ("a", "b", "c"):
        store.finish(store.begin(key))

    assert [store.begin(key).progress for key in ("c", "b", "a")] == [DONE, DONE, NEW]


@pytest.mark.parametrize("wrong", [{"max_entries": 0}, {"lease": 0}, {"retention": -1}, {"lease": float("nan")}])
def test_a_memory_that_remembers_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MemoryEventStore(**wrong)


@with_package
@pytest.mark.parametrize("kind", [RedisEventStore, AsyncRedisEventStore])
@pytest.mark.parametrize("wrong", [{"lease": 0}, {"retention": float("inf")}])
def test_a_redis_store_that_remembers_nothing_is_refused(kind: type[Any], wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(redis.Redis(), **wrong)


def test_threads_that_deliver_at_once_call_each_handler_once(store: EventStore) -> None:
    receivers = [WebhookReceiver("secret", store=store) for _ in range(8)]
    called: list[str] = []

    def first(event: WebhookEvent) -> None:
        called.append("first")

    def second(event: WebhookEvent) -> None:
        called.append("second")

    for receiver in receivers:
        receiver.on("*")(first)
        receiver.on("*")(second)
    body, signature = call_of()
    start = threading.Barrier(len(receivers))

    def deliver(receiver: WebhookReceiver) -> int:
        start.wait()
        return receiver.receive(body, signature).status

    with ThreadPoolExecutor(len(receivers)) as pool:
        answers = list(pool.map(deliver, receivers))

    assert sorted(called) == ["first", "second"]
    assert set(answers) <= {200, 503}
    assert receivers[0].receive(body, signature).status == 200
    assert len(called) == 2


@both
def test_tasks_that_deliver_at_once_call_each_handler_once(request: pytest.FixtureRequest, kind: str) -> None:
    async def use(store: AsyncEventStore) -> None:
        called: list[str] = []
        everybody_has_asked = asyncio.Event()

        async def handle(event: WebhookEvent) -> None:
            called.append(event.id)
            await everybody_has_asked.wait()

        receivers = [AsyncWebhookReceiver("secret", store=store) for _ in range(20)]
        for receiver in receivers:
            receiver.on("*")(handle)
        body, signature = call_of()
        deliveries = [asyncio.create_task(receiver.receive(body, signature)) for receiver in receivers]
        under_way = set(deliveries)
        while len(under_way) > 1:
            _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        everybody_has_asked.set()

        assert sorted([(await one).status for one in deliveries]) == [200] + [503] * 19
        assert len(called) == 1
        assert (await receivers[0].receive(body, signature)).status == 200

    with_async_store(request, kind, use)


@both
@pytest.mark.parametrize("cancel", ["task", "scope"])
def test_an_event_whose_handling_is_cancelled_is_given_up_at_once(
    request: pytest.FixtureRequest, kind: str, cancel: str
) -> None:
    async def use(store: AsyncEventStore) -> None:
        begun = asyncio.Event()
        receiver = AsyncWebhookReceiver("secret", store=store)
        called: list[str] = []

        @receiver.on("*")
        async def handle(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            called.append(event.id)
            if len(called) == 1:
                begun.set()
                await asyncio.Event().wait()

        delivery = call_of()
        if cancel == "task":
            task = asyncio.create_task(receiver.receive(*delivery))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:  # In a cancelled scope every await is cancelled, those of cleaning up too.
            async with anyio.create_task_group() as group:
                group.start_soon(receiver.receive, *delivery)
                await begun.wait()
                group.cancel_scope.cancel()

        assert (await receiver.receive(*delivery)).status == 200
        assert len(called) == 2

    with_async_store(request, kind, use)


class HangingStore(MemoryEventStore):
    async def aabandon(self, claim: Claim) -> None:
        await anyio.sleep_forever()


def test_a_store_that_hangs_holds_nobody_up_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("poststack.receiving.settling.PATIENCE", 0.01)

    async def give_up() -> None:
        turn = AsyncTurn(HangingStore(), WebhookEvent("evt_1", "email.sent", None, None, {}), "me")
        assert await turn.begin() is None
        await turn.abandon()

    asyncio.run(give_up())
    assert "evt_1/me can be done again only when its lease has ended" in caplog.text


@pytest.mark.services
def test_both_kinds_of_store_share_one_memory(prefix: str, client: Any) -> None:
    async def claim() -> Progress:
        async with async_store(prefix) as store:
            return (await store.abegin("key")).progress

    store = RedisEventStore(client, prefix=prefix)
    mine = store.begin("key")
    assert asyncio.run(claim()) is IN_PROGRESS
    store.finish(mine)
    assert asyncio.run(claim()) is DONE


@pytest.mark.services
def test_endpoints_with_prefixes_of_their_own_share_nothing(prefix: str, client: Any) -> None:
    shop, forum = (RedisEventStore(client, prefix=f"{prefix}{name}:") for name in ("shop", "forum"))

    assert [store.begin("key").progress for store in (shop, forum, shop)] == [NEW, NEW, IN_PROGRESS]


@pytest.mark.services
def test_a_client_that_decodes_answers_will_do(prefix: str) -> None:
    with redis.Redis.from_url(REDIS, decode_responses=True) as client:
        store = RedisEventStore(client, prefix=prefix)
        store.finish(store.begin("key"))

        assert store.begin("key").progress is DONE


@pytest.mark.services
def test_names_in_redis_show_no_ids_and_end_by_themselves(prefix: str, client: Any) -> None:
    store = RedisEventStore(client, prefix=prefix, lease=100, retention=1000)
    claim = store.begin("evt_1/shop.handle")
    (name,) = client.scan_iter(f"{prefix}*")
    leased = client.ttl(name)
    store.finish(claim)

    assert b"evt_1" not in name
    assert 90 < leased <= 100
    assert 990 < client.ttl(name) <= 1000


@pytest.mark.services
def test_a_client_of_the_other_kind_claims_nothing_and_says_which_store_it_needs(prefix: str, client: Any) -> None:
    async def confuse() -> None:
        async with import_module("redis.asyncio").Redis.from_url(REDIS) as wrong:
            with pytest.raises(TypeError, match="AsyncRedisEventStore"):
                RedisEventStore(wrong, prefix=prefix).begin("key")
        with pytest.raises(TypeError, match="there is RedisEventStore"):
            await AsyncRedisEventStore(client, prefix=prefix).abegin("key")

    asyncio.run(confuse())
    assert RedisEventStore(client, prefix=prefix).begin("key").progress is NEW


@with_package
def test_while_redis_is_down_the_event_waits_for_the_next_delivery(caplog: pytest.LogCaptureFixture) -> None:
    receiver = WebhookReceiver("secret", store=RedisEventStore(redis.Redis(port=1, retry=None)))
    receiver.on("*")(print)

    async def deliver() -> int:
        async with import_module("redis.asyncio").Redis(port=1, retry=None) as nowhere:
            receiver = AsyncWebhookReceiver("secret", store=AsyncRedisEventStore(nowhere))
            receiver.on("*")(print)
            return (await receiver.receive(*call_of())).status

    assert receiver.receive(*call_of()).status == 503
    assert asyncio.run(deliver()) == 503
    assert "the event store failed" in caplog.text


@pytest.mark.services
def test_redis_that_goes_down_in_the_middle_loses_no_event(prefix: str, client: Any) -> None:
    class Flaky:
        down = False

        def set(self, *args: Any, **options: Any) -> Any:
            if self.down:
                raise redis.ConnectionError("down")
            return client.set(*args, **options)

        def get(self, name: str) -> Any:
            return client.get(name)

        def eval(self, *args: Any) -> Any:
            if self.down:
                raise redis.ConnectionError("down")
            return client.eval(*args)

    flaky = Flaky()
    receiver = WebhookReceiver("secret", store=RedisEventStore(flaky, prefix=prefix))
    called: list[str] = []

    @receiver.on("*")
    def handle(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        called.append(event.id)
        if len(called) == 1:
            flaky.down = True
            raise RuntimeError

    delivery = call_of()
    statuses = [receiver.receive(*delivery).status, receiver.receive(*delivery).status]
    flaky.down = False
    statuses.append(receiver.receive(*delivery).status)
    (name,) = client.scan_iter(f"{prefix}*")
    client.pexpire(name, 1)
    while client.exists(name):
        pass
    statuses.append(receiver.receive(*delivery).status)

    assert statuses == [500, 503, 503, 200]
    assert len(called) == 2


@pytest.mark.services
@pytest.mark.slow
def test_a_process_that_is_killed_leaves_a_lease_that_ends(prefix: str, client: Any) -> None:
    body, signature = call_of()
    command = [sys.executable, "-m", "tests.core.event_writer", REDIS, prefix, "1", body.decode()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
        finally:
            process.kill()
    called: list[str] = []
    store = RedisEventStore(client, prefix=prefix)
    receiver = WebhookReceiver("secret", store=store)

    def handle(event: WebhookEvent) -> None:
        called.append(event.id)

    handle.__module__, handle.__qualname__ = "__main__", "main.<locals>.handle"  # The name that it has there.
    receiver.on("*")(handle)
    (name,) = client.scan_iter(f"{prefix}*")
    client.pexpire(name, 60_000)
    assert receiver.receive(body, signature).status == 503
    client.pexpire(name, 1)
    while client.exists(name):
        pass

    assert receiver.receive(body, signature).status == 200
    assert len(called) == 1
