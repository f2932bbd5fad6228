"""Ask `/health` every few milliseconds and say how long each answer took: `python probe.py PORT EVERY PROCESS`.

A process of its own with one blocking socket: nothing else in it can delay it. The kernel notes when an answer has
arrived, so that the time until this process is given a processor to read it does not count. Ends when its standard
input does, and prints as JSON the waits in seconds, and the longest CPU time of the server's process during one of
them: what of a wait was its own work, and not that of other programs.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time

REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SO_TIMESTAMPNS = 35
"""Linux: with what was received comes the time of its arrival. `socket` has no name for it."""


def main(port: int, every: float, process: int) -> tuple[list[float], float]:
    """Return the waits, and the longest CPU time during one."""
    waits: list[float] = []
    longest_work = 0.0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        if sys.platform == "linux":
            connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("ready", flush=True)
        due = time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            due = time.monotonic() + every
            worked, sent_at = _cpu_time(process), time.time_ns()
            connection.sendall(REQUEST)
            wait = (_answered_at(connection) - sent_at) / 1e9
            longest_work = max(longest_work, _cpu_time(process) - worked)
            # Those that would have asked meanwhile would have waited for the rest of it.
            while wait > 0:
                waits.append(wait)
                wait -= every
    return waits, longest_work


def _answered_at(connection: socket.socket) -> int:
    received = b""
    while True:
        data, notes, _, _ = connection.recvmsg(4096, 64)
        read_at = time.time_ns()
        received += data
        if not data or not b"http/1.1 200".startswith(received[:12].lower()):
            raise ConnectionError(repr(received))
        if received.endswith(b'{"ok":true}'):
            for level, kind, value in notes:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = struct.unpack("qq", value)
                    return int(seconds * 10**9 + nanoseconds)
            return read_at


def _cpu_time(process: int) -> float:
    # Linux has a clock for each process, whose number is made of the process's.
    return time.clock_gettime((~process << 3) | 2) if sys.platform == "linux" else 0.0


if __name__ == "__main__":
    if hasattr(os, "nice") and os.geteuid() == 0:
        os.nice(-10)  # So that it asks when it is due.
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
