"""Downloads go into the request's sink as they come, over every transport and through proxies alike."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from poststack import PostStackConnectionError, PostStackError, PostStackTimeoutError
from poststack.transports.base import HttpRequest, TransportError
from tests.servers import Visitor, serving
from tests.transports.conversations import FLAVOURS, ON_ASYNCIO, SYNC, ask, run_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import Server
    from tests.transports.conversations import Flavour

ROOT = Path(__file__).parents[2]
OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b"".join(b"contact-%d@example.com,Ada\r\n" % number for number in range(50_000))
"""More than any transport reads or writes at a time."""

pytestmark = pytest.mark.timeout(120)
everywhere = pytest.mark.parametrize("flavour", FLAVOURS)
# trio remarks that httpcore's own generators, abandoned here, are left to the garbage collector.
httpcores_own = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
proxied_too = pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])


class Kept:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(bytes(data))

    async def awrite(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.write(data)

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


def whole(body: bytes, *headers: bytes) -> bytes:
    return OK + b"\r\n".join([b"Content-Length: %d" % len(body), *headers]) + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: bytes) -> bytes:
    parts = [body[start : start + 7_001] for start in range(0, len(body), 7_001)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return OK + b"\r\n".join([b"Transfer-Encoding: chunked", *headers]) + b"\r\n\r\n" + chunks + b"0\r\n\r\n"


def bare_deflate(body: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


GZIP, DEFLATE = b"Content-Encoding: gzip", b"Content-Encoding: deflate"
WHOLE: dict[str, bytes] = {
    "a length": whole(TEXT),
    "chunks": chunked(TEXT),
    "until it is closed": OK + b"\r\n" + TEXT,
    "gzip": whole(gzip.compress(TEXT), GZIP),
    "gzip in chunks": chunked(gzip.compress(TEXT), GZIP),
    "gzip in several members": whole(gzip.compress(TEXT[:999]) + gzip.compress(b"") + gzip.compress(TEXT[999:]), GZIP),
    "zlib": whole(zlib.compress(TEXT), DEFLATE),
    "bare deflate": whole(bare_deflate(TEXT), DEFLATE),
    "twice over": chunked(gzip.compress(zlib.compress(TEXT)), b"Content-Encoding: deflate, gzip"),
    "in two headers": chunked(gzip.compress(zlib.compress(TEXT)), DEFLATE, GZIP),
    "gzip that is plain": whole(TEXT, GZIP),
    "an encoding that nobody asked for": whole(TEXT, b"Content-Encoding: br"),
    "interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" + whole(TEXT),
}


def download(flavour: Flavour, script: Callable[[Visitor], None], *, proxied: bool = False, **about: Any) -> Any:
    """Return the answer, and what its sink was given."""
    sink = Kept()
    with serving(script) as server:
        request = HttpRequest("GET", f"{server.url}/file", {"Accept": "*/*"}, sink=sink, **about)
        (answer,) = ask(flavour, request, **({"proxy": server.url} if proxied else {}))
    return answer, sink.content


def once(answer: bytes) -> Callable[[Visitor], None]:
    def script(visitor: Visitor) -> None:
        if visitor.request():
            visitor.send(answer)

    return script


@everywhere
@proxied_too
@pytest.mark.parametrize("name", WHOLE)
def test_the_decoded_body_goes_into_the_sink(flavour: Flavour, proxied: bool, name: str) -> None:
    answer, content = download(flavour, once(WHOLE[name]), proxied=proxied)

    assert answer.status == 200
    assert answer.body == b""
    assert content == TEXT


@everywhere
@pytest.mark.parametrize("body", [b"", b"x"])
@pytest.mark.parametrize("header", [b"X: y", GZIP])
def test_hardly_any_body_goes_into_the_sink(flavour: Flavour, body: bytes, header: bytes) -> None:
    answer, content = download(flavour, once(whole(body, header)))

    assert (answer.status, answer.body, content) == (200, b"", body)


@everywhere
@proxied_too
def test_a_body_comes_byte_by_byte(flavour: Flavour, proxied: bool) -> None:
    def script(visitor: Visitor) -> None:
        visitor.request()
        answer = whole(gzip.compress(b"a little"), GZIP)
        for place in range(len(answer)):
            visitor.send(answer[place : place + 1])

    assert download(flavour, script, proxied=proxied)[1] == b"a little"


@everywhere
@proxied_too
@pytest.mark.parametrize("status", [b"404 Not Found", b"503 Unavailable", b"302 Found"])
def test_what_is_no_success_stays_out_of_the_sink(flavour: Flavour, proxied: bool, status: bytes) -> None:
    refusal = b"HTTP/1.1 " + status + b'\r\nContent-Length: 14\r\n\r\n{"error":"no"}'

    answer, content = download(flavour, once(refusal), proxied=proxied)

    assert (answer.body, content) == (b'{"error":"no"}', b"")


BROKEN: dict[str, tuple[bytes, str]] = {
    "cut off": (whole(TEXT)[:-1], "."),
    "cut off in a chunk": (chunked(TEXT)[:-100], "."),
    "gzip cut short": (whole(gzip.compress(TEXT)[:-9], GZIP), "ends in the middle"),
    "gzip that is damaged": (whole(gzip.compress(TEXT)[:-8] + b"wrongsum", GZIP), "damaged"),
    "gzip and something else": (whole(gzip.compress(TEXT) + b"something", GZIP), "damaged"),
}


@httpcores_own
@everywhere
@proxied_too
@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_is_not_whole_is_an_error(flavour: Flavour, proxied: bool, name: str) -> None:
    answer, said = BROKEN[name]

    with pytest.raises(TransportError, match=said) as raised:
        download(flavour, once(answer), proxied=proxied)

    assert raised.value.request_sent


def save(flavour: Flavour, server: Server, file: Any, *, proxied: bool = False, **options: Any) -> Any:
    """Save an attachment and return how many bytes it has."""
    options["transport_options"] = {"proxy": server.url} if proxied else {}
    return run_call(flavour, server.url, lambda client: client.inbound_emails.save_attachment(7, 8, file), **options)


@httpcores_own
@everywhere
@proxied_too
def test_an_answer_that_was_cut_off_is_fetched_again(flavour: Flavour, proxied: bool, tmp_path: Path) -> None:
    answers = [whole(TEXT)[:-1], whole(gzip.compress(TEXT)[:-9], GZIP), chunked(TEXT)]

    def script(visitor: Visitor) -> None:
        if visitor.request():
            visitor.send(answers[min(visitor.number, 2)])

    with serving(script) as server:
        written = save(flavour, server, tmp_path / "file", proxied=proxied)

    assert written == len(TEXT)
    assert (tmp_path / "file").read_bytes() == TEXT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert len(server.requests) == 3


class Once:
    """A file that cannot go back."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.taken.append(data)


