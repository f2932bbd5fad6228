"""A limit of calls a second for the clients of an application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from poststack import AsyncPostStack, HeldBackError
from poststack.types import SendEmail
from poststack_fastapi import lifespan, make_lifespan
from tests.asgi import running
from tests.limits import Limits, limits_in_redis
from tests.servers import answering, serving

pytestmark = pytest.mark.anyio

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limits]:
    with limits_in_redis(tmp_path_factory.mktemp("redis")) as limits:
        yield limits


async def test_calls_are_kept_apart() -> None:
    with serving(answering()) as server:
        app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", base_url=server.url, rate_limit=0.01, deadline=5))
        async with running(app):
            await app.state.poststack.emails.send(EMAIL)
            with pytest.raises(HeldBackError):
                await app.state.poststack.emails.send(EMAIL)

        assert len(server.requests) == 1


async def test_clients_of_both_kinds_and_all_processes_share_a_limit(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_shared")
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "500")
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT_REDIS", limits.url)
    with serving(answering()) as server:
        monkeypatch.setenv("POSTSTACK_BASE_URL", server.url)
        app = FastAPI(lifespan=lifespan)
        async with running(app):
            limits.client.flushdb()
            await app.state.poststack.emails.send(EMAIL)
            assert limits.counted("sk_test_shared")
            limits.client.flushdb()
            app.state.poststack_sync.emails.send(EMAIL)
            assert limits.counted("sk_test_shared")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate_limit": 0}, "rate_limit must be a number of calls a second"),
        ({"rate_limit": True}, "rate_limit must be a number of calls a second"),
        ({"rate_limit": 50, "rate_limit_redis": "localhost"}, "rate_limit_redis must be the URL"),
        ({"rate_limit": 50, "rate_limit_redis": "redis://localhost:x"}, "no URL of a Redis"),
        ({"rate_limit_redis": "redis://localhost"}, "rate_limit must say how many a second"),
        ({"rate_limit": 50, "provider": "postmark", "provider_options": {"server_token": "x"}}, "another provider"),
    ],
    ids=["0", "True", "no URL", "no port", "where alone", "beside a provider"],
)
async def test_what_is_wrong_stops_the_start(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        async with running(FastAPI(lifespan=make_lifespan(api_key="sk_test_x", **given))):
            pass


async def test_a_client_that_is_given_has_its_own() -> None:
    async with AsyncPostStack("sk_test_x") as client:
        with pytest.raises(ValueError, match="not both"):
            make_lifespan(client=client, rate_limit=50)
