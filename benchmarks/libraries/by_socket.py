"""A socket by hand: what JSON and the operating system cost, below which nobody gets.

It reads an answer as the benchmark's server sends it, in one piece, and would not do for any other.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast
from uuid import uuid4


def request(email: Any) -> bytes:
    body = json.dumps(email, separators=(",", ":"), ensure_ascii=False).encode()
    return (
        f"POST /emails HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sk_test_benchmark\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {uuid4()}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def read(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 202 "):
        raise ConnectionError(repr(head))
    return json.loads(body)


@contextmanager
def send(address: str) -> Generator[Callable[[Any], Any]]:
    host, _, port = address.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def one(email: Any) -> Any:
            connection.sendall(request(email))
            return read(connection.recv(65536))

        yield one


class Asker(asyncio.Protocol):
    """One connection, with one question at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way."""
        self._transport = cast("asyncio.Transport", transport)
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Hand the answer over."""
        self._answer.set_result(data)

    async def ask(self, question: bytes) -> bytes:
        """Return the answer to a request."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    host, _, port = address.rpartition("/")[2].partition(":")
    loop = asyncio.get_running_loop()
    idle: deque[Asker] = deque()

    async def one(email: Any) -> Any:
        asker = idle.pop() if idle else (await loop.create_connection(Asker, host, int(port)))[1]
        answer = await asker.ask(request(email))
        idle.append(asker)
        return read(answer)

    yield one
    for asker in idle:
        asker.close()
