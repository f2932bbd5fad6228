"""The client lives as long as the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from poststack import AsyncPostStack, PostStack
from poststack.mailbridge.configured import is_mailer
from poststack.receiving import MemoryEventStore
from poststack_fastapi.settings import ClientSettings, secrets_of
from poststack_fastapi.state import ALL, CLIENT, SYNC_CLIENT, WEBHOOKS, WebhookDefaults, check_store, published

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from poststack.mailbridge import AsyncMailer, Mailer
    from poststack.receiving import AsyncEventStore, HiddenText, Secrets
    from poststack.transports.base import AsyncTransport, Transport

__all__ = ["lifespan", "make_lifespan"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


def make_lifespan(
    *,
    api_key: str | HiddenText | None = None,
    base_url: str | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    deadline: float | None = None,
    transport: AsyncTransport | None = None,
    provider: str | Callable[[], Any] | None = None,
    provider_options: Mapping[str, Any] | None = None,
    rate_limit: float | None = None,
    rate_limit_redis: str | None = None,
    client: AsyncPostStack | AsyncMailer | None = None,
    sync_client: PostStack | Mailer | None = None,
    inner: Lifespan | None = None,
    webhook_secrets: Secrets = None,
    event_store: AsyncEventStore | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return a lifespan that opens the clients of an application and closes them.

    The settings are those of `AsyncPostStack`. What is not given is read from the environment when the application
    starts: `POSTSTACK_API_KEY`, `POSTSTACK_BASE_URL`, `POSTSTACK_TIMEOUT`, `POSTSTACK_MAX_RETRIES`,
    `POSTSTACK_DEADLINE`, `POSTSTACK_RATE_LIMIT`, `POSTSTACK_RATE_LIMIT_REDIS`, and `POSTSTACK_WEBHOOK_SECRETS` with
    commas between them. `api_key` and `webhook_secrets` may
    be pydantic's `SecretStr`. `client` and `sync_client` are used as they are and stay open: clients of PostStack, or a
    MailBridge or Failover. `provider` sends through another provider, with the arguments of its `MailBridge` as
    `provider_options`; in the environment `POSTSTACK_PROVIDER`, and `POSTSTACK_PROVIDER_OPTIONS` as JSON.

    `rate_limit` is in calls a second, of each client, or of all processes that use the same key and the Redis whose URL
    is `rate_limit_redis`; other providers cannot keep to it, so that there it is a `ValueError`.

    `inner` is the application's own lifespan: it starts after the client and stops before it, and what it yields stays
    in the lifespan state. `event_store` remembers which webhook events are dealt with, by default in memory.

    Raises `ValueError` for settings beside a `client`, and `TypeError` for a client or a store of the other kind; a
    wrong setting stops the start of the application.
    """
    settings = ClientSettings(
        api_key, base_url, timeout, max_retries, deadline, provider, provider_options, rate_limit, rate_limit_redis
    )
    if client is not None and (settings != ClientSettings() or transport is not None):
        raise ValueError("Give make_lifespan either a client or the settings of one, not both.")
    _check_kinds(client, sync_client)
    check_store(event_store)

    @asynccontextmanager
    async def poststack_lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            present = {name: found for name in ALL if (found := getattr(app.state, name, None)) is not None}
            opened: dict[str, Any] = {}
            if CLIENT not in present:
                opened[CLIENT] = client or await stack.enter_async_context(_async_client(settings, transport))
            if SYNC_CLIENT not in present:
                if sync_client is not None:
                    opened[SYNC_CLIENT] = sync_client
                # Beside a client from elsewhere it would speak to another account, or past the emulator of a test.
                elif CLIENT not in present and client is None and (transport is None or hasattr(transport, "send")):
                    opened |= _sync_client(settings, cast("Transport | None", transport), stack)
            if WEBHOOKS not in present:
                store = MemoryEventStore() if event_store is None else event_store
                opened[WEBHOOKS] = WebhookDefaults(secrets_of(webhook_secrets), store)
            stack.enter_context(published(app, opened))
            state = {**present, **opened}
            own = None if inner is None else await stack.enter_async_context(inner(app))
            yield {**state, **(own or {})}

    return poststack_lifespan


def _async_client(settings: ClientSettings, transport: AsyncTransport | None) -> AsyncPostStack | AsyncMailer:
    limit = settings.limit()
    if (provider := settings.other_provider()) is not None:
        if limit is not None:
            limit.refuse_beside("another provider")
        return provider.async_mailer(**settings.patience(), transport=transport)
    given = settings.arguments()
    rate_limit = None if limit is None else limit.async_limiter(given.get("api_key"))
    return AsyncPostStack(**given, transport=transport, rate_limit=rate_limit)


def _sync_client(settings: ClientSettings, transport: Transport | None, stack: AsyncExitStack) -> dict[str, Any]:
    """Return the one for `def` endpoints; none where the provider's settings are for an asynchronous one only."""
    if (provider := settings.other_provider()) is None:
        limit, given = settings.limit(), settings.arguments()
        rate_limit = None if limit is None else limit.limiter(given.get("api_key"))
        return {SYNC_CLIENT: stack.enter_context(PostStack(**given, transport=transport, rate_limit=rate_limit))}
    if provider.is_function or not provider.has_store_for(asynchronous=False):
        return {}
    return {SYNC_CLIENT: stack.enter_context(provider.mailer(**settings.patience(), transport=transport))}


def _check_kinds(client: object, sync_client: object) -> None:
    # Else the e-mail would be sent, and the route fail at the `await` that follows, or lack one.
    if isinstance(client, PostStack) or is_mailer(client, asynchronous=False):
        kind = type(client).__name__
        raise TypeError(f"A {kind} cannot be awaited. Give it as sync_client={kind}(…).")
    if isinstance(sync_client, AsyncPostStack) or is_mailer(sync_client, asynchronous=True):
        kind = type(sync_client).__name__
        raise TypeError(f"An {kind} needs `await`. Give it as client={kind}(…).")


lifespan = make_lifespan()
"""Ready to use: `FastAPI(lifespan=lifespan)` with the settings from the environment, read at start-up."""
