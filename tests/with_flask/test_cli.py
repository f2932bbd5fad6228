"""The commands `flask poststack …`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import poststack.cli
from poststack.testing import emulator
from poststack_flask import FlaskPostStack
from poststack_flask.testing import emulator_session
from tests.with_flask.applications import SECRET, application, registered

if TYPE_CHECKING:
    from click.testing import Result
    from flask import Flask

    from poststack.testing import EmulatorSession

ROOT = Path(__file__).parents[2]
SENDER: dict[str, Any] = {"POSTSTACK_DEFAULT_SENDER": ("Kettle, Leaf", "shop@example.com")}


def run(app: Flask, *arguments: str, answer: str = "") -> Result:
    return app.test_cli_runner().invoke(args=["poststack", *arguments], input=answer)


def on(emu: EmulatorSession, **config: object) -> Flask:
    return registered(FlaskPostStack(transport=emu.transport, api_key="sk_test_x"), **config)


def test_a_test_email_is_sent_as_the_application_would() -> None:
    with emulator() as emu:
        done = run(on(emu, **SENDER), "send-test", "ada@example.com")

        (email,) = emu.sent
        assert (done.exit_code, done.output) == (0, f"{email.id} queued\n")
        assert (email.payload["from"], email.to) == ('"Kettle, Leaf" <shop@example.com>', ["ada@example.com"])


def test_a_test_email_can_be_followed() -> None:
    with emulator() as emu:
        done = run(on(emu, **SENDER), "send-test", "ada@example.com", "--wait", "30")

        email_id = emu.sent[0].id
        assert done.exit_code == 0
        assert done.output.splitlines() == [
            f"{email_id} queued",
            *([f"{email_id} sending"] if "sending" in done.output else []),
            f"{email_id} delivered",
        ]


@pytest.mark.parametrize(
    ("address", "said"), [("bounce@example.com", "It ended as bounced"), ("defer@example.com", "It is still deferred")]
)
def test_a_test_email_that_does_not_arrive_ends_with_an_error(address: str, said: str) -> None:
    with emulator() as emu:
        done = run(on(emu, **SENDER), "send-test", address, "--wait", "10")

    assert done.exit_code == 1
    assert said in done.output


def test_a_test_email_needs_a_sender() -> None:
    app = registered()

    done = run(app, "send-test", "ada@example.com")
    given = run(app, "send-test", "ada@example.com", "--from", "desk@example.com")

    assert done.exit_code == 1
    assert "POSTSTACK_DEFAULT_SENDER" in done.output
    assert given.exit_code == 0
    assert emulator_session(app).sent[0].from_ == "desk@example.com"


def test_it_is_said_when_nothing_leaves_the_process() -> None:
    done = run(registered(**SENDER), "send-test", "ada@example.com")

    assert "nothing leaves this process" in done.stderr
    assert re.fullmatch(r"em_\w+ queued\n", done.stdout)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, None, "Check POSTSTACK_API_KEY"),
        (429, "quota_exceeded", "quota"),
        (503, None, "Try again later"),
        (422, "domain_not_verified", "status 422, request "),
    ],
)
def test_a_refusal_is_told_in_words_and_with_advice(status: int, code: str | None, said: str) -> None:
    with emulator() as emu:
        emu.fail(status, code=code)
        done = run(on(emu, **SENDER), "send-test", "ada@example.com")

    assert done.exit_code == 1
    assert done.output.startswith("Error: PostStack: ")
    assert said in done.output
    assert "Traceback" not in done.output
    assert "ada@" not in done.output


def test_no_answer_is_told_with_advice() -> None:
    with emulator() as emu:
        emu.fail(reset=True)
        done = run(on(emu, **SENDER), "send-test", "ada@example.com")

    assert "Check POSTSTACK_BASE_URL" in done.output


def test_a_missing_key_is_told_in_words() -> None:
    app = application(**SENDER)
    FlaskPostStack(app)

    done = run(app, "send-test", "ada@example.com")

    assert done.exit_code == 1
    assert done.output.startswith("Error: No PostStack API key")


def test_webhooks_are_created_listed_rotated_tested_and_deleted() -> None:
    with emulator() as emu:
        app = on(emu)
        url = "https://shop.example.com/webhooks/poststack"
        made = run(app, "webhook", "create", url, "--events", "email.bounced", "--events", "email.failed")
        (webhook,) = emu.emulator.store.webhooks.all()
        first_secret = webhook.secret

        assert made.exit_code == 0
        assert first_secret in made.output.splitlines()
        assert "POSTSTACK_WEBHOOK_SECRETS" in made.output
        assert run(app, "webhook", "list").output == f"{webhook.id}\tactive\t{url}\temail.bounced email.failed\n"

        rotated = run(app, "webhook", "rotate", str(webhook.id))
        (webhook,) = emu.emulator.store.webhooks.all()
        assert webhook.secret != first_secret
        assert webhook.secret in rotated.output.splitlines()
        assert "keep the old one there until" in rotated.output
        assert "take the old one out" in run(app, "webhook", "rotate", str(webhook.id), "--grace-hours", "0").output

        assert run(app, "webhook", "test", str(webhook.id)).exit_code == 0
        assert run(app, "webhook", "delete", str(webhook.id), answer="n\n").exit_code == 1
        assert len(emu.emulator.store.webhooks.all()) == 1
        assert run(app, "webhook", "delete", str(webhook.id), "--yes").exit_code == 0
        assert emu.emulator.store.webhooks.all() == []


def test_a_script_gets_the_secret_and_nothing_else() -> None:
    with emulator() as emu:
        app = on(emu)
        made = run(app, "webhook", "create", "https://shop.example.com/", "--quiet")
        (webhook,) = emu.emulator.store.webhooks.all()

        assert made.output == webhook.secret + "\n"
        rotated = run(app, "webhook", "rotate", str(webhook.id), "--quiet")
        assert rotated.output == emu.emulator.store.webhooks.all()[0].secret + "\n"


def test_a_webhook_needs_a_full_address() -> None:
    with emulator() as emu:
        done = run(on(emu), "webhook", "create", "/webhooks/poststack")

        assert done.exit_code == 1
        assert "full address" in done.output
        assert emu.emulator.store.webhooks.all() == []


def test_a_webhook_that_does_not_exist_is_told_in_words() -> None:
    with emulator() as emu:
        done = run(on(emu), "webhook", "test", "7")

    assert done.exit_code == 1
    assert "status 404" in done.output


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Keep the emulator from starting, and return what it would have been started with."""
    calls: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr(poststack.cli, "main", main)
    return calls


