"""Points at which a worker can be made to stand still, so that it is killed there and not somewhere near.

The test writes a file for a job and a point; the worker finds it, says that it is held, and waits.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from tests.with_tasks.stand.processes import wait_until

__all__ = ["ANSWERED", "FOLDER", "HELD_FOR", "PUT_OFF", "RETRIED", "TAKEN", "hold", "hold_here", "wait_until_held"]

FOLDER: Final = "STAND_HOLDS"
"""The environment variable with the folder of the files."""
TAKEN: Final = "taken"
"""Celery's worker has taken the job from Redis, and has not noted anywhere that it has."""
PUT_OFF: Final = "put_off"
"""RQ's worker has said that the next attempt is scheduled, and has not scheduled it."""
ANSWERED: Final = "answered"
"""The API has answered, and the queue does not know yet."""
RETRIED: Final = "retried"
"""The next attempt is enqueued, and this one is not acknowledged."""
HELD_FOR: Final = 8.0
"""Seconds after which a worker goes on, if it still lives: one whose parent was killed goes on beside its successor."""


def hold(folder: Path, job: str, point: str) -> None:
    """Have whoever gets there stand still, once."""
    (folder / f"{job}.{point}").touch()


def wait_until_held(folder: Path, job: str, point: str) -> None:
    """Return when a worker stands there."""
    wait_until((folder / f"{job}.{point}.held").exists, f"job {job} is held when it is {point}")


def hold_here(job: str, point: str) -> None:
    """In the worker: stand still if the test wants that."""
    mark = Path(os.environ[FOLDER]) / f"{job}.{point}"
    try:
        mark.rename(mark.with_name(mark.name + ".held"))  # Only one can.
    except FileNotFoundError:
        return
    until = time.monotonic() + HELD_FOR
    while time.monotonic() < until:
        time.sleep(0.05)
