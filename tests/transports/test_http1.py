"""The conversation without sockets: whatever bytes come, in whatever pieces."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack.transports._answer import answer
from poststack.transports._http1 import Conversation
from poststack.transports.base import HttpRequest, TransportError

if TYPE_CHECKING:
    from poststack.transports.base import HttpResponse

ANSWER = (
    b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
)


def begun(method: str = "POST", body: bytes | None = b"{}") -> Conversation:
    conversation = Conversation("api.example.com")
    list(conversation.start(HttpRequest(method, "http://api.example.com/emails", {"A": "b"}, body), "/emails"))
    return conversation


def sent(method: str, body: bytes | None) -> list[bytes]:
    request = HttpRequest(method, "http://api.example.com/emails", {"A": "b"}, body)
    return [bytes(part) for part in Conversation("api.example.com").start(request, "/emails")]


def received(*pieces: bytes) -> HttpResponse | None:
    conversation = begun()
    answers = [conversation.receive(piece) for piece in pieces]
    return answers[-1]


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("POST", b"{}", b"A: b\r\nContent-Length: 2\r\n"),
        ("POST", None, b"Content-Length: 0\r\nA: b\r\n"),
        ("GET", None, b"A: b\r\n"),
    ],
)
def test_a_small_request_is_one_piece(method: str, body: bytes | None, headers: bytes) -> None:
    expected = b"%b /emails HTTP/1.1\r\nHost: api.example.com\r\n%b\r\n%b"

    assert sent(method, body) == [expected % (method.encode(), headers, body or b"")]


def test_a_large_request_comes_in_pieces_that_make_up_the_whole() -> None:
    body = bytes(range(256)) * 4000

    pieces = sent("POST", body)

    assert len(pieces) > 3
    assert b"".join(pieces).endswith(b"\r\n\r\n" + body)


@given(st.lists(st.integers(1, len(ANSWER) - 1), unique=True).map(sorted))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    ends = [*cuts, len(ANSWER)]
    pieces = [ANSWER[start:end] for start, end in zip([0, *cuts], ends, strict=True)]

    complete = received(*pieces)

    assert complete is not None
    assert (complete.status, complete.body, complete.reason) == (200, b"abcde", "OK")
    assert complete.headers["x-a"] == "1, 2"


def test_a_conversation_goes_on_only_after_an_answer_in_order() -> None:
    conversation = begun()
    seen = [conversation.reusable]
    conversation.receive(ANSWER)
    seen.append(conversation.reusable)
    list(conversation.start(HttpRequest("GET", "http://api.example.com/emails", {}), "/emails"))
    seen.append(conversation.reusable)
    conversation.receive(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    seen.append(conversation.reusable)

    assert seen == [False, True, False, False]


def test_surplus_bytes_end_the_conversation() -> None:
    conversation = begun()

    assert conversation.receive(ANSWER + b"H") is not None
    assert not conversation.reusable


lines = st.sampled_from(
    b"""HTTP/1.1 200 OK|HTTP/1.1 100 Continue|HTTP/1.1 101 X|HTTP/1.0 204 |HTTP/1.1 999 Z|Content-Length: 3
Connection: close|Transfer-Encoding: chunked|Content-Encoding: gzip|Upgrade: h2c|Connection: upgrade|3|abc|0||
""".replace(b"\n", b"|").split(b"|")
)
streams = st.lists(lines | st.binary(max_size=20)).map(b"\r\n".join) | st.binary()


@given(st.lists(streams | st.just(b""), max_size=6))
def test_any_bytes_are_an_answer_or_a_known_error(pieces: list[bytes]) -> None:
    conversation = begun()
    ended = False
    for piece in [*pieces, b""]:
        if ended and piece:
            return  # Nothing follows the end of a stream.
        ended = not piece
        try:
            complete = conversation.receive(piece)
        except (h11.ProtocolError, TransportError):
            return
        if complete is not None:
            assert 200 <= complete.status <= 999
            return


@given(st.binary(), st.text("gzipdeflatex-br, ;*", max_size=30))
def test_any_content_encoding_gives_a_body(body: bytes, encoding: str) -> None:
    decoded = answer(200, [(b"Content-Encoding", encoding.encode())], body).body

    assert isinstance(decoded, bytes)


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16])
def test_every_form_of_deflate_is_read(window: int) -> None:
    packer = zlib.compressobj(wbits=window)
    packed = packer.compress(b"hello") + packer.flush()
    name = b"gzip" if window > zlib.MAX_WBITS else b"Deflate"

    assert answer(200, [(b"Content-Encoding", name)], packed).body == b"hello"
