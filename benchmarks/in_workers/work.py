"""Be a worker, or whoever enqueues, in the environment of one side.

    python work.py fill    TASKS.py COUNT     enqueue so many e-mails
    python work.py worker  TASKS.py COUNT     work with so many processes until standard input ends
    python work.py enqueue TASKS.py COUNT     enqueue so many with each of two tasks; print the CPU seconds of each call

The tasks are those of a file, and the broker is that of `BENCHMARK_BROKER`.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Nothing of this project is on the path in the published SDK's environment.
mail: Callable[[int], dict[str, Any]] = runpy.run_path(str(Path(__file__).with_name("mail.py")))["mail"]


def enqueue(tasks: dict[str, Any], count: int) -> list[list[float]]:
    """Return the CPU seconds of `delay` with a task of the project's own and with ours, in this order."""
    ways = [tasks["plain"].delay, tasks["task"].delay]
    mails = [mail(number) for number in range(count)]
    for way in ways:
        for one in mails[:50]:  # Opens the connection.
            way(one)
    spent: list[list[float]] = [[], []]
    for one in mails:
        for way, times in zip(ways, spent, strict=True):  # By turns, so that the machine's moods fall on both.
            begun = time.process_time()
            way(one)
            times.append(time.process_time() - begun)
    return spent


def worker(tasks: dict[str, Any], concurrency: int) -> None:
    """Work until standard input ends."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
    options = ["--pool=prefork", f"--concurrency={concurrency}", "--loglevel=WARNING", "--without-gossip"]
    tasks["app"].worker_main(["--quiet", "worker", *options, "--without-mingle", "--without-heartbeat"])


def main(what: str, path: str, count: int) -> None:
    """Do what was asked for."""
    tasks = runpy.run_path(path)
    if what == "fill":
        for number in range(count):
            tasks["task"].delay(mail(number))
    elif what == "enqueue":
        print(json.dumps(enqueue(tasks, count)))
    else:
        worker(tasks, count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
