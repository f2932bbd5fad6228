"""A folder, an API over HTTP, and the command, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest

from poststack.cli import main
from poststack.emulator.settings import Settings
from tests.emulator.inbox.served import Served

ROOT = Path(__file__).parents[2]


class Desk:
    """Works in one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.api = Served(Settings(delivery_delay=3600, domains=("example.com",)))
        self.out = ""
        """What the command has printed last."""
        self.err = ""

    def __enter__(self) -> Desk:
        self.api.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.__exit__(kind, error, trace)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def jsonl(self, name: str, emails: Iterable[dict[str, Any]]) -> Path:
        return self.write(name, "".join(json.dumps(email) + "\n" for email in emails))

    def run(self, *arguments: str) -> int:
        """Run the command, and return its exit status."""
        self._capsys.readouterr()
        try:
            status = main(["send-many", *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = self._capsys.readouterr()
        self.out, self.err = said.out, said.err
        return status

    @contextmanager
    def running(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """Run the command in a process of its own, which is killed in the end."""
        command = [sys.executable, "-m", "poststack", "send-many", *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def fail(self, **fault: Any) -> None:
        """Let requests to the API go wrong, as `docs/emulator.md` has it."""
        httpx.post(f"{self.api.address}/_emulator/faults", json=fault, trust_env=False).raise_for_status()

    def no_more_faults(self) -> None:
        httpx.delete(f"{self.api.address}/_emulator/faults", trust_env=False).raise_for_status()

    @property
    def requests(self) -> int:
        """How many requests the API has got."""
        answer = httpx.get(f"{self.api.address}/_emulator/health", trust_env=False).raise_for_status()
        count: int = answer.json()["requests"]
        return count

    @property
    def accepted(self) -> list[str]:
        """The recipient of each e-mail that the API has accepted, sorted."""
        return sorted(email.message.to[0].address for email in self.api.emulator.store.accepted())

    def keys(self) -> set[str]:
        """The idempotency keys under which e-mails were accepted."""
        return {(email.idempotency_key or "").removeprefix("single: ") for email in self.api.emulator.store.accepted()}


def emails(count: int, name: str = "u") -> list[dict[str, Any]]:
    """Return so many e-mails to different recipients."""
    return [
        {"from": "shop@example.com", "to": [f"{name}{n}@example.com"], "subject": f"Number {n}", "text": "Hello"}
        for n in range(count)
    ]


def recipients(count: int, name: str = "u") -> list[str]:
    """Return their recipients, sorted."""
    return sorted(f"{name}{n}@example.com" for n in range(count))


def lines(path: Path) -> list[dict[str, Any]]:
    """Return what the lines of a file say."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