class Full:
    """A file that takes nothing."""

    def write(self, data: bytes, /) -> int:
        raise OSError(28, "No space left on device")


@everywhere
def test_a_file_that_cannot_go_back_gets_no_second_answer(flavour: Flavour) -> None:
    with serving(once(whole(TEXT)[:-1])) as server, pytest.raises(PostStackConnectionError, match="cannot be put back"):
        save(flavour, server, Once())

    assert len(server.requests) == 1


@httpcores_own
@everywhere
@proxied_too
def test_what_the_file_raises_is_raised_as_it_is(flavour: Flavour, proxied: bool) -> None:
    with serving(once(whole(TEXT))) as server, pytest.raises(OSError, match="No space left") as raised:
        save(flavour, server, Full(), proxied=proxied)

    assert type(raised.value) is OSError
    assert len(server.requests) == 1


@everywhere
def test_a_refusal_is_an_error_as_ever(flavour: Flavour) -> None:
    refusal = whole(b'{"error":"no","code":"not_found"}').replace(b"200 OK", b"404 Not Found")

    with serving(once(refusal)) as server, pytest.raises(PostStackError, match="no") as raised:
        save(flavour, server, io.BytesIO())

    assert raised.value.code == "not_found"


@everywhere
@proxied_too
def test_the_deadline_holds(flavour: Flavour, proxied: bool, tmp_path: Path) -> None:
    def endless(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(OK + b"\r\n")
        visitor.drip(b"x" * 1000)

    with serving(endless) as server, pytest.raises(PostStackTimeoutError):
        save(flavour, server, tmp_path / "file", proxied=proxied, timeout=3600.0, deadline=0.3)

    assert list(tmp_path.iterdir()) == []


@everywhere
def test_a_server_that_falls_silent_is_left(flavour: Flavour, tmp_path: Path) -> None:
    def silent(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(OK + b"\r\nsome")
        visitor.stay_silent()

    with serving(silent) as server, pytest.raises(PostStackTimeoutError):
        save(flavour, server, tmp_path / "file", timeout=0.2, max_retries=0)


@everywhere
def test_a_connection_serves_on_after_a_download(flavour: Flavour) -> None:
    answers = [whole(TEXT), whole(b"refused").replace(b"200 OK", b"422 No"), chunked(gzip.compress(TEXT), GZIP)]

    def script(visitor: Visitor) -> None:
        for answer in answers:
            if not (visitor.request() and visitor.send(answer)):
                return

    sinks = [Kept() for _ in answers]
    with serving(script) as server:
        found = ask(flavour, *(HttpRequest("GET", f"{server.url}/file", {"A": "b"}, sink=sink) for sink in sinks))
        again = len(server.requests), server.connections

    assert again == (3, 1)
    assert [answer.body for answer in found] == [b"", b"refused", b""]
    assert [sink.content for sink in sinks] == [TEXT, b"", TEXT]


class Slow(Kept):
    """A sink that takes longer than a server may."""

    async def awrite(self, data: bytes) -> None:
        if not self.pieces:
            await anyio.sleep(1.5)
        await super().awrite(data)


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_a_slow_file_is_no_slow_server(flavour: Flavour) -> None:
    sink = Slow()

    with serving(once(whole(TEXT))) as server:
        ask(flavour, HttpRequest("GET", f"{server.url}/file", {"A": "b"}, timeout=1.0, sink=sink))

    assert sink.content == TEXT


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="It tells no such figure.")
@everywhere
def test_memory_stays_flat(flavour: Flavour) -> None:
    """200 MiB are saved."""
    assert grown_by(flavour, "plain") < 8


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="It tells no such figure.")
def test_memory_stays_flat_for_what_is_much_larger_than_what_comes() -> None:
    """200 kB of gzip are 200 MiB: three reads stand for all of it."""
    assert grown_by(SYNC, "gzip") < 8


def grown_by(flavour: Flavour, how: str) -> float:
    command = [sys.executable, "-m", "tests.transports.large_download", flavour.name, how]
    return float(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=110).stdout)
