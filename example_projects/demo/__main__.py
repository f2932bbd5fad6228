"""Run a demonstration.

python -m example_projects.demo                 # the Django shop; goes on until Ctrl-C, for you to look around
python -m example_projects.demo fastapi --once  # ends by itself: status 0 if every e-mail was delivered
"""

from __future__ import annotations

import argparse
import io
import signal
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from example_projects.demo.programs import DemoError, DemoStoppedError
from example_projects.demo.stage import Stage, say

SUMMARY: Final = "Show an example project sending its mail through PostStack, to the emulator on this machine."

APPS: Final = ("django", "fastapi", "flask")
"""The framework of the project. For each there is a module here that has `demonstrate(stage)`."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m example_projects.demo", description=SUMMARY)
    parser.add_argument("app", nargs="?", choices=APPS, default=APPS[0], help="the framework of the project")
    parser.add_argument("--once", action="store_true", help="end after the e-mails are delivered")
    options = parser.parse_args(arguments)
    once: bool = options.once
    stop = threading.Event()

    def request_stop(number: int, frame: object) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows has no SIGHUP.
            signal.signal(number, request_stop)
    scenario: Any = import_module(f"example_projects.demo.{options.app}")
    try:
        with tempfile.TemporaryDirectory(prefix="poststack-demo-") as folder, Stage(Path(folder), once, stop) as stage:
            scenario.demonstrate(stage)
    except DemoStoppedError:
        say("\nStopped; nothing is left running.")
        return 130 if once else 0
    except DemoError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # Some consoles have no check mark.
    sys.exit(main())
