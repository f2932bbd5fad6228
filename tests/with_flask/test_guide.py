"""PostStack's own guide for Flask, its code unchanged, beside the extension."""

from __future__ import annotations

import logging
import sys
import textwrap
import types
from typing import Any

import pytest

from poststack import PostStackError
from poststack.testing import emulator
from poststack_flask import FlaskPostStack, current_poststack
from tests.servers import answering, serving

APP = """
# app.py — initialise the client once in your app factory
import os
from flask import Flask
from poststack import PostStack

def create_app():
    app = Flask(__name__)
    # Store the client on app.extensions so views can reach it via current_app
    app.extensions["poststack"] = PostStack(api_key=os.environ["POSTSTACK_API_KEY"])
    return app
"""

TASKS = """
# tasks.py — runs in an RQ worker process, which has NO Flask app context,
# so use a module logger here rather than current_app.
import os
import logging
from poststack import PostStack, PostStackError

logger = logging.getLogger(__name__)

def send_welcome_email(email: str, name: str):
    ps = PostStack(api_key=os.environ["POSTSTACK_API_KEY"])
    try:
        return ps.emails.send({
            "from": "hello@yourdomain.com",
            "to": [email],
            "subject": "Welcome to Acme",
            "html": f"<h1>Welcome, {name}!</h1>",
        })
    except PostStackError as exc:
        logger.error("PostStack send failed: %s (req %s)", exc.error, exc.request_id)
        raise
"""

VIEWS = """
# views.py (a blueprint)
from flask import Blueprint, jsonify, request
from .queue import queue
from .tasks import send_welcome_email

bp = Blueprint("auth", __name__)

@bp.post("/signup")
def signup():
    user = create_user(request.form)
    queue.enqueue(send_welcome_email, user.email, user.name) # response stays fast
    return jsonify(ok=True)
"""

ERRORS = """
import os, logging
from poststack import PostStack, PostStackError

logger = logging.getLogger(__name__)
ps = PostStack(api_key=os.environ["POSTSTACK_API_KEY"])

def send(payload):
    # The SDK retries 429/5xx internally; handle only terminal errors here.
    try:
        return ps.emails.send(payload)
    except PostStackError as e:
        if 400 <= e.status_code < 500 and e.status_code != 429:
            logger.error("PostStack %s: %s (req %s)", e.code, e.error, e.request_id)
            return None
        # 429/5xx survived the SDK's own retries — surface it to the worker
        raise
"""


def module(code: str, name: str = "guide", **names: object) -> Any:
    made = types.ModuleType(name)
    for one, value in names.items():
        setattr(made, one, value)
    exec(textwrap.dedent(code), vars(made))
    return made


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")


def test_the_factory_and_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from flask import current_app

    with serving(answering()) as server:
        monkeypatch.setenv("POSTSTACK_BASE_URL", server.url)
        app = module(APP).create_app()

        with app.app_context():
            email: Any = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "x"}
            assert current_app.extensions["poststack"].emails.send(email)["id"] == "em_1"
            assert current_poststack.emails.send(email)["id"] == "em_1"
        with pytest.raises(RuntimeError, match="already"):
            FlaskPostStack(app)


def test_the_view_and_the_task_without_an_application_context(monkeypatch: pytest.MonkeyPatch) -> None:
    class User:
        email, name = "ada@example.com", "Ada"

    class Queue:
        """Runs at once what RQ would run in a worker."""

        def enqueue(self, function: Any, *arguments: Any) -> None:
            answers.append(function(*arguments))

    def create_user(form: object) -> User:
        return User()

    answers: list[Any] = []
    with serving(answering()) as server:
        monkeypatch.setenv("POSTSTACK_BASE_URL", server.url)
        for name, made in {"shop": types.ModuleType("shop"), "shop.tasks": module(TASKS)}.items():
            monkeypatch.setitem(sys.modules, name, made)
        monkeypatch.setitem(sys.modules, "shop.queue", module("", queue=Queue()))
        views = module(VIEWS, "shop.views", __package__="shop", create_user=create_user)
        app = module(APP).create_app()
        app.register_blueprint(views.bp)

        assert app.test_client().post("/signup").json == {"ok": True}
        assert answers == [{"id": "em_1"}]


def test_errors_are_told_apart(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    guide = module(ERRORS)
    email = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "x"}
    with emulator() as emu:
        guide.ps = emu.client()
        emu.fail(422, code="domain_not_verified", error="Domain not verified", times=1)
        with caplog.at_level(logging.ERROR):
            assert guide.send(email) is None
        assert "PostStack domain_not_verified: Domain not verified (req req_" in caplog.text
        emu.fail(503)
        with pytest.raises(PostStackError):
            guide.send(email)
