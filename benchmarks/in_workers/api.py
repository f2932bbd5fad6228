"""The API, in a process of its own, with a clock: `python -m benchmarks.in_workers.api COUNT`. Prints its port.

Ends with the last of so many requests, and prints when each was answered, as JSON, and the CPU seconds that all took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from benchmarks.server import Acceptor


class _Clocked(Acceptor):
    """Notes when it answers."""

    def __init__(self, answered: list[float], complete: asyncio.Event, count: int) -> None:
        super().__init__(0.0)
        self._answered = answered
        self._complete = complete
        self._count = count

    def answer(self) -> None:
        """Answer one request."""
        super().answer()
        self._answered.append(time.monotonic())
        if len(self._answered) == self._count:
            self._complete.set()


async def main(count: int) -> tuple[list[float], float]:
    """Serve so many requests."""
    answered: list[float] = []
    complete = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Clocked(answered, complete, count), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    begun = time.process_time()
    await complete.wait()
    return answered, time.process_time() - begun


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
