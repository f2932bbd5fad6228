"""A server that costs as little as possible and gives every request the same answer. Prints its port and runs on.

`python server.py [SECONDS]`: each answer comes so much later.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

BODY = b'{"id":"em_8Zk2v0Qm1pT4c7Ra9x"}'
ANSWER = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\n"
    b"X-Message-Id: 1\r\nContent-Length: %d\r\n\r\n%b"
) % (len(BODY), BODY)


class Acceptor(asyncio.Protocol):
    """Answers each request once all of it has come."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as are complete."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            _, _, length = self._unread[:end].lower().partition(b"content-length:")
            size = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(self._unread) < size:
                return
            self._unread = self._unread[size:]
            self.answer()

    def answer(self) -> None:
        """Answer one request."""
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


async def main(delay: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Acceptor(delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
