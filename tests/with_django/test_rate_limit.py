"""A limit of calls a second in the settings of a project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

from poststack import HeldBackError
from poststack.types import SendEmail
from poststack_django.aio import asend_messages
from poststack_django.backends import EmailBackend
from poststack_django.checks import check_mailers, check_settings
from poststack_django.clients import get_client, overlaid, without_retries
from poststack_django.settings import get_settings
from tests.limits import Limits, limits_in_redis
from tests.servers import answering, serving
from tests.with_django.api import configured

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}


def factory() -> object:
    return object()


def key_of_the_tenant(message: EmailMessage) -> str:
    return "sk_test_" + message.to[0].partition("@")[0]


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limits]:
    with limits_in_redis(tmp_path_factory.mktemp("redis")) as limits:
        yield limits


def test_calls_are_kept_apart(settings: Any) -> None:
    with serving(answering()) as server:
        settings.POSTSTACK = {"API_KEY": "sk_test_x", "BASE_URL": server.url, "RATE_LIMIT": 0.01, "DEADLINE": 5}
        get_client().emails.send(EMAIL)

        with pytest.raises(HeldBackError):
            get_client().emails.send(EMAIL)
        assert len(server.requests) == 1


def test_the_environment_says_it_too(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "20")

    limit = get_settings().client.rate_limit
    assert limit is not None
    assert limit.rate == 20


def test_processes_with_one_key_share_a_limit(settings: Any, limits: Limits) -> None:
    with serving(answering()) as server:
        settings.POSTSTACK = {
            "API_KEY": "sk_test_shared", "BASE_URL": server.url, "RATE_LIMIT": 500, "RATE_LIMIT_REDIS": limits.url,
        }  # fmt: skip
        limits.client.flushdb()
        get_client().emails.send(EMAIL)
        assert limits.counted("sk_test_shared")

        limits.client.flushdb()
        message = EmailMessage("Hi", "Hello", "shop@example.com", ["ada@example.org"])
        with configured("EMAIL_BACKEND"):
            settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}
            async_to_sync(asend_messages)([message])
        assert limits.counted("sk_test_shared")


def test_each_tenant_has_a_limit_of_its_own(settings: Any, limits: Limits) -> None:
    with serving(answering()) as server:
        settings.POSTSTACK = {
            "API_KEY": key_of_the_tenant, "BASE_URL": server.url,
            "RATE_LIMIT": 500, "RATE_LIMIT_REDIS": limits.url, "RECORD": False,
        }  # fmt: skip
        for tenant in ("ada", "bob"):
            limits.client.flushdb()
            EmailBackend().send_messages([EmailMessage("Hi", "Hello", "shop@example.com", [f"{tenant}@example.org"])])
            assert limits.counted(f"sk_test_{tenant}")


def test_a_mailer_may_have_another_limit(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "RATE_LIMIT": 20, "RATE_LIMIT_REDIS": "redis://localhost"}

    own = EmailBackend(rate_limit=5).configuration.rate_limit
    assert own is not None
    assert (own.rate, own.redis_url) == (5, "redis://localhost")
    assert EmailBackend().configuration.rate_limit == get_settings().client.rate_limit
    assert without_retries(EmailBackend().configuration).rate_limit is not None


def test_a_mailer_with_another_provider_is_not_limited_by_what_is_meant_for_poststack(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "RATE_LIMIT": 20}
    options = {"provider": "postmark", "provider_options": {"server_token": "x"}}

    assert overlaid(options).rate_limit is None
    with pytest.raises(ImproperlyConfigured, match="A rate limit is kept by the client of PostStack"):
        overlaid({**options, "rate_limit": 5})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RATE_LIMIT": 0}, r"POSTSTACK\['RATE_LIMIT'\] must be a number of calls a second"),
        ({"RATE_LIMIT": True}, r"POSTSTACK\['RATE_LIMIT'\] must be a number of calls a second"),
        ({"RATE_LIMIT": 50, "RATE_LIMIT_REDIS": "localhost"}, r"POSTSTACK\['RATE_LIMIT_REDIS'\] must be the URL"),
        ({"RATE_LIMIT_REDIS": "redis://localhost"}, r"POSTSTACK\['RATE_LIMIT'\] must say how many a second"),
        ({"RATE_LIMIT": 50, "CLIENT": factory}, r"the client that POSTSTACK\['CLIENT'\] makes sends instead"),
        ({"RATE_LIMIT": 50, "PROVIDER": "postmark", "PROVIDER_OPTIONS": {"server_token": "x"}}, "another provider"),
        ({"RATE_LIMITS": 50}, "Did you mean 'RATE_LIMIT'"),
    ],
    ids=["0", "True", "no URL", "where alone", "beside a client", "beside a provider", "misspelt"],
)
def test_what_is_wrong_is_found_by_check(settings: Any, given: dict[str, Any], said: str) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", **given}

    [error] = check_settings()
    assert error.id == "poststack.E001"
    with pytest.raises(ImproperlyConfigured, match=said):
        get_settings()


def test_a_url_that_redis_cannot_read_is_found_by_check_and_not_shown(settings: Any) -> None:
    settings.POSTSTACK = {
        "API_KEY": "sk_test_x", "RATE_LIMIT": 50, "RATE_LIMIT_REDIS": "redis://:secret@localhost:port/0",
    }  # fmt: skip
    with configured("EMAIL_BACKEND"):
        [error] = check_mailers()

    assert error.id == "poststack.E002"
    assert "no URL of a Redis" in error.msg
    assert "secret" not in str(error)


def test_a_client_of_ones_own_has_the_limit_that_it_is_made_with(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.POSTSTACK = {"CLIENT": factory}
    monkeypatch.setenv("POSTSTACK_RATE_LIMIT", "20")

    assert get_settings().client.rate_limit is None
    limit = overlaid({"api_key": "sk_test_x"}).rate_limit
    assert limit is not None
    assert limit.rate == 20
