"""Keys, the rate limit, unknown routes, and bodies that are no requests."""

from __future__ import annotations

import json

import pytest

from poststack.emulator.core import Emulator
from poststack.emulator.guard import cross_site, host_allowed
from poststack.emulator.settings import Settings
from poststack.transports.base import HttpRequest
from tests.emulator.app import START, App


def test_every_test_key_is_accepted_unless_keys_are_given(app: App) -> None:
    for key, status in (("sk_test_a", 200), ("sk_test_", 401), ("sk_live_a", 401), ("", 401), ("sk_test_é☃", 200)):
        app.key = key
        assert app.get("/emails").status == status


def test_only_the_given_keys_are_accepted() -> None:
    app = App(Settings(api_keys=("sk_test_a", "anything")))
    for key, status in (("sk_test_a", 200), ("anything", 200), ("sk_test_b", 401), ("\ud800", 401)):
        app.key = key
        assert app.get("/emails").status == status


@pytest.mark.parametrize("header", ["", "Bearer", "Basic sk_test_a", "sk_test_a"])
def test_the_scheme_is_bearer(app: App, header: str) -> None:
    assert app.call("GET", "/emails", Authorization=header).error == (401, "unauthorized")


def test_no_key_at_all_is_unauthorized(app: App) -> None:
    response = app.emulator.handle(HttpRequest("GET", "http://emulator/emails", {}), START)

    assert response.status == 401
    assert json.loads(response.body)["code"] == "unauthorized"


def test_the_limiter_counts_each_key_in_each_second() -> None:
    app = App(Settings(rate_limit=2))
    replies = [app.get("/emails") for _ in range(3)]
    app.key = "sk_test_other"
    other = app.get("/emails")
    app.now += 1
    later = app.get("/emails")

    assert [reply.status for reply in (*replies, other, later)] == [200, 200, 429, 200, 200]
    assert replies[0].headers["x-ratelimit-limit"] == "2"
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[2].headers["x-ratelimit-reset"] == str(int(START) + 1)
    assert replies[2].headers["retry-after"] == "1"
    assert replies[2].error == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/", (404, "not_found")),
        ("GET", "/nothing", (404, "not_found")),
        ("GET", "/emails/em_x/unknown", (404, "not_found")),
        ("GET", "/emails/7", (404, "not_found")),
        ("GET", "/_emulator/nothing", (404, "not_found")),
        ("PUT", "/emails", (405, "method_not_allowed")),
        ("GET", "/emails/em_x/cancel", (405, "method_not_allowed")),
        ("POST", "/domains/1/ip", (501, "not_implemented")),
        ("DELETE", "/domains/1/ip", (501, "not_implemented")),
    ],
)
def test_unknown_routes_say_so(app: App, method: str, path: str, error: tuple[int, str]) -> None:
    assert app.call(method, path).error == error


def test_a_wrong_method_names_the_right_ones(app: App) -> None:
    assert app.call("PUT", "/emails").headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff\xfe{}",
        b'{"from": "\\ud800"}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 100_000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(app: App, body: bytes) -> None:
    assert app.call("POST", "/emails", body=body).error == (400, "invalid_request")


def test_a_body_above_the_limit_is_refused() -> None:
    app = App(Settings(max_body=100))

    assert app.call("POST", "/emails", body=b" " * 101).error == (413, "payload_too_large")


def test_an_address_that_is_none_is_refused(app: App) -> None:
    for url in ("http://[::1/emails", "http://x/emails?" + "&".join("a=1" for _ in range(200))):
        assert app.emulator.handle(HttpRequest("GET", url, {}), START).status == 400
        assert app.emulator.answer(HttpRequest("GET", url, {}), START).response is not None


def test_a_bug_is_an_answer_not_the_end(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app.emulator._backend.lifecycle, "run", broken)  # pyright: ignore[reportPrivateUsage]

    assert app.get("/emails").error == (500, "internal_error")


def test_ids_are_random_unless_told_otherwise() -> None:
    requests = [HttpRequest("GET", "http://x/nothing", {}) for _ in range(2)]
    first, second = (Emulator().handle(request, START).headers["x-request-id"] for request in requests)

    assert first != second
    assert len(first) == len("req_") + 18


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8025", True),
        ("shop.localhost:1", True),
        ("127.0.0.1:8025", True),
        ("[::1]:8025", True),
        ("192.168.1.7", True),
        ("mail.test", True),
        ("mail.test.", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("localhost@evil.example", False),
        ("user@localhost", False),
        ("localhost/x", False),
        ("[::1", False),
        ("", False),
        (None, False),
    ],
)
def test_foreign_names_are_not_answered_to(host: str | None, allowed: bool) -> None:
    assert host_allowed(host, {"mail.test"}) == allowed


@pytest.mark.parametrize(
    ("method", "headers", "refused"),
    [
        ("GET", {"origin": "http://evil.example"}, False),
        ("POST", {}, False),
        ("POST", {"origin": "http://localhost:8025"}, False),
        ("POST", {"origin": "https://LOCALHOST:8025"}, False),
        ("POST", {"origin": "http://localhost:3000"}, True),
        ("POST", {"origin": "null"}, True),
        ("DELETE", {"origin": "http://[evil"}, True),
        ("POST", {"sec-fetch-site": "cross-site"}, True),
        ("POST", {"sec-fetch-site": "same-site"}, True),
        ("POST", {"sec-fetch-site": "same-origin"}, False),
        ("POST", {"sec-fetch-site": "none"}, False),
    ],
)
def test_changes_from_other_sites_are_refused(method: str, headers: dict[str, str], refused: bool) -> None:
    assert cross_site(method, {"host": "localhost:8025", **headers}) == refused