def test_the_emulator_calls_this_application(called: list[list[str]]) -> None:
    app = registered()

    assert run(app, "emulator", "--port", "0", "--data", "mail.db").exit_code == 0
    run(app, "emulator", "--app-url", "http://localhost:8000/")

    webhook = "http://127.0.0.1:5000/webhooks/poststack"
    assert called == [
        ["emulator", "--webhook", webhook, "--webhook-secret", SECRET, "--port", "0", "--data", "mail.db"],
        ["emulator", "--webhook", "http://localhost:8000/webhooks/poststack", "--webhook-secret", SECRET],
    ]


def test_the_emulator_finds_the_port_of_flask_run(called: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_RUN_PORT", "5001")

    run(registered(), "emulator")

    assert called[0][2] == "http://127.0.0.1:5001/webhooks/poststack"


def test_a_webhook_of_ones_own_is_left_alone(called: list[list[str]]) -> None:
    run(registered(), "emulator", "--webhook=http://localhost:1/")

    assert called == [["emulator", "--webhook=http://localhost:1/"]]


def test_the_emulator_says_that_nobody_hears_of_events(called: list[list[str]]) -> None:
    app = application(TESTING=True)
    FlaskPostStack(app)

    done = run(app, "emulator")

    assert "POSTSTACK_WEBHOOK_SECRETS" in done.stderr
    assert called == [["emulator"]]


@pytest.mark.slow
def test_the_commands_work_as_programs(tmp_path: Path, emulator_url: str) -> None:
    (tmp_path / "app.py").write_text(
        "from flask import Flask\n"
        "from poststack_flask import FlaskPostStack\n"
        "def create_app():\n"
        "    app = Flask(__name__)\n"
        "    FlaskPostStack(app)\n"
        "    return app\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "POSTSTACK_API_KEY": "sk_test_x",
        "POSTSTACK_BASE_URL": emulator_url,
        "POSTSTACK_WEBHOOK_SECRETS": "only on my machine",
        "POSTSTACK_DEFAULT_SENDER": "shop@example.com",
    }

    def flask(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-m", "flask", "poststack", *arguments]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    with flask("send-test", "ada@example.com", "--wait", "60") as sending:
        out, problem = sending.communicate()
    assert sending.returncode == 0, problem
    assert re.fullmatch(r"(em_\w+) queued\n(\1 \w+\n)*\1 delivered\n", out)

    with flask("emulator", "--port", "0") as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(2)]
        running.send_signal(signal.SIGTERM)
        running.communicate()
    assert lines[0] == "Webhooks call http://127.0.0.1:5000/webhooks/poststack\n"
    assert lines[1].startswith("The PostStack emulator listens on http://127.0.0.1:")
    assert running.returncode == 0
