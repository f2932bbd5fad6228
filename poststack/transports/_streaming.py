"""A body on its way into a sink: decoded piece by piece, so that no more than a piece of it is in memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from poststack.transports._answer import folded
from poststack.transports.base import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["StreamedBody", "streamed_body"]

PIECE: Final = 256 * 2**10
"""Bytes that are decoded at a time: a little of what comes can be very much."""
MAGIC: Final = 2
"""Bytes by which gzip and zlib are known."""


def streamed_body(status: int, headers: Iterable[tuple[bytes, bytes]]) -> StreamedBody | None:
    """Return what decodes a body for a sink, `None` for a refusal: what that says is no download."""
    return StreamedBody(folded(headers).get("content-encoding")) if 200 <= status < 300 else None


class StreamedBody:
    """The body of one answer. Raises `TransportError` for content that is damaged, or ends in the middle."""

    def __init__(self, encoding: str | None) -> None:
        names = [part.strip().lower() for part in (encoding or "").split(",")[:4]]
        self._decoders = [_Inflater() for name in reversed(names) if name in {"gzip", "x-gzip", "deflate"}]

    def decoded(self, data: bytes) -> Iterator[bytes]:
        """Yield what a part of the answer stands for."""
        return self._through(0, data) if data else iter(())

    def rest(self) -> Iterator[bytes]:
        """Yield what was still held back at the end of the answer."""
        for place, decoder in enumerate(self._decoders):
            yield from self._through(place + 1, decoder.rest())

    def _through(self, place: int, data: bytes) -> Iterator[bytes]:
        if place == len(self._decoders):
            if data:
                yield data
            return
        for piece in self._decoders[place].decoded(data):
            yield from self._through(place + 1, piece)


class _Inflater:
    """Undoes one encoding. As with other answers, content that never was encoded is handed on as it is."""

    def __init__(self) -> None:
        self._start = b""
        self._window = 0
        self._decoder: Any = None
        self._is_plain = False

    def decoded(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is None and not self._is_plain:
            data, self._start = self._start + data, b""
            if len(data) < MAGIC:
                self._start = data
                return
            self._choose(data)
        if self._is_plain:
            yield data
        else:
            yield from self._inflated(data)

    def rest(self) -> bytes:
        if self._decoder is not None and not self._decoder.eof:
            raise TransportError("the content of the answer ends in the middle")
        return self._start

    def _choose(self, data: bytes) -> None:
        # 32 more than the window size reads gzip and zlib alike; a negative one bare deflate, as some servers send.
        for self._window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
            self._decoder = zlib.decompressobj(self._window)
            try:
                self._decoder.copy().decompress(data, PIECE)
            except zlib.error:
                continue
            return
        self._decoder, self._is_plain = None, True

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        decoder: Any = self._decoder
        while True:
            if decoder.eof:
                if not data:
                    return
                decoder = self._decoder = zlib.decompressobj(self._window)  # gzip may come in several members.
            try:
                piece: bytes = decoder.decompress(data, PIECE)
            except zlib.error:
                raise TransportError("the content of the answer is damaged") from None
            if piece:
                yield piece
            data = decoder.unused_data or decoder.unconsumed_tail
            if not data and len(piece) < PIECE:
                return
