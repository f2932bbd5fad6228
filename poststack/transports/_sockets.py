"""What a kept connection has to say, asked of the system."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["is_readable"]


def is_readable(connected: socket.socket) -> bool:
    """Whether something came that nobody waits for: the end, most likely. True for a socket that is closed already."""
    number = connected.fileno()
    if number < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
