"""How much memory this process takes, and took at most: MiB that are resident."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

__all__ = ["peak", "reset_peak", "resident"]

_STATUS = Path("/proc/self/status")


def resident() -> float:
    """Return what it takes now; where the system does not say, the most that it ever took."""
    return _status("VmRSS:") if _STATUS.exists() else peak()


def peak() -> float:
    """Return the most that it took since `reset_peak`, or since its start where that does nothing."""
    if _STATUS.exists():
        # `getrusage` would do, but at first it knows the peak of the process that started this one.
        return _status("VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def reset_peak() -> None:
    """Let the peak be what it takes now, where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def _status(name: str) -> float:
    line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
