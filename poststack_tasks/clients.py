"""One client for each process and configuration, so that connections are reused over all jobs of a worker.

A `PostStack` may be shared by threads, and opens connections of its own after a fork; so there is nothing to do when a
worker process begins. Other clients are made again in the child. Connections are closed when the
process ends, or by `close_clients`.
"""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from poststack import AsyncPostStack, PostStack
from poststack.mailbridge.configured import provider_choice, provider_of_environment

if TYPE_CHECKING:
    from poststack.mailbridge import AsyncMailer
    from poststack.mailbridge.configured import ProviderChoice
    from poststack_tasks.configuration import EmailClient, TaskSettings

__all__ = ["async_client", "close_clients", "get_client"]

_Key: TypeAlias = tuple[Any, ...]

_clients: dict[_Key, EmailClient] = {}
_of_the_parent: list[EmailClient] = []
_lock = threading.Lock()


def get_client(settings: TaskSettings) -> EmailClient:
    """Return this process's client. Do not close it: other jobs use it.

    Raises `ValueError` when there is no key, or whatever the client's factory raises.
    """
    key = _key(settings)
    if (client := _clients.get(key)) is None:
        with _lock:
            if (client := _clients.get(key)) is None:
                client = _clients[key] = _make(settings)
    return client


def async_client(settings: TaskSettings) -> AsyncPostStack | AsyncMailer:
    """Return a new client for the event loop of a worker, which closes it at the end.

    Raises `ValueError` when there is no key, or the provider's settings cannot work.
    """
    limit = settings.limit
    if (provider := _provider(settings)) is not None:
        if limit is not None:
            limit.refuse_beside("another provider")
        return provider.async_mailer(timeout=settings.timeout, deadline=settings.deadline, max_retries=0)
    return AsyncPostStack(
        settings.api_key, settings.base_url, settings.timeout, max_retries=0, deadline=settings.deadline,
        rate_limit=None if limit is None else limit.async_limiter(settings.api_key),
    )  # fmt: skip


def close_clients() -> None:
    """Close all connections. Clients that are needed later are made anew."""
    with _lock:
        closing = list(_clients.values())
        _clients.clear()
    for client in closing:
        close = getattr(client, "close", None)
        if callable(close):
            with suppress(Exception):  # A process that ends has nobody to tell.
                close()


def _key(settings: TaskSettings) -> _Key:
    if settings.client is not None:
        return (settings.client,)
    # Without a key in the settings it is that of the environment, which tests change.
    api_key = settings.api_key or os.environ.get("POSTSTACK_API_KEY")
    base_url = settings.base_url or os.environ.get("POSTSTACK_BASE_URL")
    return (api_key, base_url, settings.timeout, settings.deadline, settings.limit, _provider(settings))


def _provider(settings: TaskSettings) -> ProviderChoice | None:
    """Return the provider of the settings, else that of the environment unless the settings have a key of PostStack."""
    if settings.provider is None and settings.api_key is None:
        return provider_of_environment()
    return provider_choice(settings.provider, settings.provider_options)


def _make(settings: TaskSettings) -> EmailClient:
    if settings.client is not None:
        return settings.client()
    limit = settings.limit
    if (provider := _provider(settings)) is not None:
        if limit is not None:
            limit.refuse_beside("another provider")
        return provider.mailer(timeout=settings.timeout, deadline=settings.deadline, max_retries=0)
    return PostStack(
        settings.api_key, settings.base_url, settings.timeout, max_retries=0, deadline=settings.deadline,
        rate_limit=None if limit is None else limit.limiter(settings.api_key),
    )  # fmt: skip


def _begin_in_child() -> None:
    global _lock  # noqa: PLW0603  # a thread that held it when the process was forked does not exist in the child
    _lock = threading.Lock()
    for key in [key for key, client in _clients.items() if not isinstance(client, PostStack)]:
        # Kept, for who knows what it does to the parent's connections when it is collected.
        _of_the_parent.append(_clients.pop(key))


if hasattr(os, "register_at_fork"):  # Not on Windows, where nothing forks.
    os.register_at_fork(after_in_child=_begin_in_child)
atexit.register(close_clients)
