"""SMTP's connections: kept, renewed, bounded, encrypted, and honest about what may have been sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trustme

from poststack.mailbridge import AsyncMailBridge, ConfigurationError, EmailMessageDto, EmailResponseDTO, MailBridge
from poststack.providers.smtp import Smtp
from tests.providers.fakes.smtp import PASSWORD, TOKEN, USERNAME, Event, FakeSmtp

if TYPE_CHECKING:
    from typing import TypeAlias

SENDER = "shop@example.org"
Send: TypeAlias = "Callable[..., list[EmailResponseDTO]]"


def mails(count: int) -> list[EmailMessageDto]:
    return [EmailMessageDto(f"u{n}@example.net", f"For {n}", "<p>Hi</p>") for n in range(count)]


@pytest.fixture
def fake() -> Generator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]  # pyOpenSSL's type, absent
    return context


@pytest.fixture
def certified(authority: trustme.CA) -> ssl.SSLContext:
    return _certified(authority, "localhost")


@pytest.fixture(params=["threads", "asyncio"])
def send(request: pytest.FixtureRequest) -> Send:
    """Return what sends each list of messages, one after the other, over one MailBridge, and returns all responses."""

    def in_threads(fake: FakeSmtp, *bulks: Sequence[EmailMessageDto], **given: Any) -> list[EmailResponseDTO]:
        between = given.pop("between", lambda: None)
        responses: list[EmailResponseDTO] = []
        with MailBridge("smtp", **settings(fake, given)) as mailer:
            for bulk in bulks:
                responses += mailer.send_bulk(bulk).responses
                between()
        return responses

    def on_asyncio(fake: FakeSmtp, *bulks: Sequence[EmailMessageDto], **given: Any) -> list[EmailResponseDTO]:
        between = given.pop("between", lambda: None)

        async def main() -> list[EmailResponseDTO]:
            responses: list[EmailResponseDTO] = []
            async with AsyncMailBridge("smtp", **settings(fake, given)) as mailer:
                for bulk in bulks:
                    responses += (await mailer.send_bulk(bulk)).responses
                    between()
                    await asyncio.sleep(0.01)
            return responses

        return asyncio.run(main())

    return in_threads if request.param == "threads" else on_asyncio


def settings(fake: FakeSmtp, given: dict[str, Any]) -> dict[str, Any]:
    return {"from_email": SENDER, "max_retries": 0, **fake.settings(), **given}


def logging_in_by_token(fake: FakeSmtp, token: Callable[[], object]) -> dict[str, Any]:
    return {**fake.settings(), "allow_insecure_auth": True, "oauth_token": token, "password": None}


def kinds(responses: list[EmailResponseDTO]) -> list[str | None]:
    return [response.kind for response in responses]


def test_defect_25_a_bulk_keeps_its_connections(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(60), mails(60))) == [None] * 120
    assert fake.connections <= 4
    assert fake.most_open_connections <= 4
    assert all(session.commands.count("EHLO") == 1 for session in fake.sessions)
    assert all(session.ended_politely for session in fake.sessions)


def test_no_more_connections_are_open_than_allowed(fake: FakeSmtp, send: Send) -> None:
    fake.latency = 0.01
    assert kinds(send(fake, mails(30), max_connections=2, concurrency=20)) == [None] * 30
    assert fake.most_open_connections == 2


def test_waiting_for_a_connection_takes_no_time_of_a_step(fake: FakeSmtp, send: Send) -> None:
    fake.latency = 0.3
    assert kinds(send(fake, mails(8), max_connections=1, timeout=2)) == [None] * 8


def test_a_connection_carries_so_many_emails_and_no_more(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(25), max_connections=1, messages_per_connection=10)) == [None] * 25
    assert [session.messages for session in fake.sessions] == [10, 10, 5]
    assert all(session.ended_politely for session in fake.sessions)


def test_an_idle_connection_is_not_used_for_ever(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(1), mails(1), idle_limit=0)) == [None, None]
    assert fake.connections == 2


def test_defect_26_a_farewell_in_the_middle_of_a_bulk_costs_no_email(fake: FakeSmtp, send: Send) -> None:
    fake.most_per_connection = 3
    assert kinds(send(fake, mails(10), max_connections=1)) == [None] * 10
    assert len(fake.delivered) == 10
    assert [session.messages for session in fake.sessions] == [3, 3, 3, 1]


def test_defect_26_a_restart_of_the_server_costs_no_email(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(5), mails(5), between=fake.drop_all)) == [None] * 10
    assert len(fake.delivered) == 10


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_kept_connection_that_is_lost_before_the_content_is_renewed_at_once(
    fake: FakeSmtp, send: Send, verb: str
) -> None:
    def lose_the_next() -> None:
        fake.once(verb, Event(drop=True))

    assert kinds(send(fake, mails(1), mails(1), between=lose_the_next)) == [None, None]
    assert len(fake.delivered) == 2
    assert fake.connections == 2


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_new_connection_that_is_lost_before_the_content_sent_nothing(fake: FakeSmtp, send: Send, verb: str) -> None:
    fake.once(verb, Event(drop=True))
    (response,) = send(fake, mails(1))
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)
    assert fake.connections == 1


def test_what_was_not_sent_is_tried_again(fake: FakeSmtp, send: Send) -> None:
    fake.once("CONNECT", "421 4.3.2 Starting")
    fake.once("DATA", Event(drop=True))
    assert kinds(send(fake, mails(1), max_retries=2)) == [None]
    assert (fake.connections, len(fake.delivered)) == (3, 1)


def test_content_that_is_cut_off_before_its_end_was_not_sent(fake: FakeSmtp, send: Send) -> None:
    fake.once("CONTENT", Event())
    large = EmailMessageDto(
        "ada@example.net", "Hi", "<p>Hi</p>", attachments=[("a.bin", bytes(20_000_000), "application/x")]
    )
    (response,) = send(fake, [large])
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)


@pytest.mark.parametrize("taken", [True, False])
def test_a_connection_lost_after_the_final_dot_leaves_it_open_and_is_not_repeated(
    fake: FakeSmtp, send: Send, taken: bool
) -> None:
    fake.once("END", Event(drop=True, taken=taken))
    (response,) = send(fake, mails(1), max_retries=3)
    assert (response.kind, response.may_have_been_sent) == ("ambiguous", True)
    assert len(fake.delivered) == taken
    assert fake.connections == 1


def test_a_kept_connection_lost_after_the_final_dot_is_not_renewed(fake: FakeSmtp, send: Send) -> None:
    def lose_the_next() -> None:
        fake.once("END", Event(drop=True, taken=True))

    assert kinds(send(fake, mails(1), mails(1), between=lose_the_next)) == [None, "ambiguous"]
    assert len(fake.delivered) == 2


def test_an_email_that_may_have_been_sent_is_repeated_when_duplicates_are_allowed(fake: FakeSmtp, send: Send) -> None:
    fake.once("END", Event(drop=True, taken=True))
    assert kinds(send(fake, mails(1), allow_duplicates=True, max_retries=1)) == [None]
    # With one Message-ID, by which mailboxes can tell that it is the same.
    assert len({one.message_id for one in fake.delivered}) == 1
    assert len(fake.delivered) == 2


def test_a_loss_in_a_second_transaction_leaves_the_first_accepted(fake: FakeSmtp, send: Send) -> None:
    fake.most_recipients = 2
    fake.refusals["u3@example.net"] = "421 4.3.2 Shutting down"
    (response,) = send(fake, [EmailMessageDto([f"u{n}@example.net" for n in range(4)], "Hi", "<p>Hi</p>")])
    assert response.success
    assert sorted(response.refused) == ["u2@example.net", "u3@example.net"]
    assert len(fake.delivered) == 1


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
    with _dripping() as port, FakeSmtp() as fake:
        (response,) = send(fake, mails(1), host="127.0.0.1", port=port, timeout=0.4)
    assert response.kind == "unavailable"


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


def test_the_client_calls_itself_what_it_is_told_and_looks_no_name_up(
    fake: FakeSmtp, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", None)
    monkeypatch.setattr(socket, "gethostbyname", None)
    send(fake, mails(1))
    send(fake, mails(1), local_hostname="app.example.org")
    assert [session.hello for session in fake.sessions] == ["[127.0.0.1]", "app.example.org"]


@pytest.mark.parametrize("implicit", [True, False])
def test_the_connection_is_encrypted(
    send: Send, certified: ssl.SSLContext, trusting: ssl.SSLContext, implicit: bool
) -> None:
    with FakeSmtp(tls=certified, implicit=implicit, requires_login=True) as fake:
        assert kinds(send(fake, mails(20), mails(1), ssl_context=trusting)) == [None] * 21
        assert fake.connections <= 4
    assert all(session.encrypted and session.username == USERNAME for session in fake.sessions)
    hello = ["EHLO"] if implicit else ["EHLO", "STARTTLS", "EHLO"]
    assert fake.sessions[0].commands[: len(hello) + 1] == [*hello, "AUTH"]


@pytest.mark.parametrize("implicit", [True, False])
def test_a_certificate_that_nobody_vouches_for_ends_the_connection(
    send: Send, certified: ssl.SSLContext, implicit: bool
) -> None:
    with FakeSmtp(tls=certified, implicit=implicit, requires_login=True) as fake:
        (response,) = send(fake, mails(1))
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)
    assert "certificate" in str(response.error).lower()
    assert not any("AUTH" in session.commands for session in fake.sessions)


def test_a_certificate_of_another_host_ends_the_connection(
    send: Send, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    with FakeSmtp(tls=_certified(authority, "other.example")) as fake:
        assert kinds(send(fake, mails(1), ssl_context=trusting)) == ["unavailable"]
    assert fake.delivered == []


def test_stripped_starttls_sends_neither_password_nor_email(send: Send, certified: ssl.SSLContext) -> None:
    with FakeSmtp(tls=certified, offers_starttls=False, requires_login=True) as fake:
        (response,) = send(fake, mails(1), max_retries=3)
    assert (response.kind, response.transient) == ("auth", False)
    assert "offers no STARTTLS" in str(response.error)
    assert [session.commands for session in fake.sessions] == [["EHLO"]]


def test_starttls_that_is_out_of_order_is_worth_another_attempt(
    send: Send, certified: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with FakeSmtp(tls=certified) as fake:
        fake.once("STARTTLS", "454 4.7.0 TLS not available")
        assert kinds(send(fake, mails(1), ssl_context=trusting, max_retries=1)) == [None]
    assert fake.connections == 2


def test_what_comes_in_the_clear_behind_starttls_is_not_believed(
    send: Send, certified: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with _injecting(certified) as (port, heard), FakeSmtp() as fake:
        login = {"username": USERNAME, "password": PASSWORD}
        (response,) = send(fake, mails(1), port=port, use_tls=True, ssl_context=trusting, **login)
    # Either the connection is given up, or the server itself is asked, which offers no login.
    assert response.kind in {"unavailable", "auth"}
    assert not any(line.startswith((b"AUTH", b"MAIL")) for line in heard)


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (("LOGIN", "PLAIN", "CRAM-MD5"), "PLAIN"),
        (("LOGIN", "CRAM-MD5"), "LOGIN"),
        (("CRAM-MD5",), "CRAM-MD5"),
    ],
)
def test_a_login_uses_what_the_server_offers(send: Send, offered: tuple[str, ...], used: str) -> None:
    with FakeSmtp(requires_login=True, mechanisms=offered) as fake:
        assert kinds(send(fake, mails(1), allow_insecure_auth=True)) == [None]
    assert (fake.sessions[0].username, fake.sessions[0].commands.count("AUTH")) == (USERNAME, 1)
    assert fake.sessions[0].mechanism == used


def test_a_mechanism_that_is_offered_and_not_there_is_passed_over(send: Send) -> None:
    with FakeSmtp(requires_login=True) as fake:
        fake.once("AUTH", "504 5.5.4 Unrecognized authentication type")
        assert kinds(send(fake, mails(1), allow_insecure_auth=True)) == [None]
    assert fake.sessions[0].commands.count("AUTH") == 2


def test_a_server_without_a_known_way_to_log_in_is_told(send: Send) -> None:
    with FakeSmtp(requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        (response,) = send(fake, mails(1), allow_insecure_auth=True)
    assert response.kind == "auth"
    assert "no way to log in" in str(response.error)


def test_a_wrong_password_is_tried_once_for_each_connection_and_not_for_each_email(send: Send) -> None:
    with FakeSmtp(requires_login=True) as fake:
        responses = send(fake, mails(50), password="wrong", allow_insecure_auth=True, max_retries=3)
    assert kinds(responses) == ["auth"] * 50
    assert sum(session.commands.count("AUTH") for session in fake.sessions) <= 4
    assert "wrong" not in "".join(str(response) for response in responses)


def test_a_login_that_is_put_off_is_tried_again(send: Send) -> None:
    with FakeSmtp(requires_login=True) as fake:
        fake.once("AUTH", "454 4.7.0 Temporary authentication failure")
        assert kinds(send(fake, mails(1), allow_insecure_auth=True, max_retries=1)) == [None]


def test_a_token_logs_in_and_is_fetched_for_each_connection(send: Send) -> None:
    fetched: list[int] = []

    def token() -> str:
        fetched.append(1)
        return TOKEN

    with FakeSmtp(requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        given = logging_in_by_token(fake, token)
        given |= {"max_connections": 1, "messages_per_connection": 2}
        assert kinds(send(fake, mails(4), **given)) == [None] * 4
    assert len(fetched) == fake.connections == 2


def test_a_refused_token_is_told_after_its_challenge(send: Send) -> None:
    with FakeSmtp(requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        given = logging_in_by_token(fake, lambda: "expired")
        (response,) = send(fake, mails(1), **given)
    assert (response.kind, response.failure and response.failure.status) == ("auth", 535)


def test_a_token_that_cannot_be_fetched_sends_nothing(send: Send) -> None:
    def token() -> str:
        raise RuntimeError("secret of the token's server")

    with FakeSmtp(requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        given = logging_in_by_token(fake, token)
        (response,) = send(fake, mails(1), **given)
    assert response.kind == "unavailable"
    assert "secret" not in str(response.error)
    assert fake.sessions == []


def test_a_coroutine_function_gives_tokens_to_the_asynchronous_client_only() -> None:
    async def token() -> str:
        await asyncio.sleep(0)
        return TOKEN

    with FakeSmtp(requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        given = logging_in_by_token(fake, token)

        async def main() -> None:
            async with AsyncMailBridge("smtp", **given) as mailer:
                await mailer.send_bulk(mails(1))

        asyncio.run(main())
        with pytest.raises(ValueError, match="is a coroutine function"):
            MailBridge("smtp", **given)
    assert len(fake.delivered) == 1


def test_one_mailer_serves_several_event_loops(fake: FakeSmtp) -> None:
    mailer = AsyncMailBridge("smtp", **settings(fake, {}))

    async def main() -> None:
        assert (await mailer.send_bulk(mails(3))).failed == 0
        await mailer.close()

    for _ in range(3):
        asyncio.run(main())
    trio.run(main)
    assert len(fake.delivered) == 12
    assert all(session.ended_politely for session in fake.sessions)


def test_one_mailer_serves_many_threads(fake: FakeSmtp) -> None:
    with MailBridge("smtp", **settings(fake, {})) as mailer:
        threads = [threading.Thread(target=mailer.send_bulk, args=(mails(10),)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(fake.delivered) == 50
    assert fake.most_open_connections <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(fake: FakeSmtp) -> None:
    mailer = MailBridge("smtp", **settings(fake, {}))
    assert mailer.send_bulk(mails(1)).failed == 0
    child = multiprocessing.get_context("fork").Process(target=_send_in_child, args=(mailer,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert mailer.send_bulk(mails(1)).failed == 0
    mailer.close()
    # The parent's connection went on, and only the child's own was added.
    assert [session.messages for session in fake.sessions] == [2, 1]


def _send_in_child(mailer: MailBridge) -> None:
    assert mailer.send_bulk(mails(1)).failed == 0
    mailer.close()


def test_a_mailer_that_nobody_closes_leaves_no_connection(fake: FakeSmtp) -> None:
    MailBridge("smtp", **settings(fake, {})).send_bulk(mails(1))
    gc.collect()
    _until(lambda: fake.open_connections == 0)


def test_cancelled_in_the_middle_nothing_goes_on(fake: FakeSmtp) -> None:
    fake.latency = 0.05

    async def main() -> int:
        async with AsyncMailBridge("smtp", **settings(fake, {})) as mailer:
            bulk = asyncio.create_task(mailer.send_bulk(mails(500)))
            while len(fake.delivered) < 5:
                await asyncio.sleep(0.01)
            bulk.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bulk
            await asyncio.sleep(0.2)
            delivered = len(fake.delivered)
            await asyncio.sleep(0.2)
            assert len(fake.delivered) == delivered
            # The connections that were cut off are not used again.
            assert (await mailer.send_bulk(mails(4))).failed == 0
            return delivered

    assert asyncio.run(main()) < 500


def test_without_aiosmtplib_only_the_asynchronous_client_is_refused(
    fake: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'poststack\[smtp\]'"):
        AsyncMailBridge("smtp", **settings(fake, {}))
    with MailBridge("smtp", **settings(fake, {})) as mailer:
        assert mailer.send_bulk(mails(1)).failed == 0


def test_port_465_is_encrypted_from_the_first_byte_on() -> None:
    def security(**given: Any) -> tuple[int, str]:
        server = Smtp(host="mx.example", **given)._server  # pyright: ignore[reportPrivateUsage]
        return server.port, server.security

    assert security() == (587, "starttls")
    assert security(use_ssl=True) == (465, "tls")
    assert security(port=465) == (465, "tls")
    assert security(port=465, use_ssl=False) == (465, "starttls")
    assert security(port=25, use_tls=False) == (25, "plain")


def _certified(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # as above
    return context


def _until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.005)


@contextlib.contextmanager
def _serving(serve: Callable[[socket.socket], None]) -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connected, _ = server.accept()
                    with connected, contextlib.suppress(OSError):
                        serve(connected)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _saying(said: bytes) -> contextlib.AbstractContextManager[int]:
    def serve(connected: socket.socket) -> None:
        connected.sendall(said)

    return _serving(serve)


def _dripping() -> contextlib.AbstractContextManager[int]:
    def serve(connected: socket.socket) -> None:
        connected.settimeout(0.05)
        for _ in range(400):
            connected.sendall(b"2")
            with contextlib.suppress(TimeoutError):
                if not connected.recv(1):
                    return

    return _serving(serve)


@contextlib.contextmanager
def _injecting(context: ssl.SSLContext) -> Generator[tuple[int, list[bytes]]]:
    """Serve with a STARTTLS behind whose reply, in the clear, another answer to EHLO follows, which offers a login."""
    heard: list[bytes] = []

    def serve(connected: socket.socket) -> None:
        connected.sendall(b"220 fake.test\r\n")
        with connected.makefile("rb") as lines:
            for line in lines:
                heard.append(line)
                if line.startswith(b"EHLO"):
                    connected.sendall(b"250-fake.test\r\n250 STARTTLS\r\n")
                elif line.startswith(b"STARTTLS"):
                    connected.sendall(b"220 go\r\n250-evil.test\r\n250 AUTH PLAIN\r\n")
                    break
        encrypted = context.wrap_socket(connected, server_side=True)
        with encrypted, encrypted.makefile("rb") as lines:
            for line in lines:
                heard.append(line)
                encrypted.sendall(b"250 fake.test\r\n")

    with _serving(serve) as port:
        yield port, heard


def test_the_password_is_in_no_error(send: Send) -> None:
    with FakeSmtp(requires_login=True) as fake:
        fake.once("AUTH", Event(drop=True))
        (response,) = send(fake, mails(1), allow_insecure_auth=True)
    assert response.kind == "unavailable"
    assert PASSWORD not in f"{response!r} {response.original_error!r}"
