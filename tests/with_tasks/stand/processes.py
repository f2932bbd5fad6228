"""Processes in sessions of their own, so that all of a worker can be found and killed, also when its parent is dead."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, TypeVar

from tests.patience import PATIENCE

__all__ = ["ROOT", "Process", "StandError", "wait_until"]

ROOT: Final = Path(__file__).parents[3]

T = TypeVar("T")


class StandError(Exception):
    """Something did not come about in time, or ended by itself; the text says what."""


def wait_until(found: Callable[[], T], what: str, *, seconds: float = PATIENCE, every: float = 0.05) -> T:
    """Return what `found` returns as soon as that is true. Raises `StandError` when the time is over."""
    until = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > until:
            raise StandError(f"Waited {seconds:g} s in vain until {what}.")
        time.sleep(every)
    return value


class Process:
    """One program, with everything that it forks. What it writes goes to a file that is kept."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._gone = False
        self._output: IO[bytes] = log.open("ab")
        own = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**_outside(), **own, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Return the process id, which is that of the session, too."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the program itself, and not only something it forked, is there."""
        return self._process.poll() is None

    def members(self) -> list[int]:
        """Return the processes of its session that live."""
        if self._gone:
            return []
        found = [pid for pid in _living() if _session(pid) == self.pid]
        # From now on, the system may give the same number to somebody else.
        self._gone = not found and not self.running
        return found

    def children(self) -> list[int]:
        """Return the processes of its session that live, without the program itself."""
        return [pid for pid in self.members() if pid != self.pid]

    def kill(self) -> None:
        """Kill the program itself; what it forked is not told."""
        self._process.kill()
        self._process.wait()

    def kill_children(self, at_most: int | None = None) -> list[int]:
        """Kill what it forked; return the process ids."""
        killed = self.children()[:at_most]
        for pid in killed:
            _kill(pid)
        return killed

    def kill_one(self, pid: int) -> None:
        """Kill one of its children."""
        assert pid in self.children()
        _kill(pid)

    def kill_all(self) -> None:
        """Kill everything in one go. The program comes first, so that it can replace nothing."""
        children = self.children()
        if self.running:
            self._process.kill()
        for pid in children:
            _kill(pid)
        self._process.wait()
        # What was forked meanwhile.
        while left := self.members():
            for pid in left:
                _kill(pid)

    def close(self) -> None:
        """Leave nothing behind but the log."""
        self.kill_all()
        self._output.close()

    def written(self) -> str:
        """Return the log."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Return when the program has written this."""

        def found() -> bool:
            if text in self.written():
                return True
            if not self.running:
                raise StandError(f"The program ended before it wrote {text!r}:\n{self.written()[-3000:]}")
            return False

        wait_until(found, f"{self.log.name} has {text!r}")


def _outside() -> dict[str, str]:
    """Return the environment without the project of Django that other tests of this process have set up."""
    return {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}


def _living() -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    # One that is dead and waits for its parent to notice is no more.
    return [int(pid) for pid, state in map(str.split, listed.splitlines()) if not state.startswith("Z")]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
