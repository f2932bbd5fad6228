"""Northlight: a sign-up form, a queue that writes to those who use it, and a page that shows what became of it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from flask import Flask, render_template
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from werkzeug.exceptions import HTTPException

from example_projects.flask_signup import commands, database, pages, queue
from example_projects.flask_signup.events import poststack

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["create_app"]

csrf: Any = CSRFProtect()


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Return the application. What differs from place to place comes from the environment, or from `config`."""
    app = Flask(__name__)
    app.config.from_mapping(
        # Without a key of its own, visitors are forgotten after a restart.
        SECRET_KEY=os.environ.get("SIGNUP_SECRET_KEY") or secrets.token_urlsafe(32),
        DATABASE=database.path(),
        REDIS_URL=queue.redis_url(),
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=1_000_000,
    )
    app.config.from_mapping(config or {})

    poststack.init_app(app)
    csrf.init_app(app)
    database.init_app(app)
    queue.init_app(app)
    commands.init_app(app)
    app.register_blueprint(pages.bp)
    app.register_error_handler(HTTPException, _problem)
    return app


def _problem(error: HTTPException) -> tuple[str, int]:
    return render_template("signup/problem.html", error=error), error.code or 500
