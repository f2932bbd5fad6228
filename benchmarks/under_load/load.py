"""Keep so many requests in flight until enough are answered: `python load.py PORT CONCURRENT COUNT`.

Each of the concurrent visitors has a connection of its own and asks again as soon as there is an answer. Prints the
seconds from the first request to the last answer. One answer other than 200 ends it with an error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

BODY = json.dumps({"email": "ada@example.com", "name": "Ada"}).encode()
REQUEST = (
    b"POST /signup HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
) % (len(BODY), BODY)


class Visitor(asyncio.Protocol):
    """Asks, and asks again once answered, as long as `budget` lasts."""

    def __init__(self, budget: list[int], ended: asyncio.Future[None]) -> None:
        self._budget = budget
        self._ended = ended
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail unless everything was answered."""
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed a connection"))

    def ask(self) -> None:
        """Send one request, or none if enough were sent."""
        if self._budget[0] > 0:
            self._budget[0] -= 1
            self._transport.write(REQUEST)
        elif not self._ended.done():
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is complete."""
        self._unread += data
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._unread[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self._unread) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self._ended.set_exception(RuntimeError(repr(self._unread)))
            return
        self._unread = b""
        self.ask()


async def main(port: int, concurrent: int, count: int) -> float:
    """Return the seconds that it took."""
    loop = asyncio.get_running_loop()
    budget = [count]
    visitors: list[Visitor] = []
    ends: list[asyncio.Future[None]] = []
    for _ in range(concurrent):
        ended: asyncio.Future[None] = loop.create_future()
        _, visitor = await loop.create_connection(partial(Visitor, budget, ended), "127.0.0.1", port)
        visitors.append(visitor)
        ends.append(ended)
    begun = time.perf_counter()
    for visitor in visitors:
        visitor.ask()
    await asyncio.gather(*ends)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(asyncio.run(main(*(int(argument) for argument in sys.argv[1:]))))
