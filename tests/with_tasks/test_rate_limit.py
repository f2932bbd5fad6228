"""Workers that keep to a limit of calls a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from poststack import HeldBackError, PostStackError
from poststack_tasks import GiveUp, Job, Limits, RetryLater, TaskSettings, current_settings, decide, job
from poststack_tasks.clients import async_client, get_client
from tests.limits import Limits as RedisLimits
from tests.limits import limits_in_redis
from tests.servers import answering, serving

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisLimits]:
    with limits_in_redis(tmp_path_factory.mktemp("redis")) as limits:
        yield limits


def held(seconds: float) -> HeldBackError:
    return HeldBackError(429, "not yet", "rate_limit_exceeded", retry_after=seconds)


def test_a_job_that_is_held_back_comes_again_when_there_is_room() -> None:
    with serving(answering()) as server:
        settings = TaskSettings("sk_test_x", server.url, deadline=5, rate_limit=0.01)
        first = job.send_email(Job("test", "j1"), EMAIL, settings=settings)
        second = job.send_email(Job("test", "j2"), EMAIL, settings=settings)

        assert len(server.requests) == 1
    assert first.name == "sent"
    assert isinstance(second.error, HeldBackError)
    assert isinstance(second.decision, RetryLater)
    assert 90 < second.decision.delay < 210


@pytest.mark.parametrize("attempt", [1, 10, 1000])
@pytest.mark.parametrize(("random", "delay"), [(0.0, 40.0), (0.5, 60.0)])
def test_however_often_it_is_held_back_it_does_not_wait_longer_each_time(
    attempt: int, random: float, delay: float
) -> None:
    decision = decide(held(40.0), attempt=attempt, age=0.0, random=lambda: random)

    assert decision == RetryLater(delay, f"status 429 at attempt {attempt}")


def test_a_refusal_of_the_api_is_no_such_thing() -> None:
    error = PostStackError(429, "slow down", "rate_limit_exceeded", retry_after=1)

    assert decide(error, attempt=10, age=0.0, random=lambda: 0.5) == RetryLater(256.0, "status 429 at attempt 10")


def test_it_waits_no_longer_than_jobs_may_and_not_for_mail_that_is_late() -> None:
    limits = Limits(longest_delay=30, expires=100)

    assert decide(held(40), attempt=1, age=0, random=lambda: 0.0, limits=limits) == RetryLater(
        30, "status 429 at attempt 1"
    )
    assert isinstance(decide(held(40), attempt=1, age=80, random=lambda: 0.0, limits=limits), GiveUp)


def test_workers_with_one_key_share_a_limit(limits: RedisLimits) -> None:
    with serving(answering()) as server:
        settings = TaskSettings("sk_test_shared", server.url, rate_limit=500, rate_limit_redis=limits.url)
        limits.client.flushdb()
        assert job.send_email(Job("test", "j1"), EMAIL, settings=settings).name == "sent"
        assert limits.counted("sk_test_shared")

        async def send() -> None:
            async with async_client(settings) as client:
                await client.emails.send(EMAIL)

        limits.client.flushdb()
        asyncio.run(send())
        assert limits.counted("sk_test_shared")


def test_the_queues_settings_and_the_environment_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "20")
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT_REDIS", "redis://localhost")
    from_environment = current_settings().limit
    from_queue = current_settings({"poststack_rate_limit": 30}).limit

    assert from_environment is not None
    assert (from_environment.rate, from_environment.redis_url) == (20, "redis://localhost")
    assert from_queue is not None
    assert (from_queue.rate, from_queue.redis_url) == (30, "redis://localhost")


def test_another_limit_is_another_client() -> None:
    settings = TaskSettings("sk_test_x", rate_limit=5)

    assert get_client(settings) is get_client(TaskSettings("sk_test_x", rate_limit=5))
    assert get_client(settings) is not get_client(TaskSettings("sk_test_x", rate_limit=6))
    assert "secret" not in repr(TaskSettings(rate_limit=5, rate_limit_redis="redis://:secret@localhost"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate_limit": 0}, "`rate_limit` is a number of calls a second, over 0"),
        ({"rate_limit": "50"}, "`rate_limit` is a number of calls a second, not of type str"),
        ({"rate_limit": 50, "rate_limit_redis": "localhost"}, "`rate_limit_redis` must be the URL of a Redis"),
        ({"rate_limit_redis": "redis://localhost"}, "`rate_limit` must say how many a second"),
        ({"rate_limit": 50, "client": lambda: None}, "the `client` of the settings sends instead"),
        ({"rate_limit": 50, "provider": "postmark", "provider_options": {"server_token": "x"}}, "another provider"),
    ],
    ids=["0", "text", "no URL", "where alone", "beside a client", "beside a provider"],
)
def test_what_is_wrong_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TaskSettings("sk_test_x", **given)


def test_a_provider_of_the_environment_cannot_keep_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTSTACK_API_KEY", raising=False)
    monkeypatch.setenv("POSTSTACK_PROVIDER", "postmark")
    monkeypatch.setenv("POSTSTACK_PROVIDER_OPTIONS", '{"server_token": "x"}')

    for make in (get_client, async_client):
        with pytest.raises(ValueError, match="another provider sends instead"):
            make(TaskSettings(rate_limit=50))
