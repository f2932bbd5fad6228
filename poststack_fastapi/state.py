"""What an application has while it runs, and how it is found from a request.

Everything is in `app.state` and in the lifespan state. What is already in `app.state` is used and not closed: two
routers that bring the lifespan along share a client, and a test puts one there before the application starts.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.receiving import MemoryEventStore

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection

    from poststack.receiving import AsyncEventStore

__all__ = [
    "ALL",
    "CLIENT",
    "SYNC_CLIENT",
    "WEBHOOKS",
    "WebhookDefaults",
    "check_store",
    "find",
    "published",
    "webhook_defaults",
]

CLIENT: Final = "poststack"
SYNC_CLIENT: Final = "poststack_sync"
WEBHOOKS: Final = "poststack_webhooks"
ALL: Final = (CLIENT, SYNC_CLIENT, WEBHOOKS)
# Under a name of its own: a lifespan that starts later would take what it finds at the other for somebody's options.
_UNSTARTED: Final = "poststack_webhooks_unstarted"


@dataclass(frozen=True)
class WebhookDefaults:
    """What the webhook routes of an application share. `secrets` is `None` where no lifespan has read them."""

    secrets: tuple[str, ...] | None = field(default=None, repr=False)
    store: AsyncEventStore = field(default_factory=MemoryEventStore)


def check_store(store: AsyncEventStore | None) -> None:
    """Raise `TypeError` for a store that no asynchronous receiver could ask."""
    if store is not None and not hasattr(store, "abegin"):
        raise TypeError(f"{type(store).__name__} is no AsyncEventStore: it has no method `abegin`.")


@contextmanager
def published(app: Starlette, values: Mapping[str, object]) -> Generator[None]:
    """Have values in `app.state` for the length of a block; afterwards it is as before, and can be started again."""
    for name, value in values.items():
        setattr(app.state, name, value)
    try:
        yield
    finally:
        for name, value in values.items():
            if getattr(app.state, name, None) is value:
                delattr(app.state, name)


def find(connection: HTTPConnection, name: str) -> Any:
    """Return what the application of a request has, or the one that it is mounted in; else `None`."""
    app = connection.scope.get("app")
    own = getattr(app.state, name, None) if app is not None else None
    if own is not None:
        return own
    return cast("Mapping[str, object]", connection.scope.get("state") or {}).get(name)


def webhook_defaults(connection: HTTPConnection) -> WebhookDefaults:
    """Return what webhook routes use that have no options of their own; without the lifespan, a memory of the app."""
    found = find(connection, WEBHOOKS)
    if found is None:
        found = getattr(connection.app.state, _UNSTARTED, None)
    if found is None:
        found = WebhookDefaults()
        setattr(connection.app.state, _UNSTARTED, found)
    return cast("WebhookDefaults", found)
