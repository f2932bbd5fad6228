"""Domains on the wire, in the data file, and over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.settings import Settings
from poststack.transports.base import HttpRequest
from tests.emulator.app import START, App


def added(app: App, name: str = "shop.example", **fields: object) -> int:
    reply = app.post("/domains", {"name": name, **fields})
    assert reply.status == 201, reply.json
    number: int = reply.json["domain"]["id"]
    return number


def verified(app: App, name: str = "shop.example") -> int:
    number = added(app, name)
    app.post(f"/domains/{number}/verify")
    app.wait(1)
    return number


def domain(app: App, number: int) -> dict[str, Any]:
    found: dict[str, Any] = app.get(f"/domains/{number}").json["domain"]
    return found


def test_a_restart_finds_domains_and_what_was_planned(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "data"))
    done, gone, planned = verified(app), added(app, "gone.example"), added(app, "new.example", open_tracking=True)
    app.post(f"/domains/{done}/dkim/rotate")
    app.call("DELETE", f"/domains/{gone}")
    app.post(f"/domains/{planned}/verify")
    before = app.emulator.store.domains.all()
    app.emulator.close()
    again = App(journal=SqliteJournal(tmp_path / "data"))

    assert again.emulator.store.domains.all() == before
    assert again.send(**{"from": "a@gone.example"}).json["error"] == "Domain not verified"
    again.wait(2)
    activated = again.post(f"/domains/{done}/dkim/rotate/activate?force=true")
    assert domain(again, planned)["status"] == "verified"
    assert activated.json["rotation"]["state"] == "retiring"
    again.emulator.close()


def test_the_domains_of_the_settings_outlive_a_reset_and_return_after_a_restart(tmp_path: Path) -> None:
    chosen = Settings(domains=("shop.example",))
    app = App(chosen, SqliteJournal(tmp_path / "data"))
    [first] = app.get("/domains").json["domains"]
    app.post("/_emulator/reset")
    [second] = app.get("/domains").json["domains"]
    app.call("DELETE", f"/domains/{second['id']}")
    deleted = app.send(**{"from": "a@shop.example"})
    app.emulator.close()
    again = App(chosen, SqliteJournal(tmp_path / "data"))

    assert first["id"] != second["id"]
    assert deleted.error == (422, "unprocessable_entity")
    assert again.send(**{"from": "a@shop.example"}).status == 202
    again.emulator.close()


def test_a_domain_of_the_settings_that_waited_is_verified_after_a_restart(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "data"))
    number = added(app)
    app.emulator.close()
    again = App(Settings(domains=("SHOP.example",)), SqliteJournal(tmp_path / "data"))

    assert domain(again, number)["status"] == "verified"
    again.emulator.close()


def test_domains_of_earlier_settings_are_gone(tmp_path: Path) -> None:
    app = App(Settings(domains=("old.example", "kept.example")), SqliteJournal(tmp_path / "data"))
    added(app, "own.example")
    app.emulator.close()
    again = App(Settings(domains=("kept.example",)), SqliteJournal(tmp_path / "data"))
    names = [found["name"] for found in again.get("/domains").json["domains"]]
    refused = again.send(**{"from": "a@old.example"})
    again.emulator.close()
    anyone = App(journal=SqliteJournal(tmp_path / "data"))

    assert names == ["kept.example", "own.example"]
    assert refused.error == (422, "unprocessable_entity")
    assert anyone.send(**{"from": "a@old.example"}).status == 202
    anyone.emulator.close()


def test_asking_again_does_not_put_a_verification_off(app: App) -> None:
    number = added(app)
    for _ in range(4):
        app.post(f"/domains/{number}/verify")
        app.wait(0.3)

    assert domain(app, number)["status"] == "verified"


DNS: list[tuple[object, int]] = [
    ({"unpublished": ["spf", "spf"]}, 200),
    ({"unpublished": [], "readable": False}, 200),
    ({}, 200),
    ({"unpublished": ["everything"]}, 422),
    ({"unpublished": "spf"}, 400),
    ({"unpublished": [{}]}, 400),
    ({"readable": 1}, 400),
    ([], 400),
]


@pytest.mark.parametrize(("content", "status"), DNS)
def test_the_dns_is_set_over_http(app: App, content: object, status: int) -> None:
    number = added(app)

    assert app.call("PUT", f"/_emulator/domains/{number}/dns", content).status == status
    assert app.call("PUT", "/_emulator/domains/99/dns", content).error == (404, "not_found")


def test_what_is_missing_in_the_dns_fails_a_domain_over_http(app: App) -> None:
    number = verified(app)
    app.call("PUT", f"/_emulator/domains/{number}/dns", {"unpublished": ["dkim"]})
    app.post(f"/domains/{number}/verify")
    app.wait(1)

    assert domain(app, number)["status"] == "failed"


@pytest.mark.parametrize("path", ["", "/verify", "/dkim/rotate", "/dkim/rotate/activate", "/dmarc/stats", "/placement"])
@pytest.mark.parametrize("number", ["0", "99", "dom_x", "²", "9" * 5_000, "%2e%2e", "-1"])
def test_odd_ids_are_not_found(app: App, path: str, number: str) -> None:
    method = "POST" if "dkim" in path or "verify" in path else "GET"

    assert app.call(method, f"/domains/{number}{path}").error == (404, "not_found")


@pytest.mark.parametrize(
    ("days", "status"), [("7", 200), ("", 200), ("0", 200), ("9" * 17, 200), ("x", 400), ("-1", 400), ("1.5", 400)]
)
def test_days_are_a_whole_number(app: App, days: str, status: int) -> None:
    number = added(app)

    for path in ("dmarc/stats", "dmarc/sources", "placement"):
        assert app.get(f"/domains/{number}/{path}?days={days}").status == status


def test_domains_are_bounded(app: App) -> None:
    statuses = [app.post("/domains", {"name": f"d{number}.example"}).status for number in range(1_001)]

    assert statuses[-2:] == [201, 422]


def test_the_names_of_deleted_domains_are_bounded(app: App) -> None:
    for number in range(1_001):
        app.call("DELETE", f"/domains/{added(app, f'd{number}.example')}")

    assert len(app.emulator.store.removed_domains) == 1_000
    assert app.send(**{"from": "a@d0.example"}).status == 202
    assert app.send(**{"from": "a@d1.example"}).status == 422


def test_an_email_shows_what_is_tracked(app: App) -> None:
    app.call("PATCH", f"/domains/{verified(app)}", {"click_tracking": True})
    email_id = app.sent(**{"from": "a@shop.example", "tracking": {"opens": True}})

    assert app.get(f"/_emulator/emails/{email_id}").json["email"]["tracking"] == {"opens": True, "clicks": True}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    *("name", "region", "custom_return_path", "open_tracking", "click_tracking", "tracking_domain", "tls_mode"),
    *("catch_all", "inbound_enabled", "stream_preference", "bimi_logo_url", "permission", "mode", "domain_id"),
    *("allow_full_access", "unpublished", "readable", "ipAddressId"),
)
SENSIBLE = ("shop.example", "full_access", "sending_access", "test", "1", "enforced", "any", "https://a.example/", True)
CONTENT = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SENSIBLE) | JSON, max_size=6)
ROUTES = st.sampled_from(
    [
        *(("POST", f"/domains{rest}") for rest in ("", "/1/verify", "/1/ip", "/1/dkim/rotate")),
        *(("POST", f"/domains/1/dkim/rotate/activate{rest}") for rest in ("", "?force=true")),
        *(("GET", f"/domains{rest}") for rest in ("", "/1", "/1/dmarc/reports?perPage=x", "/1/placement?days=1e9")),
        *(("PATCH", "/domains/1"), ("DELETE", "/domains/1"), ("DELETE", "/domains/1/dkim/rotate")),
        *(("POST", "/api-keys"), ("POST", "/api-keys/1/rotate"), ("PATCH", "/api-keys/1"), ("GET", "/api-keys")),
        ("PUT", "/_emulator/domains/1/dns"),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(ROUTES, CONTENT, st.sampled_from([0, 1, 4_000, 700_000])), max_size=8))
def test_whatever_is_asked_is_answered_and_every_answer_fits_the_state(steps: list[Any]) -> None:
    app = App()
    added(app)
    for (method, path), content, seconds in steps:
        body = json.dumps(content).encode("utf-8", "surrogatepass")
        request = HttpRequest(method, "http://emulator" + path, {"Authorization": "Bearer sk_test_x"}, body)
        assert app.emulator.handle(request, app.now).status in {200, 201, 400, 403, 404, 405, 409, 422, 501, 503}
        app.wait(seconds)
        for found in app.get("/domains").json["domains"]:
            assert (found["status"] == "verified") == (found["verifiedAt"] is not None)
            purposes = [record["purpose"] for record in found["dnsRecords"]]
            assert purposes.count("dkim") == 1
            assert purposes.count("dkim_rotation") <= 1
    assert app.now >= START


@pytest.mark.parametrize("name", ["1.2.3.4", "shop.123", "255.255.255.255"])
def test_an_ip_address_is_no_domain(app: App, name: str) -> None:
    assert app.post("/domains", {"name": name}).error == (422, "unprocessable_entity")
    assert app.post("/domains", {"name": f"{name}.example"}).status == 201


@pytest.mark.parametrize("field", ["domains", "api_keys"])
def test_a_text_in_place_of_a_tuple_of_settings_is_refused(field: str) -> None:
    one: Any = {field: "example.com"}

    with pytest.raises(ValueError, match=rf"{field} is a tuple, also for a single one: {field}=\("):
        Settings(**one)


@pytest.mark.parametrize("sender", ["", "nonsense", "a@b@c", "a b@example.com"])
def test_the_sender_of_workflows_is_an_address(sender: str) -> None:
    with pytest.raises(ValueError, match="workflow_sender"):
        Settings(workflow_sender=sender)
