"""What a shutdown of a real server does to mail that is sent after the response."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from poststack import PostStack
from tests.servers import Server, Visitor, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")]


class Running:
    """The application in a process of its own, its log collected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log = ""
        self.address = ""
        stderr = process.stderr
        assert stderr is not None
        for line in stderr:
            self.log += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.address = found[0]
                break
        self._reader = threading.Thread(target=self._read_on)
        self._reader.start()

    def wait(self) -> int:
        self.process.wait(60)
        self._reader.join()
        return self.process.returncode

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        self.log += self.process.stderr.read()


@contextmanager
def project(api: str, *options: str) -> Generator[Running]:
    command = [sys.executable, "-m", "uvicorn", "--port", "0", *options, "tests.with_fastapi.background_project:app"]
    environment = {**os.environ, "POSTSTACK_API_KEY": "sk_test_shutdown", "POSTSTACK_BASE_URL": api}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        running = Running(process)
        try:
            yield running
        finally:
            process.kill()
            running.wait()


@contextmanager
def behind_a_gate(api: str) -> Generator[tuple[Server, threading.Event, threading.Event]]:
    """Serve the API, but only once the gate is open; say when somebody stands in front of it."""
    arrived, gate = threading.Event(), threading.Event()

    def script(visitor: Visitor) -> None:
        arrived.set()
        if gate.wait(60):
            visitor.join(urlsplit(api).port or 0)

    with serving(script) as server:
        try:
            yield server, arrived, gate
        finally:
            gate.set()


def keys(api: str) -> list[str]:
    client = PostStack("sk_test_shutdown", api)
    return [email["subject"] for email in client.emails.iterate()]


@pytest.fixture
def api(emulator_url: str) -> str:
    httpx.request("DELETE", f"{emulator_url}/_emulator/emails").raise_for_status()
    return emulator_url


def test_a_server_that_is_asked_to_stop_waits_for_the_mail(api: str) -> None:
    with behind_a_gate(api) as (server, arrived, gate), project(server.url) as running:
        assert httpx.post(running.address).status_code == 200
        assert arrived.wait(60)
        running.process.send_signal(signal.SIGTERM)
        assert sorted(keys(api)) == []
        gate.set()

        assert running.wait() in {0, -signal.SIGTERM}  # Newer versions of uvicorn end by the signal itself.
        assert sorted(keys(api)) == ["First", "Second"]


def test_a_server_that_does_not_wait_says_which_mail_it_interrupted(api: str) -> None:
    options = ("--timeout-graceful-shutdown", "1")
    with behind_a_gate(api) as (server, arrived, _), project(server.url, *options) as running:
        answer = httpx.post(running.address).json()
        first, second = re.findall(r"background-[0-9a-f-]{36}", answer)
        assert arrived.wait(60)
        running.process.send_signal(signal.SIGTERM)

        running.wait()
        assert f"The e-mail {first} was interrupted" in running.log
        assert f"The e-mail {second} was never sent: its background tasks did not run" in running.log
        assert keys(api) == []
