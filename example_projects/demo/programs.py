"""Programs that a demonstration starts, watches, and takes down again."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, Final

import httpx

__all__ = ["DemoError", "DemoStoppedError", "Program", "free_port", "kept_port"]

ROOT: Final = Path(__file__).parents[2]
ON_THIS_MACHINE: Final = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
"""The programs talk to each other only; a proxy in the environment has nothing to do with that."""
PATIENCE: Final = 5.0
"""Seconds in which a program that was asked to end has to end."""


class DemoError(Exception):
    """The demonstration cannot go on; the text says why."""


class DemoStoppedError(Exception):
    """Somebody has asked the demonstration to stop."""


def free_port(wanted: int = 0) -> int:
    """Return a port of the loopback address that is free now: the wanted one if possible."""
    with _bound(wanted) as probe:
        return _port_of(probe)


@contextlib.contextmanager
def kept_port(wanted: int = 0) -> Generator[int]:
    """Yield a port as `free_port` does, for a program that is about to listen on it.

    On Linux nobody else is given it in the meantime: it stays bound here, which keeps no server from listening that may
    reuse addresses, as servers may. Demonstrations that want the same port at once may reuse it as well; so whoever has
    it holds the UDP port of that number, too, which can be bound once only and is free as soon as its holder is gone.
    """
    with contextlib.ExitStack() as held:
        if wanted:
            claim = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                claim.bind(("127.0.0.1", wanted))
            except OSError:
                wanted = 0
        kept = held.enter_context(_bound(wanted))
        port = _port_of(kept)
        if sys.platform != "linux":
            kept.close()
        yield port


def _bound(wanted: int) -> socket.socket:
    probe = socket.socket()
    try:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
    except OSError:
        probe.close()
        return _bound(0)
    return probe


def _port_of(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


class Program:
    """A Python program in a process of its own, for the length of a `with` block. What it writes goes to a file.

    `stop` is looked at while waiting. A signal handler sets it, instead of raising wherever the program happens to be:
    an exception in the middle of starting a process would leave that process behind.
    """

    def __init__(
        self, name: str, arguments: list[str], log: Path, environment: dict[str, str], stop: threading.Event
    ) -> None:
        self.name = name
        self._stop = stop
        self._log = log
        self._command = [sys.executable, *arguments]
        output = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        self._environment = {**os.environ, **output, **ON_THIS_MACHINE, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Program:
        self._output = self._log.open("wb")
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._output is not None:
            self._output.close()

    def end(self, number: int) -> int:
        """Send it a signal, wait for its end, and return its status. That it has ended is no failure then."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        return process.wait()

    def check(self) -> None:
        """Raise `DemoStoppedError` if that is so, `DemoError` if the program has ended by itself."""
        status = None if self._process is None else self._process.poll()
        # Ctrl-C in a terminal reaches all programs, and this one may be the last to notice.
        if self._stop.is_set() or (status is not None and self._stop.wait(0.5)):
            raise DemoStoppedError
        if status is not None:
            raise DemoError(f"The {self.name} ended with status {status}.{self.last_lines()}")

    def last_lines(self, count: int = 15) -> str:
        """Return the end of what it has written, with a headline."""
        lines = self._log.read_text("utf-8", "replace").splitlines()[-count:]
        return "".join(f"\n    {line}" for line in [f"[{self.name}]", *lines])

    def line_with(self, text: str) -> str | None:
        """Return the first line in which it has written this, `None` if there is none."""
        lines = self.lines_to(text)
        return lines[-1] if lines else None

    def lines_to(self, text: str) -> list[str]:
        """Return what it has written up to the first line with this, nothing if there is none."""
        lines = self._log.read_text("utf-8", "replace").splitlines(keepends=True)
        # The last one may be half written.
        found = next((at for at, line in enumerate(lines) if text in line and line.endswith("\n")), -1)
        return [line.strip() for line in lines[: found + 1]]

    def wait_for_address(self, seconds: float) -> str:
        """Return the first address that it writes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := re.search(r"http://127\.0\.0\.1:\d+", self._log.read_text("utf-8", "replace")):
                return found[0]
            self.check()
            time.sleep(0.05)
        raise DemoError(f"The {self.name} named no address within {seconds:.0f} seconds.{self.last_lines()}")

    def wait_until_it_answers(self, url: str, seconds: float) -> None:
        """Return as soon as it answers requests."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check()
            try:
                httpx.get(url, timeout=seconds, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise DemoError(f"The {self.name} did not answer within {seconds:.0f} seconds.{self.last_lines()}")
