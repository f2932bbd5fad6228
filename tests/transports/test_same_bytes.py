"""Every transport sends the same bytes, adds nothing of its own, and reads an answer in the same way."""

from __future__ import annotations

import gzip
import traceback
import zlib
from typing import TYPE_CHECKING

import pytest

from poststack.transports.base import HttpRequest, TransportError
from tests.servers import ACCEPTED, Visitor, answering, serving
from tests.transports.conversations import FLAVOURS, KEY, ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transports.conversations import Flavour

pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)

HEADERS = {"Accept": "*/*", "x-Odd-CASE": "a  b", "Authorization": f"Bearer {KEY}", "Empty": ""}
WRITTEN = "Accept: */*\r\nx-Odd-CASE: a  b\r\nAuthorization: Bearer {key}\r\nEmpty: \r\n".replace("{key}", KEY)


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("GET", None, WRITTEN),
        ("DELETE", None, WRITTEN),
        ("POST", None, "Content-Length: 0\r\n" + WRITTEN),
        ("POST", b"", WRITTEN + "Content-Length: 0\r\n"),
        ("POST", b'{"a":1}', WRITTEN + "Content-Length: 7\r\n"),
        ("PATCH", b"{}", WRITTEN + "Content-Length: 2\r\n"),
    ],
)
def test_a_request_is_what_was_given_and_nothing_else(
    flavour: Flavour,
    method: str,
    body: bytes | None,
    headers: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password hidden\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    with serving(answering()) as server:
        ask(flavour, HttpRequest(method, f"{server.url}/emails?page=1", HEADERS, body))

        (received,) = server.requests
        expected = f"{method} /emails?page=1 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{headers}"
        assert received.head.decode("latin-1") + "\r\n" == expected
        assert received.body == (body or b"")


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb/%7euser",
        "/%c3%A9?q=%20+%2B&x=",
        "/a//b/../c/.",
        "/a;b=c,d@e:f",
        "/?",
        "/?a=b?c/d",
        "/%25%32%35",
        "/a|b^`",
    ],
)
def test_an_address_is_not_rewritten(flavour: Flavour, target: str) -> None:
    with serving(answering()) as server:
        ask(flavour, HttpRequest("GET", server.url + target, {}))

        assert server.requests[0].first_line == f"GET {target} HTTP/1.1"


def test_a_large_body_arrives_whole(flavour: Flavour) -> None:
    body = bytes(range(256)) * 12_000

    with serving(answering()) as server:
        answers = ask(flavour, *[HttpRequest("POST", server.url, {}, body) for _ in range(2)])

        assert [answer.status for answer in answers] == [202, 202]
        assert [request.body == body for request in server.requests] == [True, True]
        assert server.connections == 1


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/", {"X": "a\r\nY: b"}),
        ("/", {"X": "a\nY: b"}),
        ("/", {"X": "a\x00b"}),
        ("/", {"X": "a\r"}),
        ("/", {"X": "é"}),
        ("/", {"X Y": "a"}),
        ("/", {"X:": "a"}),
        ("/", {"": "a"}),
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/é", {}),
    ],
    ids=repr,
)
def test_what_would_be_other_headers_is_not_sent(flavour: Flavour, target: str, headers: dict[str, str]) -> None:
    with serving(answering()) as server:
        request = HttpRequest("POST", server.url + target, {"Authorization": KEY, **headers}, b"{}")
        with pytest.raises(TransportError) as caught:
            ask(flavour, request)

    assert server.requests == []
    assert not caught.value.request_sent
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert KEY not in report


def test_redirects_are_not_followed_and_cookies_not_kept(flavour: Flavour) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /other\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"

    with serving(answering(moved)) as server:
        first, second = ask(flavour, *[HttpRequest("GET", f"{server.url}/one", {}) for _ in range(2)])

        assert (first.status, second.status) == (307, 307)
        assert [request.first_line for request in server.requests] == ["GET /one HTTP/1.1"] * 2
        assert [request.header("Cookie") for request in server.requests] == ["", ""]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
def test_nothing_is_sent_again_when_a_kept_connection_breaks(flavour: Flavour, method: str) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.request() and visitor.send(ACCEPTED):
            visitor.request()

    with serving(script) as server:
        request = HttpRequest(method, server.url, {}, b"{}" if method == "POST" else None)
        with pytest.raises(TransportError) as caught:
            ask(flavour, request, request)

        assert caught.value.request_sent
        assert len(server.requests) == 2
        assert server.connections == 1


def test_interim_answers_are_skipped(flavour: Flavour) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    with serving(answering(interim + ACCEPTED)) as server:
        answers = ask(flavour, *[HttpRequest("GET", server.url, {}) for _ in range(2)])

        assert [(answer.status, answer.body) for answer in answers] == [(202, b'{"id":"em_1"}')] * 2
        assert "link" not in answers[0].headers
        assert server.connections == 1


def test_header_names_are_small_and_repeated_headers_joined(flavour: Flavour) -> None:
    answer = (
        b"HTTP/1.1 418 I'm a  teapot \xe9\r\nX-Many: a\r\nx-mANY:  b, c \r\nX-Many:\r\nX-Bytes: \xe9\r\n"
        b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nno"
    )

    with serving(answering(answer)) as server:
        (read,) = ask(flavour, HttpRequest("GET", server.url, {}))

    assert (read.status, read.body) == (418, b"no")
    assert read.headers == {
        "x-many": "a, b, c, ",
        "x-bytes": "é",
        "set-cookie": "a=b, c=d",
        "content-length": "2",
    }
    assert read.reason == "I'm a  teapot é"


def test_an_answer_without_a_body_keeps_the_connection(flavour: Flavour) -> None:
    with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        answers = ask(flavour, *[HttpRequest("DELETE", server.url, {}) for _ in range(3)])

        assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 3
        assert server.connections == 1


def test_the_answer_to_a_head_request_has_no_body(flavour: Flavour) -> None:
    with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as server:
        answers = ask(flavour, *[HttpRequest("HEAD", server.url, {}) for _ in range(2)])

        assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 2
        assert server.connections == 1


def test_chunks_are_put_together(flavour: Flavour) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    with serving(answering(head + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n")) as server:
        answers = ask(flavour, *[HttpRequest("GET", server.url, {}) for _ in range(2)])

        assert [answer.body for answer in answers] == [b"abcde", b"abcde"]
        assert server.connections == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate, gzip", "identity", "GZIP"])
def test_compressed_answers_are_read(flavour: Flavour, encoding: str) -> None:
    content = b"hello " * 5_000
    body = content
    for name in encoding.lower().split(", "):
        body = gzip.compress(body) if name == "gzip" else zlib.compress(body) if name == "deflate" else body
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with serving(answering(head + body)) as server:
        (answer,) = ask(flavour, HttpRequest("GET", server.url, {}))

    assert answer.body == content
