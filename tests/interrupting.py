"""Signals as they are in a terminal: a shell starts what runs in the background, as does nohup, without them.

Programs inherit that a signal is ignored. Tests that interrupt a program would wait for its end in vain.
"""

from __future__ import annotations

import signal

__all__ = ["heed_signals"]


def heed_signals() -> None:
    """Undo that whoever started the tests has had signals ignored which end programs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGTERM"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP.
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
