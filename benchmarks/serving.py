"""Runs the server, and knows how busy it was."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Server", "served"]

_PROGRAM = Path(__file__).with_name("server.py")


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    address: str
    process: int

    def cpu(self) -> float:
        """Return the CPU seconds that it has used; 0 where the system does not tell."""
        # Linux has a clock for each process, whose number is made of the process's.
        return time.clock_gettime((~self.process << 3) | 2) if sys.platform == "linux" else 0.0


@contextmanager
def served(delay: float = 0.0) -> Generator[Server]:
    """Run the server in a process of its own. Each answer comes `delay` seconds late."""
    process = subprocess.Popen([sys.executable, str(_PROGRAM), str(delay)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
