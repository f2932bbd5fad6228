"""Idempotency keys in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack.mailbridge import AsyncRedisKeyStore, KeyClaim, RedisKeyStore
from tests.services import is_missing

pytestmark = pytest.mark.skipif(find_spec("redis") is None, reason="redis is not installed.")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as running:
        try:
            found = running.enter_context(redis_server(tmp_path_factory.mktemp("redis")))
        except DemoError as error:
            is_missing(str(error))
        yield found


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    # redis-py describes its types in part only.
    with import_module("redis").Redis.from_url(url) as client:
        yield client
        client.flushdb()


def test_a_key_is_new_once_then_in_doubt_then_done(client: Any) -> None:
    store = RedisKeyStore(client)
    assert store.begin("a", "sendgrid") == KeyClaim("new", "sendgrid")
    assert store.begin("a", "postmark") == KeyClaim("in doubt", "sendgrid")
    store.finish("a", "id:1")
    assert store.begin("a", "postmark") == KeyClaim("done", "", "id:1")
    store.abandon("a")
    assert store.begin("a", "postmark").state == "done"
    assert store.begin("b", "sendgrid").state == "new"
    store.abandon("b")
    assert store.begin("b", "postmark") == KeyClaim("new", "postmark")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_asynchronous_client_sees_the_same(client: Any, url: str) -> None:
    async with import_module("redis.asyncio").Redis.from_url(url) as other:
        store = AsyncRedisKeyStore(other)
        assert (await store.abegin("a", "sendgrid")).state == "new"
        assert RedisKeyStore(client).begin("a", "postmark") == KeyClaim("in doubt", "sendgrid")
        await store.afinish("a", None)
        await store.aabandon("a")
        assert await store.abegin("a", "sendgrid") == KeyClaim("done", "")
        assert (await store.abegin("b", "sendgrid")).state == "new"
        await store.aabandon("b")
        assert RedisKeyStore(client).begin("b", "sendgrid").state == "new"


def test_of_many_threads_one_gets_the_key(client: Any) -> None:
    store = RedisKeyStore(client)
    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            claims = list(pool.map(store.begin, [f"key-{number}"] * 8, "abcdefgh"))
            assert [claim.state for claim in claims].count("new") == 1


def test_a_claim_that_the_client_had_to_repeat_is_still_its_own(client: Any) -> None:
    class Repeating:
        """Sends each `SET` twice, as redis-py does when the answer to the first is lost."""

        def set(self, *args: Any, **options: Any) -> Any:
            client.set(*args, **options)
            return client.set(*args, **options)

        def get(self, name: str) -> Any:
            return client.get(name)

        def delete(self, *names: str) -> Any:
            return client.delete(*names)

    store = RedisKeyStore(Repeating())
    assert store.begin("a", "sendgrid") == KeyClaim("new", "sendgrid")
    assert store.begin("a", "sendgrid") == KeyClaim("in doubt", "sendgrid")
