"""TLS, certificate authorities and proxies, as the environment says."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from poststack import PostStackConnectionError, PostStackResponseError, PostStackTimeoutError
from poststack.transports._environment import default_ssl_context, environment_proxy
from tests.servers import ACCEPTED, Visitor, answering, serving
from tests.transports.conversations import FLAVOURS, SYNC, outcome, run_call, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transports.conversations import Flavour

AUTHORITY = trustme.CA()


def encrypted(*names: str, script: Callable[[Visitor], None] | None = None) -> Callable[[Visitor], None]:
    """Return a script that speaks TLS with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # pyOpenSSL's type, absent

    def speak(visitor: Visitor) -> None:
        visitor.encrypt(context)
        (script or answering())(visitor)

    return speak


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def give_addresses(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: tuple[Any, ...]) -> list[str]:
    """Let a made-up host name have these addresses, and return the list of those that are then tried."""
    resolve, tried = socket.getaddrinfo, list[str]()

    def resolved(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host == name:
            return [(0, socket.SOCK_STREAM, 6, "", (address[0], port, *address[1:])) for address in addresses]
        tried.append(host)
        return resolve(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return tried


def https(url: str, host: str = "127.0.0.1") -> str:
    return url.replace("http://127.0.0.1", f"https://{host}")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_an_authority_named_by_the_environment_is_trusted(flavour: Flavour) -> None:
    with serving(encrypted("localhost", "127.0.0.1")) as server:
        assert outcome(flavour, https(server.url)) == {"id": "em_1"}
        assert outcome(flavour, https(server.url, "localhost")) == {"id": "em_1"}


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_a_server_that_reads_slowly_over_tls_cannot_outlast_the_deadline(flavour: Flavour) -> None:
    def large(client: Any) -> Any:
        return client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "s", "text": "x" * 30_000_000}
        )

    with (
        serving(encrypted("127.0.0.1", script=lambda visitor: visitor.sip(0.05))) as server,
        pytest.raises(PostStackTimeoutError),
    ):
        run_call(flavour, https(server.url), large, timeout=3600.0, deadline=1.0)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_an_encrypted_connection_is_reused(flavour: Flavour) -> None:
    def twice(client: Any) -> list[Any]:
        return [send(client), send(client)]

    async def twice_awaited(client: Any) -> list[Any]:
        return [await send(client), await send(client)]

    with serving(encrypted("127.0.0.1")) as server:
        call = twice if flavour.sync else twice_awaited
        assert run_call(flavour, https(server.url), call) == [{"id": "em_1"}] * 2

        # With TLS 1.3 a session ticket can arrive late and make the connection look used; then another is opened.
        assert server.connections <= 2


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_unknown_authority_is_refused(flavour: Flavour) -> None:
    with serving(encrypted("127.0.0.1")) as server:
        result = outcome(flavour, https(server.url), max_retries=0)

    assert isinstance(result, PostStackConnectionError)
    assert "certificate" in result.error.lower()
    assert server.requests == []


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused(flavour: Flavour) -> None:
    with serving(encrypted("api.example.com")) as server:
        result = outcome(flavour, https(server.url), max_retries=0)

    assert isinstance(result, PostStackConnectionError)
    assert server.requests == []


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_a_deadline_holds_for_encrypted_answers_too(flavour: Flavour) -> None:
    def drip(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        visitor.drip(b" ")

    with serving(encrypted("127.0.0.1", script=drip)) as server:
        result = outcome(flavour, https(server.url), deadline=0.4)

    assert isinstance(result, PostStackTimeoutError)


@pytest.mark.parametrize("way", ["directly", "through a proxy"])
def test_the_deadline_covers_all_addresses_of_a_host(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener, contextlib.ExitStack() as callers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):  # Once the queue is full, nobody who calls is answered.
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        tried = give_addresses(monkeypatch, "many.example", *[("127.0.0.1",)] * 50)
        if way == "through a proxy":
            monkeypatch.setenv("HTTP_PROXY", f"http://many.example:{port}")
        result = outcome(SYNC, f"http://many.example:{port}", timeout=0.2, deadline=0.3, max_retries=0)

    assert isinstance(result, PostStackTimeoutError)
    assert 1 < len(tried) < 50


def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering()) as server:
        tried = give_addresses(monkeypatch, "many.example", ("fe80::1", 0, 1), ("127.0.0.1",))

        assert outcome(SYNC, f"http://many.example:{server.port}", max_retries=0) == {"id": "em_1"}
        assert tried == ["fe80::1%1", "127.0.0.1"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_context_of_ones_own_replaces_the_environment(flavour: Flavour) -> None:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]  # pyOpenSSL's type, absent

    with serving(encrypted("127.0.0.1")) as server:
        result = outcome(flavour, https(server.url), transport_options={"ssl_context": context})

    assert result == {"id": "em_1"}


