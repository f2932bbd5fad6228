"""A limit of calls a second in the configuration of an application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from poststack import HeldBackError
from poststack.mailbridge import MailBridge
from poststack_flask import FlaskPostStack, current_poststack
from poststack_flask.state import state_of
from tests.limits import Limits, limits_in_redis
from tests.servers import answering, serving
from tests.with_flask.applications import EMAIL, application


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limits]:
    with limits_in_redis(tmp_path_factory.mktemp("redis")) as limits:
        yield limits


def test_calls_are_kept_apart() -> None:
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL=server.url, POSTSTACK_RATE_LIMIT="0.01")
        FlaskPostStack(app, deadline=5)
        with app.app_context():
            current_poststack.emails.send(EMAIL)
            with pytest.raises(HeldBackError):
                current_poststack.emails.send(EMAIL)

        assert len(server.requests) == 1


def test_what_is_not_sent_need_not_wait() -> None:
    app = application(POSTSTACK_RATE_LIMIT=0.01, TESTING=True)
    FlaskPostStack(app, deadline=5)

    with app.app_context():
        for _ in range(3):
            current_poststack.emails.send(EMAIL)


def test_processes_with_one_key_share_a_limit(limits: Limits) -> None:
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_shared", POSTSTACK_BASE_URL=server.url)
        extension = FlaskPostStack(app, rate_limit=500, rate_limit_redis=limits.url)
        limits.client.flushdb()
        with app.app_context():
            current_poststack.emails.send(EMAIL)
        assert limits.counted("sk_test_shared")

        async def send() -> None:
            async with extension.async_client() as client:
                await client.emails.send(EMAIL)

        limits.client.flushdb()
        with app.app_context():
            asyncio.run(send())
        assert limits.counted("sk_test_shared")


def test_the_environment_and_the_dictionary_say_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "20")
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT_REDIS", "redis://localhost")
    app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK={"RATE_LIMIT": 30})
    FlaskPostStack(app)

    limit = state_of(app).settings.limit
    assert limit is not None
    assert (limit.rate, limit.redis_url) == (30, "redis://localhost")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RATE_LIMIT": 0}, "POSTSTACK_RATE_LIMIT must be a number of calls a second"),
        ({"RATE_LIMIT": "many"}, "POSTSTACK_RATE_LIMIT must be a number of calls a second"),
        ({"RATE_LIMIT": 50, "RATE_LIMIT_REDIS": "localhost"}, "POSTSTACK_RATE_LIMIT_REDIS must be the URL"),
        ({"RATE_LIMIT": 50, "RATE_LIMIT_REDIS": "redis://localhost:x"}, "no URL of a Redis"),
        ({"RATE_LIMIT_REDIS": "redis://localhost"}, "POSTSTACK_RATE_LIMIT must say how many a second"),
        ({"RATE_LIMIT": 50, "PROVIDER": "postmark", "PROVIDER_OPTIONS": {"server_token": "x"}}, "another provider"),
    ],
    ids=["0", "text", "no URL", "no port", "where alone", "beside a provider"],
)
def test_what_is_wrong_is_said(given: dict[str, Any], said: str) -> None:
    config = {f"POSTSTACK_{name}": value for name, value in given.items()}

    with pytest.raises(ValueError, match=said):
        FlaskPostStack(application(POSTSTACK_API_KEY="sk_test_x", **config))


def test_a_mailer_that_is_there_already_cannot_keep_to_it() -> None:
    with MailBridge("postmark", server_token="x") as mailer:
        with pytest.raises(ValueError, match="not both"):
            FlaskPostStack(client=mailer, rate_limit=50)
        with pytest.raises(ValueError, match="another provider sends instead"):
            FlaskPostStack(application(POSTSTACK_RATE_LIMIT=50), client=mailer)
