"""Settings of a Celery application that are misspelt."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from poststack_tasks.celery import send_email
from tests.with_tasks.celery.conftest import current, made

if TYPE_CHECKING:
    from pathlib import Path

    from poststack.types import SendEmail

MAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING" and "setting" in one.getMessage()]


def test_a_setting_that_is_none_is_named_once_with_the_one_that_is_meant(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app.conf.poststack_timout = "secret"
    app.conf.poststack_timeout = 5.0

    send_email.delay(MAIL)
    send_email.delay(MAIL)

    (message,) = told(caplog)
    assert "poststack_timout is unknown" in message
    assert "poststack_timeout?" in message
    assert "secret" not in message


def test_those_in_a_namespace_are_found_too(caplog: pytest.LogCaptureFixture) -> None:
    app = made()
    settings = SimpleNamespace(
        CELERY_POSTSTACK_TIMOUT=5, CELERY_POSTSTACK_DEADLINE=20, POSTSTACK_OUTBOX=True, poststack_zzz=1
    )
    app.config_from_object(settings, namespace="CELERY")
    with current(app):
        send_email.delay(MAIL)

    assert [message.split()[2] for message in told(caplog)] == ["CELERY_POSTSTACK_TIMOUT", "poststack_zzz"]


def test_right_ones_are_not_spoken_of(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    app.conf.update(poststack_limits={"longest_delay": 300}, poststack_given_up_queue="mine")

    send_email.delay(MAIL)

    assert told(caplog) == []


def test_a_worker_tells_when_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    app = made()
    app.conf.poststack_timout = 5

    import_module("celery.signals").celeryd_after_setup.send(
        sender="worker", instance=SimpleNamespace(app=app), conf=app.conf
    )

    assert len(told(caplog)) == 1


@pytest.mark.slow
def test_a_real_worker_logs_it_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "misspelt.py").write_text(
        "from celery import Celery, signals\n"
        'app = Celery("misspelt", broker="memory://", include=["poststack_tasks.celery"])\n'
        "app.conf.poststack_timout = 5\n"
        "@signals.worker_ready.connect\n"
        "def stop(sender, **_):\n"
        "    raise SystemExit(0)\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "misspelt", "worker", "--pool", "solo", "--without-mingle"]
    worker = subprocess.run(  # our own program
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert "poststack_timout is unknown" in worker.stderr, worker.stderr
