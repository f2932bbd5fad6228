"""One client for each configuration and process: connections are reused over all `send_mail()` calls.

A client may be shared by threads and survives a fork, so nothing else is needed for workers of any kind.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from poststack import PostStack
from poststack_django.settings import ClientSettings, get_settings

if TYPE_CHECKING:
    from poststack.types import SendEmail, SentEmail

__all__ = ["EmailClient", "EmailGroup", "MissingKeyError", "get_client", "overlaid"]


class EmailGroup(Protocol):
    """The part of a client that sends."""

    def send(self, input: SendEmail, /) -> SentEmail:
        """Send one e-mail."""
        ...


class EmailClient(Protocol):
    """What `POSTSTACK["CLIENT"]` must make: a `PostStack`, or anything that sends like one."""

    @property
    def emails(self) -> EmailGroup:
        """Return the group that sends."""
        ...


class MissingKeyError(ImproperlyConfigured):
    """There is no API key: nothing can be sent, and everything else works."""


_clients: dict[ClientSettings, EmailClient] = {}
_lock = threading.Lock()


def get_client(configuration: ClientSettings | None = None) -> EmailClient:
    """Return this process's client for a configuration, by default that of the settings.

    Do not close it: others use it. Raises `ImproperlyConfigured` when it cannot be made.
    """
    configuration = configuration or get_settings().client
    with _lock:
        client = _clients.get(configuration)
        if client is None:
            client = _clients[configuration] = _make(configuration)
        return client


def overlaid(options: Mapping[str, Any]) -> ClientSettings:
    """Return the settings' configuration with a mailer's own options, those that were given, on top.

    A mailer with options of its own has a client of its own: `POSTSTACK["CLIENT"]` does not apply to it.
    """
    base = get_settings().client
    return replace(base, factory=None, **options) if options else base


def _make(configuration: ClientSettings) -> EmailClient:
    if configuration.factory is not None:
        made: EmailClient = configuration.factory()
        return made
    if not configuration.api_key:
        raise MissingKeyError(
            "No PostStack API key. Set POSTSTACK = {'API_KEY': 'sk_…'} in the settings, or POSTSTACK_API_KEY in the "
            "environment."
        )
    try:
        return PostStack(
            configuration.api_key,
            configuration.base_url,
            configuration.timeout,
            configuration.max_retries,
            deadline=configuration.deadline,
        )
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(str(error)) from error


def _forget_clients(*, setting: str, **_: Any) -> None:
    # Tests change settings; connections to the servers of earlier tests are of no use to later ones.
    if setting != "POSTSTACK":
        return
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        if isinstance(client, PostStack):
            client.close()


setting_changed.connect(_forget_clients, dispatch_uid="poststack_django.clients")
