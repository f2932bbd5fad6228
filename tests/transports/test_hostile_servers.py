"""Whatever a server does, a call ends within its deadline, in a value or in a `PostStackError`."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from tests.servers import ACCEPTED, Visitor, answering, serving
from tests.transports.conversations import FLAVOURS, outcome, run_call, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.conversations import Flavour

# A hang is found by this limit; no test depends on how quick anything is.
pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)

OK = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
JSON = b'{"id":"em_1"}'


def whole(body: bytes, *headers: bytes, status: bytes = b"202 Accepted") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def compressed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


STATUSES = """000|000 Zero|099 No|199 Odd|101 Switching|204 None|205 Reset|304 Same|299 Odd|399 Odd|499 Odd|600 Odd
999 Last|1000 Many|-20 Neg|2e2 Float|20|abc|""".replace("\n", "|").split("|")

FINAL: dict[str, bytes] = {
    "nothing at all": b"",
    "half a status line": b"HTTP/1.1 2",
    "a status line only": b"HTTP/1.1 202 Accepted\r\n",
    "half a header": OK + b"Content-Le",
    "headers only": OK + b"Content-Length: 13\r\n\r\n",
    "half a body": OK + b'Content-Length: 13\r\n\r\n{"id":',
    "half a chunk": OK + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"id":',
    "no last chunk": OK + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"id":"em_1"}\r\n',
    "text instead of HTTP": b"220 smtp.example.com ESMTP ready\r\n",
    "a line without an end": b"x" * 300_000,
    "binary": bytes(range(256)) * 50,
    "NULs": b"\x00" * 5000,
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "an old protocol": b'{"id":"em_1"}',
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a length too short": OK + b"Content-Length: 5\r\n\r\n" + JSON,
    "a length too long": OK + b"Content-Length: 500\r\n\r\n" + JSON,
    "a huge length": OK + b"Content-Length: 99999999999999999999\r\n\r\n" + JSON,
    "a negative length": OK + b"Content-Length: -1\r\n\r\n" + JSON,
    "a length in words": OK + b"Content-Length: thirteen\r\n\r\n" + JSON,
    "two lengths": OK + b"Content-Length: 13\r\nContent-Length: 5\r\n\r\n" + JSON,
    "a length and chunks": OK
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n"
    + JSON
    + b"\r\n0\r\n\r\n",
    "an unknown transfer encoding": OK + b"Transfer-Encoding: rot13\r\n\r\n" + JSON,
    "no framing": OK + b"\r\n" + JSON,
    "chunks of garbage": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\ngarbage",
    "a negative chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a huge chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + JSON,
    "a flood in the trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 50_000 + b"\r\n",
    "a chunk with a long extension": OK + b"Transfer-Encoding: chunked\r\n\r\nd;" + b"x" * 300_000,
    "gzip that is plain": whole(JSON, b"Content-Encoding: gzip"),
    "gzip that is garbage": whole(b"\x1f\x8b\x08garbage", b"Content-Encoding: gzip"),
    "gzip cut short": whole(compressed(JSON)[:-10], b"Content-Encoding: gzip"),
    "gzip of an error": whole(compressed(b'{"error":"no"}'), b"Content-Encoding: gzip", status=b"422 No"),
    "deflate that is garbage": whole(b"\xff\xfe\xfd", b"Content-Encoding: deflate"),
    "gzip four times over": whole(
        compressed(compressed(compressed(compressed(JSON)))), b"Content-Encoding: gzip, gzip, gzip, gzip"
    ),
    "an encoding nobody asked for": whole(JSON, b"Content-Encoding: br"),
    "a hundred encodings": whole(JSON, b"Content-Encoding: " + b",".join([b"gzip"] * 100)),
    "many headers": OK + b"X: y\r\n" * 20_000 + b"Content-Length: 13\r\n\r\n" + JSON,
    "a long header": OK + b"X: " + b"y" * 300_000 + b"\r\nContent-Length: 13\r\n\r\n" + JSON,
    "a header without a colon": OK + b"Content-Length 13\r\n\r\n" + JSON,
    "a header with a NUL": OK + b"X: a\x00b\r\nContent-Length: 13\r\n\r\n" + JSON,
    "a header that is no text": OK + b"X: \xff\xfe\xc3\xa9\r\nContent-Length: 13\r\n\r\n" + JSON,
    "a folded header": OK + b"X: a\r\n b\r\nContent-Length: 13\r\n\r\n" + JSON,
    "a redirect": whole(b"", b"Location: http://127.0.0.1:1/", status=b"307 Temporary Redirect"),
    "a redirect to nowhere": whole(b"", b"Location: \\\\%%", status=b"301 "),
    **{f"status {status}": f"HTTP/1.1 {status}\r\nContent-Length: 13\r\n\r\n".encode() + JSON for status in STATUSES},
    "status without a reason": b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n",
    "a reason of bytes": b"HTTP/1.1 500 \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    "interim answers only": b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 50,
}


@pytest.mark.parametrize("name", FINAL)
def test_an_answer_of_any_bytes_ends_in_a_value_or_an_error(flavour: Flavour, name: str) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.request():
            visitor.send(FINAL[name])

    with serving(script) as server:
        result = outcome(flavour, server.url, max_retries=1, deadline=20.0)

    assert isinstance(result, (dict, PostStackError))
    assert 1 <= len(server.requests) <= 2
    assert len({request.header("idempotency-key") for request in server.requests}) == 1


@pytest.mark.parametrize("name", ["gzip that is plain", "no framing", "a folded header", "status 299 Odd"])
def test_an_answer_that_can_be_understood_counts(flavour: Flavour, name: str) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.request():
            visitor.send(FINAL[name])

    with serving(script) as server:
        assert outcome(flavour, server.url) == {"id": "em_1"}


def stay_silent(visitor: Visitor) -> None:
    visitor.request()
    visitor.stay_silent()


def drip_headers(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(OK)
    visitor.drip(b"X: y\r\n")


def drip_one_header(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(OK + b"X: ")
    visitor.drip(b"y")


def drip_the_body(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(OK + b"Content-Length: 100000\r\n\r\n")
    visitor.drip(b" ")


def drip_chunks(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    visitor.drip(b"1\r\n \r\n")


def drip_without_length(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(OK + b"\r\n")
    visitor.drip(b" ")


def drip_interim_answers(visitor: Visitor) -> None:
    visitor.request()
    visitor.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_error_bodies(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 100000\r\n\r\n")
    visitor.drip(b" ")


def refuse_at_once_for_ever(visitor: Visitor) -> None:
    while visitor.request() and visitor.send(whole(b"{}", status=b"503 No")):
        pass


ENDLESS: dict[str, Callable[[Visitor], None]] = {
    script.__name__: script
    for script in (
        stay_silent,
        drip_headers,
        drip_one_header,
        drip_the_body,
        drip_chunks,
        drip_without_length,
        drip_interim_answers,
        drip_error_bodies,
        refuse_at_once_for_ever,
    )
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_deadline_ends_what_the_server_never_would(flavour: Flavour, name: str) -> None:
    for deadline in (0.3, 2.0, 15.0):
        with serving(ENDLESS[name]) as server:
            result = outcome(flavour, server.url, timeout=30.0, deadline=deadline, max_retries=1_000_000)

        assert isinstance(result, PostStackError)
        assert result.transient
        if server.requests:
            break  # A busy machine does not come to ask within the shorter ones.
    assert len({request.header("idempotency-key") for request in server.requests}) == 1


def test_an_answer_that_never_starts_is_a_timeout(flavour: Flavour) -> None:
    with serving(stay_silent) as server:
        # Long enough for the server to have read each request, also on a busy machine.
        result = outcome(flavour, server.url, timeout=0.5, max_retries=2)

    assert isinstance(result, PostStackTimeoutError)
    assert result.status_code == 0
    assert len(server.requests) == 3


def test_a_timeout_of_one_call_replaces_the_clients(flavour: Flavour) -> None:
    def impatient(client: Any) -> Any:
        return client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "s", "text": "t"}, timeout=0.1
        )

    with serving(stay_silent) as server, pytest.raises(PostStackTimeoutError):
        run_call(flavour, server.url, impatient, timeout=3600.0, max_retries=0)


def test_interim_answers_without_end_are_given_up_without_a_deadline_too(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        visitor.request()
        while visitor.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000):
            pass

    with serving(script) as server:
        assert isinstance(outcome(flavour, server.url, max_retries=0), PostStackConnectionError)


@pytest.mark.unmeasured
def test_a_body_without_end_stops_at_the_limit(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(OK + b"\r\n")
        while visitor.send(b" " * 2**20):
            pass

    with serving(script) as server:
        result = outcome(flavour, server.url, max_retries=0)

    assert isinstance(result, PostStackConnectionError)
    assert "128 MiB" in result.error


@pytest.mark.unmeasured
def test_a_small_body_that_inflates_without_end_stops_at_the_limit(flavour: Flavour) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(130)) + packer.flush()

    with serving(answering(whole(bomb, b"Content-Encoding: gzip"))) as server:
        result = outcome(flavour, server.url, max_retries=0)

    assert isinstance(result, PostStackConnectionError)


BODIES: dict[str, bytes] = {
    "no body": b"",
    "no JSON": b"<html>It works!</html>",
    "half of JSON": b'{"id":',
    "no UTF-8": b'{"id":"\xff\xfe"}',
    "a list": b'[{"id":"em_1"}]',
    "a text": b'"em_1"',
    "a number": b"42",
    "null": b"null",
    "another object": b'{"email":"em_1"}',
    "not a number": b"NaN",
    "100,000 lists deep": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects deep": b'{"id":' * 100_000 + b"1" + b"}" * 100_000,
    "a huge integer": b'{"id":' + b"9" * 100_000 + b"}",
    "a huge exponent, no id": b'{"x":1e999999}',
    "half a surrogate pair": b'["\\ud800"]',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_success_that_is_not_what_was_promised_is_a_response_error(flavour: Flavour, name: str) -> None:
    with serving(answering(whole(BODIES[name], b"Content-Type: application/json"))) as server:
        result = outcome(flavour, server.url)

    assert isinstance(result, PostStackResponseError)
    assert result.status_code == 202
    assert len(server.requests) == 1  # It may have been accepted; the caller decides whether to ask again.


@pytest.mark.parametrize("name", [*BODIES, "an error that is no text", "an error of half a surrogate pair"])
def test_a_refusal_with_any_body_keeps_its_status(flavour: Flavour, name: str) -> None:
    more = {
        "an error that is no text": b'{"error":{"a":[1]},"code":17}',
        "an error of half a surrogate pair": b'{"error":"\\ud800"}',
    }
    body = {**BODIES, **more}[name]

    with serving(answering(whole(body, b"Content-Type: application/json", status=b"422 No"))) as server:
        result = outcome(flavour, server.url)

    assert isinstance(result, PostStackError)
    assert result.status_code == 422
    result.error.encode()  # It can be printed.


def test_a_server_that_never_reads_cannot_hold_a_large_email(flavour: Flavour) -> None:
    def large(client: Any) -> Any:
        return client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "s", "text": "x" * 30_000_000}
        )

    with serving(lambda visitor: visitor.stay_silent()) as server:
        with pytest.raises(PostStackTimeoutError):
            run_call(flavour, server.url, large, timeout=0.2, max_retries=0)
        with pytest.raises(PostStackTimeoutError):
            run_call(flavour, server.url, large, timeout=3600.0, deadline=0.3)


def test_a_refusal_sent_before_the_whole_email_was_read_is_heard(flavour: Flavour) -> None:
    def large(client: Any) -> Any:
        return client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "s", "text": "x" * 3_000_000}
        )

    def script(visitor: Visitor) -> None:
        visitor.send(whole(b'{"error":"Too large"}', b"Connection: close", status=b"413 Too Large"))
        visitor.request()

    with serving(script) as server, pytest.raises(PostStackError, match="Too large") as caught:
        run_call(flavour, server.url, large, max_retries=0)

    assert caught.value.status_code == 413


def test_a_connection_cut_before_the_request_is_read_is_tried_again_with_the_same_key(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.number < 2:
            return
        answering()(visitor)

    with serving(script) as server:
        assert outcome(flavour, server.url) == {"id": "em_1"}
        assert server.connections == 3


def test_an_answer_lost_on_the_way_is_asked_for_with_the_same_key(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        if visitor.request() and visitor.number == 3:
            visitor.send(ACCEPTED)

    with serving(script) as server:
        assert outcome(flavour, server.url) == {"id": "em_1"}

    assert len(server.requests) == 4
    assert len({request.header("idempotency-key") for request in server.requests}) == 1
    assert len({request.body for request in server.requests}) == 1


def test_tls_to_a_port_that_speaks_none_is_a_connection_error(flavour: Flavour) -> None:
    def script(visitor: Visitor) -> None:
        visitor.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with serving(script) as server:
        result = outcome(flavour, server.url.replace("http:", "https:"), max_retries=1)

    assert isinstance(result, PostStackConnectionError)


def test_a_port_that_never_answers_the_tls_greeting_ends_with_the_deadline(flavour: Flavour) -> None:
    with serving(lambda visitor: visitor.stay_silent()) as server:
        result = outcome(flavour, server.url.replace("http:", "https:"), timeout=3600.0, deadline=0.3)

    assert isinstance(result, PostStackTimeoutError)


def test_nobody_listening_is_a_connection_error(flavour: Flavour) -> None:
    with serving(answering()) as server:
        pass

    result = outcome(flavour, server.url, max_retries=1)

    assert isinstance(result, PostStackConnectionError)
    assert "Traceback" not in result.error


def test_what_follows_an_answer_is_not_taken_for_the_next_one(flavour: Flavour) -> None:
    forged = ACCEPTED.replace(b"em_1", b"em_X")

    def script(visitor: Visitor) -> None:
        while visitor.request() and visitor.send(ACCEPTED + forged):
            pass

    if flavour.sync:

        def twice(client: Any) -> Any:
            return [send(client), send(client)]
    else:

        async def both(client: Any) -> Any:
            return [await send(client), await send(client)]

        twice = both

    with serving(script) as server:
        assert run_call(flavour, server.url, twice) == [{"id": "em_1"}, {"id": "em_1"}]
        assert server.connections == 2
