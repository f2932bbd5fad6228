"""What one connection of asyncio's hears while requests are answered on it; aiohttp's parser reads it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_parser import HttpResponseParser

from poststack.transports._answer import LONGEST_ANSWER, answer, too_long
from poststack.transports._http1 import LONGEST_HEAD, MOST_INTERIM_ANSWERS
from poststack.transports._streaming import streamed_body
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

    from poststack.transports._streaming import StreamedBody
    from poststack.transports.base import HttpRequest, HttpResponse, Sink

__all__ = ["Link"]

MOST_HELD: Final = 512 * 2**10
"""Bytes that may have come and not be in the request's sink yet: nothing more is read until they are."""
FAREWELL: Final = 1.0
"""Seconds that the event loop has for closing a socket, which takes it one turn."""


class Link(BaseProtocol):
    """One connection: `begin`, then `write` each part, then `answer`; and again, as long as it is `in_order`.

    One future is what an exchange waits for: that there is room to write, or that the answer is complete, or that there
    will be none. One timer serves all exchanges: when it goes off and there is time left, it is set again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.in_order = True
        """Whether nothing is under way, and another request may follow."""
        self._lost: asyncio.Future[None] = loop.create_future()
        self._wanted: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._room = True
        self._unasked = b""
        self._surplus = False
        self._ended = False
        # Of one exchange:
        self._request: HttpRequest | None = None
        self._times_out_at = 0.0
        self._received = 0
        self._interim_answers = 0
        self._head: RawResponseMessage | None = None
        self._payload: StreamReader | None = None
        self._streamed: StreamedBody | None = None
        self._held = 0
        self._is_reading_held = False
        self._is_passing_on = False
        self._complete = False
        self._failure: TransportError | None = None

    @property
    def settled(self) -> bool:
        """Whether the answer is complete, or it is sure that there will be none: sending more is useless then."""
        return self._complete or self._failure is not None

    def begin(self, request: HttpRequest) -> None:
        """Expect the answer to a request. It may be there already: a server need not wait for what it refuses."""
        self._request = request
        self.in_order = self._complete = False
        self._received = self._interim_answers = 0
        self._head = self._payload = self._streamed = None
        self._held = 0
        # A parser of its own for each answer, as aiohttp does: what is left of one cannot be taken for the next.
        self._parser = HttpResponseParser(
            self,
            self._loop,
            LONGEST_ANSWER // 2,  # When a body is longer than twice this, it calls `pause_reading`.
            payload_exception=ClientPayloadError,
            response_with_body=request.method != "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
        )
        self._grant_time()
        if self._unasked:
            unasked, self._unasked = self._unasked, b""
            self.data_received(unasked)
        if self._ended:
            self._end(None)

    async def write(self, part: memoryview) -> None:
        """Write, and return once there is room for more."""
        transport = self.transport
        if transport is None or self.settled:
            return
        # Every event loop takes views, although the annotation does not say so.
        transport.write(cast("bytes", part))
        if self._has_room():
            return
        while not (self._has_room() or self._is_settled()):
            await self._wake_up()
        self._grant_time()

    async def answer(self, *, all_sent: bool) -> HttpResponse:
        """Return the answer when it is complete. Raises `TransportError` when there will be none."""
        while not self._complete:
            if self._failure is not None:
                raise self._failure
            if self._streamed is not None and self._held:
                await self._pass_on(self._streamed)
            else:
                await self._wake_up()
        if self._streamed is not None:
            await self._pass_on(self._streamed)
            await self._pass_on_rest(self._streamed)
        head, payload = self._head, self._payload
        assert head is not None  # noqa: S101  # nothing is complete without one
        assert payload is not None  # noqa: S101
        unsent = not all_sent or (self.transport is not None and self.transport.get_write_buffer_size())
        self._request = self._head = self._payload = None
        self.in_order = not (unsent or head.should_close or self._surplus or self._ended)
        reason = head.reason.encode("utf-8", "surrogateescape")
        headers = [(name, value.rstrip(b" \t")) for name, value in head.raw_headers]  # Older parsers leave the spaces.
        return answer(head.code, headers, payload.read_nowait(), reason)

    async def aclose(self) -> None:
        """Close the socket."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport = self.transport
        if transport is None:
            return
        if self.in_order:
            transport.close()
            await asyncio.sleep(0)  # Says goodbye over TLS, and waits for no answer.
        transport.abort()  # What is unsent would otherwise be sent to the end first.
        await asyncio.wait([self._lost], timeout=FAREWELL)

    async def _pass_on(self, streamed: StreamedBody) -> None:
        """Write what has come to the request's sink. How long that takes is no fault of the server's."""
        payload, sink = self._payload, self._sink()
        assert payload is not None  # noqa: S101  # nothing is streamed without one
        self._is_passing_on = True
        try:
            self._held = 0
            for piece in streamed.decoded(payload.read_nowait()):
                await sink.awrite(piece)
        finally:
            self._is_passing_on = False
        if self._is_reading_held and self.transport is not None:
            self._is_reading_held = False
            self.transport.resume_reading()
        if not self.settled:
            self._grant_time()

    async def _pass_on_rest(self, streamed: StreamedBody) -> None:
        sink = self._sink()
        for piece in streamed.rest():
            await sink.awrite(piece)

    def _sink(self) -> Sink:
        assert self._request is not None  # noqa: S101  # nothing is streamed without one
        assert self._request.sink is not None  # noqa: S101
        return self._request.sink

    # What follows is called by the event loop and by the parser.

    def data_received(self, data: bytes) -> None:
        """Read on. What comes when no answer is expected, or after it, ends the use of the connection."""
        if self._request is None or self.settled:
            self.in_order = False
            self._surplus = True
            self._unasked = (self._unasked + data)[:LONGEST_HEAD]
            return
        self._received += len(data)
        self._held += len(data)
        try:
            messages, upgraded, _ = cast("Any", self._parser).feed_data(data)
        except Exception as error:  # noqa: BLE001  # whatever the parser dislikes
            self._fail(_unreadable(error))
            return
        for message, payload in messages:
            self._take_head(message, payload, upgraded)
        if not self.settled:
            self._take_stock()

    def eof_received(self) -> None:
        """Take what came for all there is."""
        self.in_order = False
        self._ended = True
        self._end(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what is under way."""
        super().connection_lost(exc)
        self.in_order = False
        self._ended = True
        self._end(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        """Hold back: the server reads more slowly than the request is written."""
        self._room = False

    def resume_writing(self) -> None:
        """Go on writing."""
        self._room = True
        self._wake()

    def pause_reading(self) -> None:
        """Give up: the parser holds more than is ever read."""
        self._fail(too_long())

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing, although the parser asks for it whenever a body is taken: reading is never paused."""

    # Methods, because for a type checker an attribute does not change while one waits.
    def _has_room(self) -> bool:
        return self._room

    def _is_settled(self) -> bool:
        return self.settled

    def _take_head(self, message: RawResponseMessage, payload: StreamReader, upgraded: bool) -> None:
        if self._head is not None:
            self._surplus = True  # A second answer to one request.
        elif message.code >= 200:
            self._head, self._payload = message, payload
            if self._request is not None and self._request.sink is not None:
                self._streamed = streamed_body(message.code, message.raw_headers)
        else:
            self._interim_answers += 1
            if upgraded or self._interim_answers > MOST_INTERIM_ANSWERS:
                self._fail(TransportError("the server keeps announcing an answer and sends none"))

    def _take_stock(self) -> None:
        payload = self._payload
        if payload is None:
            if self._received > LONGEST_HEAD:
                self._fail(TransportError(f"the head of the answer is longer than {LONGEST_HEAD // 2**10} KiB"))
        elif (failure := payload.exception()) is not None:
            self._fail(_unreadable(failure))
        elif payload.is_eof():
            self._succeed()
        elif self._streamed is not None:
            self._wake()
            if self._held > MOST_HELD and self.transport is not None:
                self._is_reading_held = True
                self.transport.pause_reading()
        elif self._received > LONGEST_ANSWER + LONGEST_HEAD:
            self._fail(too_long())
        if not self.settled:
            self._grant_time()

    def _end(self, error: BaseException | None) -> None:
        if self._request is None or self.settled:
            return
        if error is not None:
            self._fail(TransportError(f"{type(error).__name__}: {error}"))
            return
        if not self._received:
            self._fail(TransportError("the server closed the connection without an answer"))
            return
        try:
            cast("Any", self._parser).feed_eof()
        except Exception as failure:  # noqa: BLE001  # whatever the parser misses
            self._fail(_unreadable(failure))
            return
        if self._payload is None or not self._payload.is_eof() or self._payload.exception() is not None:
            self._fail(TransportError("the server closed the connection before the answer was complete"))
            return
        self._succeed()

    def _succeed(self) -> None:
        self._complete = True
        self._wake()

    def _fail(self, failure: TransportError) -> None:
        if self.settled:
            return
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def _wake_up(self) -> None:
        self._wanted = self._loop.create_future()
        await self._wanted

    def _grant_time(self) -> None:
        """Let the next step take as long as it may."""
        request = self._request
        if request is None:
            return
        now = time.monotonic()
        at = now + request.timeout
        if request.deadline is not None and request.deadline < at:
            at = request.deadline
        self._times_out_at = at
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._set_timer(at, now)

    def _set_timer(self, at: float, now: float) -> None:
        self._timer_at = at
        self._timer = self._loop.call_later(max(at - now, 0.0), self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._request is None or self.settled:
            return
        now = time.monotonic()
        if now < self._times_out_at:
            self._set_timer(self._times_out_at, now)
            return
        over = self._request.deadline is not None and now >= self._request.deadline
        if self._is_passing_on and not over:
            self._grant_time()
            return
        text = "the deadline of the call has passed" if over else "the server neither read nor answered in time"
        self._fail(TransportTimeoutError(text))


def _unreadable(error: BaseException) -> TransportError:
    """Return what an answer that is no HTTP is to the client: without the parser's text, which quotes from it."""
    return TransportError(f"{type(error).__name__}: the answer is no HTTP, or not complete")
