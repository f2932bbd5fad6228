"""What a transport is set up with is judged when it is made, and never taken for a failing network."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStackConnectionError
from tests.servers import answering, closed_port, serving
from tests.transports.conversations import FLAVOURS, outcome
from tests.transports.test_ways_to_the_server import proxy_to

if TYPE_CHECKING:
    from tests.transports.conversations import Flavour

pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)

PASSWORD = "hidden"


@pytest.mark.parametrize("given", [0, -1, "5", None, True, 2.0])
def test_a_number_of_connections_is_a_whole_number(flavour: Flavour, given: object) -> None:
    with pytest.raises(ValueError, match=r"^max_connections must be"):
        flavour.transport(max_connections=given)


@pytest.mark.parametrize("given", [None, "x", -1, True, float("nan")])
def test_idle_connections_are_kept_for_some_seconds(flavour: Flavour, given: object) -> None:
    with pytest.raises(ValueError, match=r"^keepalive_expiry must be"):
        flavour.transport(keepalive_expiry=given)


@pytest.mark.parametrize("given", [5, True, "authority.pem", ssl.SSLContext])
def test_tls_is_set_up_by_a_context(flavour: Flavour, given: object) -> None:
    with pytest.raises(ValueError, match=r"^ssl_context must be an ssl.SSLContext"):
        flavour.transport(ssl_context=given)


@pytest.mark.parametrize("options", [{"max_connections": 1}, {"keepalive_expiry": 0}, {"keepalive_expiry": 2.5}])
def test_what_can_work_is_taken(flavour: Flavour, options: dict[str, Any]) -> None:
    with serving(answering()) as server:
        assert outcome(flavour, server.url, transport_options=options) == {"id": "em_1"}


UNUSABLE = [
    "ftp://proxy.example.com",
    "gopher://proxy.example.com:1",
    "socks5://proxy.example.com:1080",
    "SOCKS5H://proxy.example.com:1080",
    "http://proxy.example.com:port",
    "http://proxy.example.com:0",
    "http://proxy.example.com/path",
    "http://é:1",
    "http://:3128",
    "http://[::1",
    "http://two words:1",
]


@pytest.mark.parametrize("given", [5, b"http://proxy:1", ["http://proxy:1"], "", *UNUSABLE])
def test_a_proxy_is_an_address(flavour: Flavour, given: object) -> None:
    with pytest.raises(ValueError, match=r"^proxy (must be|names a SOCKS proxy)"):
        flavour.transport(proxy=given)


def test_a_wrong_address_shows_no_password(flavour: Flavour) -> None:
    with pytest.raises(ValueError, match="proxy must be") as caught:
        flavour.transport(proxy=f"http://user:{PASSWORD}@proxy.example.com:port")

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("address", UNUSABLE)
def test_one_of_the_environment_is_refused_before_anything_is_sent(
    flavour: Flavour, variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)

    failure = outcome(flavour, "http://api.example.com", max_retries=0)

    assert re.search(rf"{variable}.* name api\.example\.com in NO_PROXY", str(failure))
    # The e-mail is not to blame: a queue keeps it.
    assert (failure.status_code, failure.transient, failure.may_have_taken_effect) == (0, True, False)


def test_a_wrong_one_for_other_hosts_harms_nothing(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    with serving(answering()) as server:
        assert outcome(flavour, server.url) == {"id": "em_1"}


@pytest.mark.parametrize("scheme", ["", "http://", "HTTP://"])
def test_an_address_without_a_scheme_is_of_http(flavour: Flavour, scheme: str) -> None:
    with serving(proxy_to(None)) as proxy:
        options = {"proxy": f"{scheme}127.0.0.1:{proxy.port}/"}
        assert outcome(flavour, "http://api.example.com", transport_options=options) == {"id": "em_1"}

    assert proxy.requests[0].first_line == "POST http://api.example.com/emails HTTP/1.1"


def test_a_password_may_have_any_characters(flavour: Flavour) -> None:
    with serving(proxy_to(None)) as proxy:
        options = {"proxy": f"http://us%C3%A9r:p%40ss@127.0.0.1:{proxy.port}"}
        assert outcome(flavour, "http://api.example.com", transport_options=options) == {"id": "em_1"}

    assert proxy.requests[0].header("Proxy-Authorization") == "Basic dXPDqXI6cEBzcw=="


@pytest.mark.parametrize("url", ["http://api.example.com", "https://api.example.com"])
def test_a_proxy_that_is_not_there_is_named(flavour: Flavour, url: str) -> None:
    with closed_port() as port:
        options = {"proxy": f"user:{PASSWORD}@127.0.0.1:{port}"}
        result = outcome(flavour, url, max_retries=0, transport_options=options)

    assert isinstance(result, PostStackConnectionError)
    assert f"through the proxy 127.0.0.1:{port}" in result.error
    assert PASSWORD not in f"{result!r} {result.__cause__!r}"
    assert "user" not in result.error


def test_a_defect_is_no_failure_of_the_network(flavour: Flavour) -> None:
    class Defective(ssl.SSLContext):
        def wrap_socket(self, *args: Any, **options: Any) -> Any:
            raise TypeError("defective")

        wrap_bio = wrap_socket

    options: dict[str, Any] = {"ssl_context": Defective(ssl.PROTOCOL_TLS_CLIENT)}

    with serving(answering()) as server:
        if flavour.name != "aiohttp":  # asyncio itself makes a failure of the connection of it.
            with pytest.raises(TypeError, match="defective"):
                outcome(flavour, server.url.replace("http:", "https:"), transport_options=options)
        options["proxy"] = server.url.replace("http:", "https:")
        with pytest.raises(TypeError, match="defective"):
            outcome(flavour, "http://api.example.com", transport_options=options)
