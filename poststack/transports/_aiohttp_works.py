"""Whether aiohttp's parser still does what `Link` expects of it.

The parser is no part of what aiohttp promises to keep. So before the first connection it reads two answers that are
known, also as downloads; if it cannot, connections are the default transport's, and a new release of aiohttp costs
speed and no e-mail.
"""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from poststack.transports.base import HttpRequest, HttpResponse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from poststack.transports._aiohttp_link import Link

__all__ = ["link_class"]

_REQUEST: Final = HttpRequest("POST", "http://api.example.com/emails", {}, b"{}")
_EXPECTED: Final = HttpResponse(202, {"x-a": "1, 2"}, b'{"id":"em_1"}', "Accepted")
_ANSWERS: Final = (
    (b"HTTP/1.1 202 Accepted\r\nX-A: 1\r\nX-", b'A: 2\r\nContent-Length: 13\r\n\r\n{"id":', b'"em_1"}'),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b'6\r\n{"id":\r\n7\r',
        b'\n"em_1"}\r\n0\r\n\r\n',
    ),
)


class _Kept:
    """A sink that never waits."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, data: bytes) -> None:
        self.content += data

    async def awrite(self, data: bytes) -> None:
        self.write(data)


_lock = threading.Lock()
_found: list[type[Link] | None] = []


def link_class(loop: asyncio.AbstractEventLoop) -> type[Link] | None:
    """Return the class of connections, `None` when the installed aiohttp is not one that they work with."""
    if not _found:
        with _lock:
            if not _found:
                _found.append(_checked(loop))
    return _found[0]


def _checked(loop: asyncio.AbstractEventLoop) -> type[Link] | None:
    try:
        found: type[Link] = import_module("poststack.transports._aiohttp_link").Link
        if all(_reads(found(loop), pieces) and _passes_on(found(loop), pieces) for pieces in _ANSWERS):
            return found
        problem = "it reads an answer otherwise"
    except Exception as error:  # noqa: BLE001  # whatever a changed library raises
        problem = type(error).__name__
    logging.getLogger("poststack").warning(
        "AiohttpTransport does not know the parser of aiohttp %s (%s), and uses the default transport's connections.",
        version("aiohttp"),
        problem,
    )
    return None


def _reads(link: Link, pieces: tuple[bytes, ...]) -> bool:
    return _answer(link, pieces, _REQUEST) == _EXPECTED


def _passes_on(link: Link, pieces: tuple[bytes, ...]) -> bool:
    sink = _Kept()
    answer = _answer(link, pieces, _REQUEST._replace(sink=sink))
    return answer is not None and answer._replace(body=sink.content) == _EXPECTED and not answer.body


def _answer(link: Link, pieces: tuple[bytes, ...], request: HttpRequest) -> HttpResponse | None:
    link.begin(request)
    try:
        for piece in pieces:
            link.data_received(piece)
        if not link.settled:
            return None
        answer: HttpResponse = _result(link.answer(all_sent=True))
        headers = {name: value for name, value in answer.headers.items() if name == "x-a"}
        return answer._replace(headers=headers) if link.in_order else None
    finally:
        _result(link.aclose())


def _result(awaited: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of what has nothing to wait for."""
    try:
        awaited.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits for something")
