"""HTTP/1.1 as a conversation of bytes, spoken by h11. No I/O, so that both transports share it.

One `Conversation` belongs to one connection and one request at a time: `start` returns what to send, `receive` takes
what came and returns the answer once it is complete. Afterwards `reusable` says whether another request may follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11

from poststack.transports._answer import LONGEST_ANSWER, answer, too_long
from poststack.transports._http1_request import request_parts
from poststack.transports.base import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack.transports._streaming import StreamedBody
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["LONGEST_HEAD", "MOST_INTERIM_ANSWERS", "READ_SIZE", "Conversation"]

READ_SIZE: Final = 64 * 2**10
"""Bytes asked for in one read."""
LONGEST_HEAD: Final = 100 * 2**10
"""Bytes of status line and headers, or of one chunk's size line."""
MOST_INTERIM_ANSWERS: Final = 100
"""Answers such as 100 Continue before the real one; a server that sends more is not going to answer."""
# The state machine is told of these, whatever is sent: of a request, only this decides how its answer is read.
_ASKED: Final = h11.Request(method="GET", target="/", headers=[("Host", "h11")])
_ASKED_FOR_HEAD: Final = h11.Request(method="HEAD", target="/", headers=[("Host", "h11")])


class Conversation:
    """What one connection has said and heard."""

    __slots__ = ("_body", "_head", "_host", "_http", "_interim_answers", "_request", "_streamed")

    def __init__(self, host: str) -> None:
        self._host = host
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._interim_answers = 0
        self._request: HttpRequest | None = None
        self._streamed: StreamedBody | None = None

    def start(self, request: HttpRequest, target: str) -> list[memoryview]:
        """Return the parts to send, in order. Raises `TransportError` for what HTTP cannot say."""
        parts = request_parts(request, target, self._host)
        self._request, self._streamed = request, None
        self._http.send(_ASKED_FOR_HEAD if request.method == "HEAD" else _ASKED)
        self._http.send(h11.EndOfMessage())
        return parts

    def receive(self, data: bytes) -> HttpResponse | None:
        """Take what was read, `b""` at the end of the stream. Raises what h11 raises, and `TransportError`."""
        http = self._http
        if not data and http.their_state is h11.SEND_RESPONSE and not http.trailing_data[0]:
            raise TransportError("the server closed the connection without an answer")
        http.receive_data(data)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > LONGEST_ANSWER:
                    raise too_long()
            elif isinstance(event, h11.Response):
                self._head = event
                if self._request is not None and self._request.sink is not None:
                    from poststack.transports._streaming import streamed_body  # Few programs download.

                    self._streamed = streamed_body(event.status_code, event.headers)
            elif isinstance(event, h11.EndOfMessage):
                return self._finished()
            else:  # 100 Continue and its like: nothing else comes from a server that owes an answer.
                self._interim_answers += 1
                if self._interim_answers > MOST_INTERIM_ANSWERS:
                    raise TransportError("the server keeps announcing an answer and sends none")

    def pieces(self, *, is_complete: bool) -> Iterator[bytes]:
        """Yield what has come for the request's sink since the last time. Raises `TransportError`."""
        if self._streamed is not None:
            part, self._body = bytes(self._body), bytearray()
            yield from self._streamed.decoded(part)
            if is_complete:
                yield from self._streamed.rest()

    @property
    def reusable(self) -> bool:
        """Whether the exchange ended in order and nothing is left over that the next one would take for its answer."""
        return self._http.our_state is h11.IDLE and not self._http.trailing_data[0]

    def _finished(self) -> HttpResponse:
        head, body = self._head, b""
        assert head is not None  # noqa: S101  # h11 sends a Response before every EndOfMessage
        if self._streamed is None:
            body, self._body = bytes(self._body), bytearray()
        self._head, self._request, self._interim_answers = None, None, 0
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer(head.status_code, head.headers, body, head.reason)
