"""A limit that processes share, in a real Redis, and in one that is away."""

from __future__ import annotations

import logging
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio
import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack import PostStack
from poststack._throttle import MARGIN
from poststack.throttling import AsyncRedisRateLimiter, RedisRateLimiter, redis_limiter
from tests.servers import Visitor, serving
from tests.services import is_missing

pytest.importorskip("redis")
pytest.importorskip("uvicorn")

from tests.emulator.test_server import running as emulator

pytestmark = pytest.mark.skipif(find_spec("redis") is None, reason="redis is not installed.")

SLOW = MARGIN / 100
"""A call in a hundred seconds: the seconds that a test takes do not count then."""


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
        client.flushdb()
        yield client


@pytest.fixture
def nobody() -> str:
    """The URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


def place(wait: float) -> int:
    """Return which place in the line a wait is for."""
    return math.ceil(wait / 100)


def test_places_are_behind_each_other(url: str, client: Any) -> None:
    limiter = RedisRateLimiter(url, SLOW)

    assert [place(limiter.reserve(None)) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_the_distance_is_that_of_the_rate_and_a_margin(client: Any) -> None:
    limiter = RedisRateLimiter(client, 50)
    limiter.hold(60)
    first, second = (limiter.reserve(None) for _ in range(2))

    seconds, microseconds = client.time()
    free_at = int(client.get("poststack:rate:default")) / 1e6
    assert 0 < first < second <= 60 + MARGIN / 50
    assert free_at - (seconds + microseconds / 1e6) <= 60 + 2 * MARGIN / 50
    # All places were taken from one moment on.
    limiter.reserve(None)
    assert int(client.get("poststack:rate:default")) / 1e6 - free_at == pytest.approx(MARGIN / 50, abs=1e-5)


def test_a_client_of_ones_own_and_one_of_valkey_will_do(url: str, client: Any) -> None:
    valkey = pytest.importorskip("valkey")

    with valkey.Valkey.from_url(url, decode_responses=True) as other:
        assert place(RedisRateLimiter(client, SLOW).reserve(None)) == 0
        assert place(RedisRateLimiter(other, SLOW).reserve(None)) == 1


def test_who_would_wait_too_long_takes_no_place(client: Any) -> None:
    limiter = RedisRateLimiter(client, SLOW)
    limiter.reserve(None)

    assert [place(limiter.reserve(longest)) for longest in (0.0, 5.0, 99.0, -1.0)] == [1, 1, 1, 1]
    assert place(limiter.reserve(101.0)) == 1
    assert place(limiter.reserve(101.0)) == 2


def test_a_hold_is_for_all_and_lets_them_go_one_after_another(url: str, client: Any) -> None:
    one, other = RedisRateLimiter(client, SLOW), RedisRateLimiter(url, SLOW)

    one.hold(300)

    assert [place(other.reserve(None)) for _ in range(3)] == [3, 4, 5]
    one.hold(300)  # The line reaches further already.
    assert place(other.reserve(None)) == 6


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_hold_for_no_time_holds_nobody(client: Any, seconds: float) -> None:
    limiter = RedisRateLimiter(client, SLOW)
    limiter.hold(seconds)

    assert limiter.reserve(None) < 1


def test_limits_of_other_names_and_prefixes_are_others(client: Any) -> None:
    for options in ({}, {"name": "shop"}, {"name": "news"}, {"name": "shop", "prefix": "test:"}):
        assert RedisRateLimiter(client, SLOW, **options).reserve(None) == 0

    assert sorted(client.keys()) == [
        b"poststack:rate:default", b"poststack:rate:news", b"poststack:rate:shop", b"test:shop",
    ]  # fmt: skip


def test_who_shares_a_line_may_have_another_rate(client: Any) -> None:
    RedisRateLimiter(client, SLOW / 3).reserve(None)

    assert place(RedisRateLimiter(client, SLOW).reserve(None)) == 3
    assert place(RedisRateLimiter(client, SLOW).reserve(None)) == 4


def test_what_is_kept_in_redis_expires_soon_after_it_is_of_use(client: Any) -> None:
    RedisRateLimiter(client, SLOW).reserve(None)
    RedisRateLimiter(client, 50, name="held").hold(30)

    assert 100_000 < client.pttl("poststack:rate:default") <= 101_000
    assert 25_000 < client.pttl("poststack:rate:held") <= 31_000


def test_threads_get_a_place_each(url: str, client: Any) -> None:
    limiter = RedisRateLimiter(url, SLOW)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(limiter.reserve, [None] * 200))

    assert sorted(place(wait) for wait in waits) == list(range(200))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_asynchronous_callers_stand_in_the_same_line(url: str, client: Any) -> None:
    limiter = AsyncRedisRateLimiter(url, SLOW)
    waits: list[float] = []

    async def reserve() -> None:
        waits.append(await limiter.areserve(None))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(reserve)

    assert sorted(place(wait) for wait in waits) == list(range(20))
    assert place(RedisRateLimiter(client, SLOW).reserve(None)) == 20
    await limiter.ahold(5000)
    assert place(await limiter.areserve(None)) == 50
    assert place(await limiter.areserve(99.0)) == 51


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_asynchronous_client_is_awaited(url: str, client: Any) -> None:
    async with import_module("redis.asyncio").Redis.from_url(url) as other:
        limiter = AsyncRedisRateLimiter(other, SLOW)
        assert [place(await limiter.areserve(None)) for _ in range(3)] == [0, 1, 2]
        await limiter.ahold(1000)
    assert place(RedisRateLimiter(client, SLOW).reserve(None)) == 10


def test_a_limiter_serves_one_event_loop_after_another(url: str, client: Any) -> None:
    limiter = AsyncRedisRateLimiter(url, SLOW)

    assert [place(anyio.run(limiter.areserve, None)) for _ in range(3)] == [0, 1, 2]


def test_without_redis_a_process_keeps_to_the_limit_by_itself(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    limiter = RedisRateLimiter(nobody, SLOW)

    assert [place(limiter.reserve(None)) for _ in range(4)] == [0, 1, 2, 3]
    assert place(limiter.reserve(5.0)) == 4
    limiter.hold(1)
    assert place(limiter.reserve(None)) == 4
    [record] = caplog.records
    assert (record.name, record.levelno) == ("poststack", logging.WARNING)
    assert "ConnectionError" in record.message


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_nor_does_an_asynchronous_caller_hear_of_it(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    limiter = AsyncRedisRateLimiter(nobody, SLOW)

    await limiter.ahold(1)
    assert [place(await limiter.areserve(None)) for _ in range(4)] == [0, 1, 2, 3]
    assert len(caplog.records) == 1


def silent(visitor: Visitor) -> None:
    visitor.stay_silent()


def wrong(visitor: Visitor) -> None:
    while visitor.send(b"-ERR not now\r\n") and visitor.request():
        pass


@pytest.mark.parametrize("script", [silent, wrong])
def test_a_redis_that_does_not_answer_is_asked_once_and_left_alone_for_a_while(
    script: Callable[[Visitor], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(script) as server:
        limiter = RedisRateLimiter(f"redis://127.0.0.1:{server.port}/0", SLOW)
        assert [place(limiter.reserve(None)) for _ in range(20)] == list(range(20))
        assert server.connections <= 2

    assert len(caplog.records) == 1


def test_a_redis_that_is_back_is_used_again(url: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_limiter, "PAUSE", 0.0)
    port = int(url.rpartition(":")[2].partition("/")[0])

    def away_at_first(visitor: Visitor) -> None:
        if visitor.number >= 2:  # A connection that is cut is opened again once.
            visitor.join(port)

    RedisRateLimiter(client, SLOW).hold(700)
    with serving(away_at_first) as server:
        limiter = RedisRateLimiter(f"redis://127.0.0.1:{server.port}/0", SLOW)
        found = [place(limiter.reserve(None)) for _ in range(3)]

    assert found == [0, 7, 8]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_who_is_cancelled_does_not_wait_for_a_silent_redis() -> None:
    came: list[str] = []
    with serving(silent) as server:
        limiter = AsyncRedisRateLimiter(f"redis://127.0.0.1:{server.port}/0", SLOW)

        async def reserve() -> None:
            await limiter.areserve(None)
            came.append("an answer")

        async with anyio.create_task_group() as group:
            group.start_soon(reserve)
            while not server.connections:
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()

    assert came == []


@pytest.mark.parametrize("kind", [RedisRateLimiter, AsyncRedisRateLimiter])
@pytest.mark.parametrize("rate", [0, -1, True, float("nan"), float("inf"), 1e7, "50", None])
def test_a_rate_that_limits_nothing_is_refused(kind: Any, rate: Any) -> None:
    with pytest.raises(ValueError, match="rate must be more than 0 calls a second"):
        kind("redis://localhost", rate)


@pytest.mark.parametrize("kind", [RedisRateLimiter, AsyncRedisRateLimiter])
@pytest.mark.parametrize("wrong", ["", "localhost:6379", "http://localhost", "redis://:sec:ret@localhost:x/0"])
def test_a_text_that_is_no_url_is_refused_and_not_shown(kind: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"no URL of a Redis") as caught:
        kind(wrong, 50)

    assert caught.value.__suppress_context__
    assert "ret" not in str(caught.value)


@pytest.mark.parametrize("kind", [RedisRateLimiter, AsyncRedisRateLimiter])
@pytest.mark.parametrize("wrong", [None, 5, b"redis://localhost"])
def test_what_is_neither_a_url_nor_a_client_is_refused(kind: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"URL such as redis://.* or a client"):
        kind(wrong, 50)


@pytest.mark.parametrize("name", ["", 5])
def test_a_limit_without_a_name_is_refused(nobody: str, name: Any) -> None:
    with pytest.raises(ValueError, match="name must be a text"):
        RedisRateLimiter(nobody, 50, name=name)


def test_a_synchronous_limiter_awaits_nothing(nobody: str) -> None:
    with pytest.raises(TypeError, match="AsyncRedisRateLimiter"):
        RedisRateLimiter(import_module("redis.asyncio").Redis.from_url(nobody), 50)


def test_nothing_of_the_url_is_shown(url: str) -> None:
    assert repr(RedisRateLimiter(url, 50)) == "RedisRateLimiter(rate=50, name='default')"


def test_without_redis_py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ModuleNotFoundError, match=r"poststack\[redis\]"):
        RedisRateLimiter("redis://localhost:6379/15", 50)


@pytest.mark.slow
def test_four_processes_keep_to_one_limit_together(url: str, client: Any) -> None:
    with ExitStack() as running:
        api = running.enter_context(emulator("--rate-limit", "50"))
        programs = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.core.throttled_sender", api.url, url, "40", str(number), "50", "5"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for number in range(4)
        ]  # fmt: skip
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        assert [program.wait(90) for program in programs] == [0] * 4

        requests = api.get("/_emulator/health")["requests"]
        with PostStack("sk_test_processes", api.url) as reader:
            recipients = [email["toAddresses"][0] for email in reader.emails.iterate()]

    assert sorted(recipients) == sorted(f"u{n}@program-{p}.example.com" for n in range(50) for p in range(4))
    assert requests - len(recipients) < 2  # What was refused, under 1 %. Each alone might make 40 calls a second.
