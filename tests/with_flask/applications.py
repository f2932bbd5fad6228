"""Applications and e-mails that the tests of the Flask package begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask

from poststack_flask import FlaskPostStack

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["EMAIL", "SECRET", "application", "registered"]

EMAIL: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
SECRET = "secret of the tests"


def application(**config: object) -> Flask:
    """Return an application with this configuration and nothing else."""
    app = Flask(__name__)
    app.config.from_mapping(config)
    return app


def registered(extension: FlaskPostStack | None = None, **config: Any) -> Flask:
    """Return a testing application that has a client, and a webhook with a secret."""
    app = application(**{"TESTING": True, "POSTSTACK_WEBHOOK_SECRETS": [SECRET], **config})
    (FlaskPostStack() if extension is None else extension).init_app(app)
    return app
