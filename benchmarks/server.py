"""A server that costs as little as possible: each request has the same answer, a batch one with an id for each e-mail.

`python server.py [SECONDS]`: each answer comes so much later. Prints its port and runs on. It does not read JSON: the
e-mails of a batch are counted by their subjects, so no other key and no text of an e-mail may look like one.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from typing import cast

ID = b'{"id":"em_8Zk2v0Qm1pT4c7Ra9x"}'
HEAD = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\n"
    b"X-Message-Id: 1\r\nContent-Length: %d\r\n\r\n%b"
)
ANSWER = HEAD % (len(ID), ID)
BATCH = b"POST /emails/batch "
SUBJECT = b'"subject":'


@cache
def batch_answer(count: int) -> bytes:
    """Return the answer to a batch of so many e-mails."""
    body = b'{"data":[%b]}' % b",".join([ID] * count)
    return HEAD % (len(body), body)


class Acceptor(asyncio.Protocol):
    """Answers each request once all of it has come."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._unread = bytearray()
        self._size = 0
        self._answer = ANSWER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as are complete."""
        unread = self._unread
        unread += data
        while unread:
            if not self._size:  # The head is looked for once a request: bodies may be large.
                end = unread.find(b"\r\n\r\n")
                if end < 0:
                    return
                _, _, length = bytes(unread[:end]).lower().partition(b"content-length:")
                self._size = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(unread) < self._size:
                return
            batched = unread.startswith(BATCH)
            self._answer = batch_answer(unread.count(SUBJECT, 0, self._size)) if batched else ANSWER
            del unread[: self._size]
            self._size = 0
            self.answer()

    def answer(self) -> None:
        """Answer one request."""
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._answer)
        else:
            self._transport.write(self._answer)


async def main(delay: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Acceptor(delay), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
