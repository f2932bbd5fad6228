"""What this package keeps for each application, in `app.extensions`, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from flask import current_app, has_app_context
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from flask import Flask

    from poststack import PostStack
    from poststack.mailbridge import Mailer
    from poststack.receiving import EventStore
    from poststack.transports.base import Clock
    from poststack_flask.outlet import Outlet
    from poststack_flask.settings import Settings

__all__ = ["CLIENT", "STATE", "AppState", "app_at_work", "client_of", "current_poststack", "state_of"]

CLIENT: Final = "poststack"
STATE: Final = "_poststack"


@dataclass(frozen=True)
class AppState:
    """Everything about one application, beside its client."""

    settings: Settings
    outlet: Outlet = field(repr=False)
    clock: Clock = field(repr=False)
    """The time that the client lives by."""
    event_store: EventStore = field(repr=False)


def app_at_work() -> Flask:
    """Return the application itself behind `current_app`. Raises `RuntimeError` without an application context."""
    if not has_app_context():
        raise RuntimeError(
            "No Flask application is at work here, so it is unknown whose PostStack client is meant. Push one: "
            "`with app.app_context(): …`. The job of a queue needs none: it makes a client by poststack.PostStack()."
        )
    proxy = cast("LocalProxy[Flask]", current_app)
    return proxy._get_current_object()  # pyright: ignore[reportPrivateUsage]  # what Werkzeug documents


def client_of(app: Flask) -> PostStack | Mailer:
    """Return the application's client, or the mailer of another provider. Raises `RuntimeError` when it has none."""
    try:
        return cast("PostStack | Mailer", app.extensions[CLIENT])
    except KeyError:
        raise _unregistered() from None


def state_of(app: Flask) -> AppState:
    """Return what is kept for an application. Raises `RuntimeError` when it is not registered."""
    try:
        return cast("AppState", app.extensions[STATE])
    except KeyError:
        raise _unregistered() from None


def _unregistered() -> RuntimeError:
    return RuntimeError("This application has no PostStack client. Call FlaskPostStack().init_app(app).")


current_poststack = cast("PostStack", LocalProxy(lambda: client_of(app_at_work())))
"""The client of the application that is at work. Raises `RuntimeError` where there is none.

With another provider it is that provider's mailer, which has `emails.send` and `emails.batch`, and no other group.
"""
