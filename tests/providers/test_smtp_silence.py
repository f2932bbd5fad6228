"""SMTP with servers that are silent, slow, or none at all."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator
from typing import cast

import pytest

from tests.providers.fakes.smtp import Event, FakeSmtp
from tests.providers.smtp_senders import SENDERS, Send, kinds, mails, serving


@pytest.fixture
def fake() -> Generator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture(params=SENDERS, ids=["threads", "asyncio"])
def send(request: pytest.FixtureRequest) -> Send:
    return cast("Send", request.param)


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_defect_27_a_silent_server_is_not_waited_for_for_ever(fake: FakeSmtp, send: Send, verb: str) -> None:
    fake.once(verb, Event(delay=60))
    (response,) = send(fake, mails(1), timeout=0.2)
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)
    assert "in time" in str(response.error)


def test_silence_after_the_final_dot_leaves_it_open(fake: FakeSmtp, send: Send) -> None:
    fake.once("END", Event(delay=60, taken=True))
    (response,) = send(fake, mails(1), timeout=1, max_retries=3)
    assert (response.kind, response.may_have_been_sent) == ("ambiguous", True)
    assert len(fake.delivered) == 1


@pytest.mark.parametrize(("verb", "kind"), [("MAIL", "unavailable"), ("END", "ambiguous")])
def test_the_deadline_ends_what_the_timeout_would_not(fake: FakeSmtp, send: Send, verb: str, kind: str) -> None:
    fake.once(verb, Event(delay=60))
    assert kinds(send(fake, mails(1), deadline=1)) == [kind]


def test_the_deadline_also_bounds_the_wait_for_a_connection(fake: FakeSmtp, send: Send) -> None:
    fake.once("MAIL", Event(delay=60))
    assert kinds(send(fake, mails(3), deadline=0.3, max_connections=1)) == ["unavailable"] * 3


def test_a_server_that_answers_a_byte_now_and_then_is_left(send: Send) -> None:
    left: list[bool] = []
    with _dripping(left) as port, FakeSmtp() as fake:
        (response,) = send(fake, mails(1), host="127.0.0.1", port=port, timeout=0.4)
    assert response.kind == "unavailable"
    assert left == [True]


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n", b"2\xff0\r\n", b"220-" + b"x" * 100_000, b""])
def test_what_is_no_smtp_server_is_told(send: Send, says: bytes) -> None:
    with _saying(says) as port, FakeSmtp() as fake:
        (response,) = send(fake, mails(1), host="127.0.0.1", port=port, timeout=5)
    assert response.kind == "unavailable"


def test_a_server_that_is_not_there_is_told(fake: FakeSmtp, send: Send) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        (response,) = send(fake, mails(1), port=unused.getsockname()[1])
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)


def test_a_server_that_knows_no_ehlo_is_greeted_with_helo(fake: FakeSmtp, send: Send) -> None:
    fake.once("EHLO", "502 5.5.1 Unknown command")
    assert kinds(send(fake, mails(1))) == [None]
    assert fake.sessions[0].commands[:2] == ["EHLO", "HELO"]


def _saying(said: bytes) -> contextlib.AbstractContextManager[int]:
    def serve(connected: socket.socket) -> None:
        connected.sendall(said)

    return serving(serve)


def _dripping(left: list[bool]) -> contextlib.AbstractContextManager[int]:
    def serve(connected: socket.socket) -> None:
        """Send a byte twenty times a second for half a minute, and note whether the client leaves meanwhile."""
        connected.settimeout(0.05)
        gone = False
        for _ in range(600):
            try:
                connected.sendall(b"2")
                gone = not connected.recv(1)
            except TimeoutError:
                continue
            except OSError:
                gone = True
            if gone:
                break
        left.append(gone)

    return serving(serve)
