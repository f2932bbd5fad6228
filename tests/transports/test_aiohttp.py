"""What is only of the transport on aiohttp: that it needs asyncio, and how it puts pieces together."""

from __future__ import annotations

import asyncio
import socket
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import AsyncPostStack
from poststack.transports import _aiohttp_works
from poststack.transports.base import HttpRequest, HttpResponse, TransportError
from tests.servers import answering, serving
from tests.transports.conversations import EMAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

pytest.importorskip("aiohttp")

from poststack.transports._aiohttp_link import Link
from poststack.transports.aiohttp import AiohttpTransport

REQUEST = HttpRequest("POST", "http://api.example.com/emails", {}, b"{}")
ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
)


def hear(*conversations: Sequence[bytes]) -> list[tuple[HttpResponse | TransportError, bool]]:
    """Return how exchanges end on one connection, each after these pieces, and whether another may follow."""

    async def main() -> list[tuple[HttpResponse | TransportError, bool]]:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        heard: list[tuple[HttpResponse | TransportError, bool]] = []
        with theirs:
            _, link = await loop.create_connection(lambda: Link(loop), sock=ours)
            for pieces in conversations:
                link.begin(REQUEST)
                for piece in pieces:
                    if piece:
                        link.data_received(piece)
                    else:
                        link.eof_received()
                if not link.settled:
                    link.eof_received()
                try:
                    heard.append((await link.answer(all_sent=True), link.in_order))
                except TransportError as error:
                    heard.append((error, link.in_order))
            await link.aclose()
        return heard

    return asyncio.run(main())


@given(st.lists(st.integers(1, len(ANSWER) - 1), unique=True).map(sorted))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    pieces = [ANSWER[start:end] for start, end in zip([0, *cuts], [*cuts, len(ANSWER)], strict=True)]

    for answer, in_order in hear(pieces, pieces):
        assert isinstance(answer, HttpResponse)
        assert (answer.status, answer.body, answer.headers["x-a"], answer.reason) == (200, b"abcde", "1, 2", "OK")
        assert in_order


@pytest.mark.parametrize(
    "last",
    [
        [ANSWER + ANSWER],
        [ANSWER, b"H"],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n\r\nall there is", b""],
        [ANSWER, b""],
    ],
    ids=["two answers", "a byte too many", "a farewell", "an old server", "until the end", "the end"],
)
def test_what_ends_the_use_of_a_connection(last: list[bytes]) -> None:
    (first, goes_on), (second, ends) = hear([ANSWER], last)

    assert isinstance(first, HttpResponse)
    assert isinstance(second, HttpResponse)
    assert (second.status, goes_on, ends) == (200, True, False)


lines = st.sampled_from(
    b"""HTTP/1.1 200 OK|HTTP/1.1 100 Continue|HTTP/1.1 101 X|HTTP/1.0 204 |HTTP/1.1 999 Z|Content-Length: 3
Connection: close|Transfer-Encoding: chunked|Content-Encoding: gzip|Upgrade: h2c|Connection: upgrade|3|abc|0||
""".replace(b"\n", b"|").split(b"|")
)
streams = st.lists(lines | st.binary(max_size=20)).map(b"\r\n".join) | st.binary()


@given(st.lists(streams, max_size=6))
def test_any_bytes_are_an_answer_or_a_known_error(pieces: list[bytes]) -> None:
    ((heard, in_order),) = hear(pieces)

    if isinstance(heard, HttpResponse):
        assert 200 <= heard.status <= 999
    else:
        assert not in_order


class Changed:
    """A parser as a release of aiohttp might have it."""

    def __init__(self, *given: object, **options: object) -> None:
        pass

    def feed_data(self, data: bytes) -> tuple[list[object], bool, bytes]:
        return [], False, data


def refusing(*given: object, **options: object) -> None:
    raise TypeError("unexpected keyword argument")


@pytest.mark.parametrize("parser", [Changed, refusing, None], ids=["another answer", "another signature", "gone"])
def test_a_parser_that_has_changed_costs_speed_and_no_email(
    parser: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_aiohttp_works, "_found", [])
    if parser is None:
        monkeypatch.setitem(sys.modules, "poststack.transports._aiohttp_link", None)
    else:
        monkeypatch.setattr("poststack.transports._aiohttp_link.HttpResponseParser", parser)
    answer = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"id":"em_1"}'

    async def main(url: str) -> list[str]:
        async with AsyncPostStack("sk_test_x", url, max_retries=0, transport=AiohttpTransport()) as client:
            return [(await client.emails.send(EMAIL))["id"] for _ in range(2)]

    with serving(answering(answer)) as server:
        assert asyncio.run(main(server.url)) == ["em_1", "em_1"]
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert f"does not know the parser of aiohttp {version('aiohttp')}" in warning.getMessage()


def test_on_trio_it_says_what_to_take_instead() -> None:
    trio = pytest.importorskip("trio")

    with pytest.raises(RuntimeError, match=r"asyncio only.*AsyncHttpx2Transport"):
        trio.run(AiohttpTransport().asend, REQUEST)
