"""API keys on the wire, in the data file, and where they must not be seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.settings import Settings
from tests.emulator.app import App

SENDING = {"name": "worker", "permission": "sending_access", "mode": "test"}


def made(app: App, **changes: object) -> dict[str, Any]:
    reply = app.post("/api-keys", {**SENDING, **changes})
    assert reply.status == 201, reply.json
    key: dict[str, Any] = reply.json
    return key


def with_key(app: App, key: str, method: str, path: str, content: object = None) -> int:
    return app.call(method, path, content, Authorization=f"Bearer {key}").status


def test_a_key_is_renamed(app: App) -> None:
    key = made(app)

    renamed = app.call("PATCH", f"/api-keys/{key['id']}", {"name": "other"})
    unchanged = app.call("PATCH", f"/api-keys/{key['id']}", {})

    assert (renamed.status, renamed.json["name"], unchanged.json) == (200, "other", renamed.json)
    assert app.call("PATCH", f"/api-keys/{key['id']}", {"name": 7}).error == (400, "invalid_request")
    assert app.call("PATCH", "/api-keys/99", {"name": "x"}).error == (404, "not_found")


def test_a_key_for_a_domain_renames_no_key_beyond_it(app: App) -> None:
    domain = app.post("/domains", {"name": "shop.example"}).json["domain"]["publicId"]
    admin = made(app, permission="full_access", allow_full_access=True, domain_id=domain)["key"]
    beyond, beside = made(app)["id"], made(app, domain_id=domain)["id"]

    assert with_key(app, admin, "PATCH", f"/api-keys/{beyond}", {"name": "x"}) == 403
    assert with_key(app, admin, "PATCH", f"/api-keys/{beside}", {"name": "x"}) == 200
    assert app.get(f"/api-keys/{beyond}").json["name"] == "worker"


def test_the_file_and_the_memory_know_keys_by_their_hash_alone(tmp_path: Path) -> None:
    app = App(journal=SqliteJournal(tmp_path / "data"))
    key = made(app)
    rotated = app.post(f"/api-keys/{key['id']}/rotate").json["key"]
    shown = repr(app.emulator.store.api_keys.all()) + repr(app.get("/api-keys").json)
    app.emulator.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    again = App(journal=SqliteJournal(tmp_path / "data"))

    assert [with_key(again, secret, "GET", "/emails/em_x") for secret in (key["key"], rotated)] == [401, 404]
    for secret in (key["key"], rotated):
        assert secret.encode()[-20:] not in written
        assert secret[-20:] not in shown
    again.emulator.close()


def test_a_key_that_was_forgotten_is_no_key_of_somebodys_own(app: App) -> None:
    key = made(app)["key"]
    app.post("/_emulator/reset")

    reply = app.call("GET", "/emails", Authorization=f"Bearer {key}")

    assert reply.error == (401, "unauthorized")
    assert "revoked or replaced" in reply.json["error"]
    assert key not in reply.json["error"]
    made(app)
    assert with_key(app, key, "GET", "/emails") == 401


@pytest.mark.parametrize(
    ("part", "other"), [(r".$", ""), (r"$", "a"), (r".$", "é"), ("sk_test", "sk_live"), ("^sk", "SK"), ("_k1_", "_k2_")]
)
def test_a_key_that_is_almost_right_is_wrong(part: str, other: str) -> None:
    app = App(Settings(api_keys=("sk_test_app",)))
    key = made(app)["key"]

    assert with_key(app, key, "GET", "/emails/em_x") == 404
    assert with_key(app, re.sub(part, other, key), "GET", "/emails/em_x") == 401


def test_the_limiter_counts_each_key_by_itself() -> None:
    app = App(Settings(rate_limit=1))
    first = made(app)["key"]
    app.now += 1
    second = made(app)["key"]

    statuses = [with_key(app, key, "GET", "/emails/em_x") for key in (first, second, first)]

    assert statuses == [404, 404, 429]


def test_a_refused_key_does_not_learn_what_exists(app: App) -> None:
    key = made(app)["key"]

    assert with_key(app, key, "DELETE", f"/emails/{app.sent()}") == 405
    assert with_key(app, key, "POST", f"/emails/{app.sent()}/cancel") == 403
    assert with_key(app, key, "POST", "/emails/em_unknown/cancel") == 403
    assert with_key(app, key, "GET", "/webhooks/1") == 403


@pytest.mark.parametrize("number", ["0", "-1", "1e3", "9" * 30, "²", "%00", "a/../1"])
def test_odd_ids_are_not_found(app: App, number: str) -> None:
    made(app)

    assert app.get(f"/api-keys/{number}").status == 404


def test_keys_are_bounded(app: App) -> None:
    statuses = [app.post("/api-keys", SENDING).status for _ in range(1_001)]

    assert statuses[-2:] == [201, 422]


def test_a_use_is_noted_once_a_second(app: App) -> None:
    key = made(app)
    before = app.emulator.store.revision
    for _ in range(5):
        with_key(app, key["key"], "GET", "/emails/em_x")
    once = app.emulator.store.revision
    app.now += 1
    with_key(app, key["key"], "GET", "/emails/em_x")

    assert (once - before, app.emulator.store.revision - once) == (1, 1)