def test_authorities_come_from_a_folder_or_from_certifi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert default_ssl_context().cert_store_stats()["x509_ca"] == 0
    monkeypatch.delenv("SSL_CERT_DIR")
    assert default_ssl_context().cert_store_stats()["x509_ca"] > 50


def proxy_to(port: int | None) -> Callable[[Visitor], None]:
    """Return a script that forwards what it can: tunnels to a port, and plain requests by answering itself."""

    def script(visitor: Visitor) -> None:
        while request := visitor.request():
            if request.first_line.startswith("CONNECT"):
                if port is None:
                    visitor.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                visitor.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                visitor.join(port)
                return
            if not visitor.send(ACCEPTED):
                return

    return script


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_plain_requests_go_through_the_environments_proxy(
    flavour: Flavour, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(proxy_to(None)) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert outcome(flavour, "http://api.example.com") == {"id": "em_1"}

    assert proxy.requests[0].first_line == "POST http://api.example.com/emails HTTP/1.1"
    assert proxy.requests[0].header("Host") == "api.example.com"


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_encrypted_requests_go_through_a_tunnel_that_sees_no_key(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(encrypted("localhost")) as server, serving(proxy_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        assert outcome(flavour, https(server.url, "localhost")) == {"id": "em_1"}

        (tunnel,) = proxy.requests
        assert tunnel.first_line == f"CONNECT localhost:{server.port} HTTP/1.1"
        assert tunnel.header("Proxy-Authorization") == "Basic " + base64.b64encode(b"user:p@ss").decode()
        assert tunnel.header("Authorization") == ""
        assert server.requests[0].header("Proxy-Authorization") == ""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_proxy_that_refuses_is_a_connection_error_that_hides_its_password(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(proxy_to(None)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:hidden@"))
        result = outcome(flavour, "https://api.example.com", max_retries=1)

    assert isinstance(result, PostStackConnectionError)
    assert "403" in result.error
    assert "hidden" not in repr(result)
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.usefixtures("trusted")
def test_a_proxy_may_be_reached_over_tls(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(encrypted("localhost", script=proxy_to(None))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", https(proxy.url, "localhost"))
        assert outcome(flavour, "http://api.example.com") == {"id": "em_1"}

    assert proxy.requests[0].first_line == "POST http://api.example.com/emails HTTP/1.1"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_deadline_holds_behind_a_proxy(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(b"HTTP/1.1 200 OK\r\n")
        visitor.drip(b"X: y\r\n")

    with serving(drip) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        for url in ("http://api.example.com", "https://api.example.com"):
            assert isinstance(outcome(flavour, url, timeout=3600.0, deadline=0.3), PostStackTimeoutError)


# trio remarks that httpcore's own generators, abandoned here, are left to the garbage collector.
@pytest.mark.unmeasured
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_body_without_end_stops_at_the_limit_behind_a_proxy(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(visitor: Visitor) -> None:
        visitor.request()
        visitor.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while visitor.send(b" " * 2**20):
            pass

    with serving(endless) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        result = outcome(flavour, "http://api.example.com", max_retries=0)

    assert isinstance(result, PostStackConnectionError)
    assert "128 MiB" in result.error


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_calls_without_a_body_pass_a_proxy_as_well(flavour: Flavour) -> None:
    def cancel(client: Any) -> Any:
        return client.emails.cancel("em_1")

    with serving(proxy_to(None)) as proxy, pytest.raises(PostStackResponseError):
        run_call(flavour, "http://api.example.com:8080", cancel, transport_options={"proxy": proxy.url})

    assert proxy.requests[0].first_line == "POST http://api.example.com:8080/emails/em_1/cancel HTTP/1.1"
    assert proxy.requests[0].header("Content-Length") == "0"


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "example.com,127.0.0.1", "*"])
def test_no_proxy_goes_directly(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    with serving(answering()) as server:
        assert outcome(SYNC, server.url) == {"id": "em_1"}


def test_which_proxy_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_proxy("https", "api.example.com") is None
    monkeypatch.setenv("NO_PROXY", ".example.com")
    monkeypatch.setenv("HTTPS_PROXY", "proxy.internal:3128")

    assert environment_proxy("https", "api.example.com") is None
    assert environment_proxy("https", "example.org") == "http://proxy.internal:3128"
    assert environment_proxy("http", "example.org") is None


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_authorities_that_cannot_be_read_are_a_connection_error(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")

    with serving(encrypted("127.0.0.1")) as server:
        result = outcome(flavour, https(server.url), max_retries=0)

    assert isinstance(result, PostStackConnectionError)
    assert "No such file" in result.error
