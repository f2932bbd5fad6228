"""The extension: reads the application's configuration and leaves a client behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from flask import current_app
from werkzeug.local import LocalProxy

from poststack import PostStack
from poststack_flask.mail import MailMethods

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["FlaskPostStack", "current_poststack"]

NAME = "poststack"
SETTINGS = {
    "POSTSTACK_API_KEY": "api_key",
    "POSTSTACK_BASE_URL": "base_url",
    "POSTSTACK_TIMEOUT": "timeout",
    "POSTSTACK_MAX_RETRIES": "max_retries",
    "POSTSTACK_DEADLINE": "deadline",
}
NUMBERS = {"timeout": float, "max_retries": int, "deadline": float}


class FlaskPostStack(MailMethods):
    """Give each application a client of its own.

        poststack = FlaskPostStack()

        def create_app():
            app = Flask(__name__)
            poststack.init_app(app)
            return app

    Views use `app.extensions["poststack"]`, which is the `PostStack` client itself, or `current_poststack`.

    Configuration, from `app.config` and else from the environment: `POSTSTACK_API_KEY` (required),
    `POSTSTACK_BASE_URL`, `POSTSTACK_TIMEOUT`, `POSTSTACK_MAX_RETRIES`, `POSTSTACK_DEADLINE`. `defaults` are arguments
    of `PostStack` that apply where neither says anything. Nothing about an application is kept on this object.
    """

    def __init__(self, app: Flask | None = None, **defaults: Any) -> None:
        self._defaults = defaults
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Create the application's client. Raises `RuntimeError` when it has one, `ValueError` for bad settings."""
        if NAME in app.extensions:
            raise RuntimeError(
                "This application has a PostStack client already. Call init_app once for each application."
            )
        arguments = dict(self._defaults)
        for setting, argument in SETTINGS.items():
            value = cast("object", app.config.get(setting, os.environ.get(setting)))  # pyright: ignore[reportUnknownMemberType]  # Flask's own type is partial
            if value is None:
                continue
            try:
                arguments[argument] = NUMBERS.get(argument, str)(str(value))
            except (TypeError, ValueError):
                raise ValueError(f"{setting} must be a number of seconds or retries.") from None
        app.extensions[NAME] = PostStack(**arguments)


def _client_of_current_app() -> PostStack:
    try:
        return cast("PostStack", current_app.extensions[NAME])
    except KeyError:
        raise RuntimeError("This application has no PostStack client. Call FlaskPostStack().init_app(app).") from None


current_poststack = cast("PostStack", LocalProxy(_client_of_current_app))
"""The client of the application that is handling the request."""
