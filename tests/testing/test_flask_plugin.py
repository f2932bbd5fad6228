"""The fixtures for Flask applications: there by themselves, and harmless without Flask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

pytest.importorskip("flask")

APPLICATION = """
import itertools

import pytest
from flask import Flask
from poststack_flask import FlaskPostStack, current_poststack

poststack = FlaskPostStack()
bounced = []
texts = map(str, itertools.count())


@poststack.on("email.bounced")
def note(event):
    bounced.append(event.email_id)


def create_app():
    app = Flask(__name__)
    app.config["POSTSTACK_WEBHOOK_SECRETS"] = "whsec_of_the_application"
    poststack.init_app(app)

    @app.post("/welcome")
    def welcome():
        email = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Welcome", "text": next(texts)}
        return {"id": current_poststack.emails.send({**email, "idempotency_key": "welcome-ada"})["id"]}

    return app


@pytest.fixture(scope="%s")
def app():
    app = create_app()
    app.config["TESTING"] = %s
    return app
"""

TESTS = """
import pytest

from conftest import bounced


@pytest.mark.parametrize("again", [1, 2])
def test_outbox(app, flask_poststack_outbox, again):
    answer = app.test_client().post("/welcome")
    (message,) = flask_poststack_outbox
    assert message.id == answer.json["id"]
    assert message.recipients == ["ada@example.com"]
    assert not message.replayed


def test_webhook(flask_poststack_webhook):
    assert flask_poststack_webhook("email.bounced", email_id="em_1").status_code == 200
    assert flask_poststack_webhook("email.bounced", bad_signature=True).status_code == 401
    assert bounced == ["em_1"]


@pytest.mark.parametrize("again", [1, 2])
def test_emulator(app, flask_poststack, flask_poststack_outbox, again):
    bounced.clear()
    flask_poststack.fail(503, times=1)
    email_id = app.test_client().post("/welcome").json["id"]
    flask_poststack.simulate(email_id, "bounced")
    assert [email.status for email in flask_poststack.sent] == ["bounced"]
    assert bounced == [email_id]
    assert len(flask_poststack_outbox) == 1
"""


def run_pytest(folder: Path, *options: str, absent: tuple[str, ...] = ()) -> str:
    # None in sys.modules makes an import fail as if the package were not installed.
    hidden = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
    program = hidden + "import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-q", *WITHOUT_OTHER_PLUGINS, *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("testing", [True, False])
@pytest.mark.parametrize("scope", ["function", "session"])
def test_the_fixtures_work_with_the_fixture_app_of_the_project(tmp_path: Path, scope: str, testing: bool) -> None:
    (tmp_path / "conftest.py").write_text(APPLICATION % (scope, testing))
    (tmp_path / "test_shop.py").write_text(TESTS)

    assert "5 passed" in run_pytest(tmp_path)


def test_the_fixtures_are_listed_and_harm_nobody_without_flask(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")

    assert "1 passed" in run_pytest(tmp_path, absent=("flask", "blinker", "werkzeug"))
    assert "flask_poststack_outbox" in run_pytest(tmp_path, "--fixtures")
