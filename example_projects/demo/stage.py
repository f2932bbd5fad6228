"""What every demonstration stands on: programs that are started, watched and ended together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

from example_projects.demo.programs import DemoError, Program, kept_port
from example_projects.demo.redis_server import redis_server

__all__ = ["SOON", "Stage", "done", "say"]

Answer = TypeVar("Answer")

SOON: Final = 60.0
"""Seconds that each step may take, on a machine that is busy with something else."""

EMULATOR: Final = "import sys; from poststack.cli import main; sys.exit(main(sys.argv[1:]))"


class Stage:
    """A folder for what the programs keep, and the programs. Leaving the `with` block ends them, the last one first.

    `once` says that nobody looks on: the demonstration ends by itself, and needs no ports that can be remembered.
    """

    def __init__(self, folder: Path, once: bool, stop: threading.Event) -> None:
        self.folder = folder
        self.once = once
        self.programs: list[Program] = []
        self._stop = stop
        self._running = ExitStack()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def port(self, wanted: int) -> int:
        """Return a port that is free, and kept so: the wanted one if possible, when somebody looks on."""
        return self._running.enter_context(kept_port(0 if self.once else wanted))

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Program:
        """Start a Python program: `command` is what comes after `python`. What it writes is kept in `NAME.log`."""
        program = Program(name, command, self.folder / f"{name}.log", dict(environment), self._stop)
        self._running.enter_context(program)
        self.programs.append(program)
        return program

    def start_emulator(self, webhook: str, secret: str) -> str:
        """Start the emulator, which tells this address what happens, and return its own."""
        port = 0 if self.once else self.port(8025)
        webhooks = ["--webhook", webhook, "--webhook-secret", secret]
        emulator = self.start("emulator", ["-c", EMULATOR, "emulator", "--port", str(port), *webhooks], {})
        address = emulator.wait_for_address(SOON)
        done(f"emulator started at {address}")
        return address

    def start_redis(self) -> str:
        """Start a Redis and return its URL."""
        url = self._running.enter_context(redis_server(self.folder))
        done(f"Redis started at {url}")
        return url

    def check(self) -> None:
        """Raise `DemoError` if one of the programs has ended, `DemoStoppedError` if all are to."""
        for program in self.programs:
            program.check()

    def wait_for(self, what: str, question: Callable[[], Answer | None]) -> Answer:
        """Ask until there is an answer. Raises `DemoError` after `SOON` seconds, or when a program ends."""
        until = time.monotonic() + SOON
        while time.monotonic() < until:
            if answer := question():
                return answer
            self.check()
            time.sleep(0.05)
        raise DemoError(f"Waited {SOON:.0f} seconds in vain for {what}.{self.said()}")

    def stay(self) -> None:
        """Go on until somebody stops it, or a program ends."""
        while True:
            self.check()
            self._stop.wait(1.0)

    def said(self) -> str:
        """Return the last lines that the programs have written."""
        return "".join(program.last_lines() for program in self.programs)


def done(text: str) -> None:
    """Tell of something that has worked."""
    say(f"  ✓ {text}")


def say(text: str) -> None:
    """Tell something."""
    print(text, flush=True)
