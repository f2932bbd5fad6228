"""SMTP encrypted, and logging in: nothing secret is said where somebody could listen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest
import trustme

from poststack.mailbridge import AsyncMailBridge, MailBridge
from poststack.providers.smtp import Smtp
from tests.providers.fakes.smtp import PASSWORD, TOKEN, USERNAME, Event, FakeSmtp
from tests.providers.smtp_senders import SENDERS, Send, kinds, mails, serving


@pytest.fixture(params=SENDERS, ids=["threads", "asyncio"])
def send(request: pytest.FixtureRequest) -> Send:
    return cast("Send", request.param)


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


def logging_in_by_token(fake: FakeSmtp, token: Callable[[], object]) -> dict[str, Any]:
    return {**fake.settings(), "allow_insecure_auth": True, "oauth_token": token, "password": None}


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


def test_the_password_is_in_no_error(send: Send) -> None:
    with FakeSmtp(requires_login=True) as fake:
        fake.once("AUTH", Event(drop=True))
        (response,) = send(fake, mails(1), allow_insecure_auth=True)
    assert response.kind == "unavailable"
    assert PASSWORD not in f"{response!r} {response.original_error!r}"


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

    with serving(serve) as port:
        yield port, heard
