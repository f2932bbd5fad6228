"""The suppression list by hand."""

from __future__ import annotations

import pytest

from poststack.emulator.api import suppressions
from tests.emulator.app import App


def test_an_address_is_suppressed_until_it_is_removed(app: App) -> None:
    added = app.post("/suppressions", {"email": "a+b@example.com", "reason": "manual"})
    app.post("/suppressions", {"email": "A+B@example.com", "reason": "complaint"})
    listed = app.get("/suppressions").json
    refused = app.send(to=["a+b@example.com"])
    removed = app.call("DELETE", "/suppressions/A%2Bb%40example.com")

    assert added.json == removed.json == {"success": True}
    assert [(entry["email"], entry["reason"]) for entry in listed["data"]] == [("a+b@example.com", "manual")]
    assert listed["meta"]["total"] == 1
    assert refused.status == 422
    assert app.send(to=["a+b@example.com"]).status == 202
    assert app.call("DELETE", "/suppressions/a%2Bb%40example.com").error == (404, "not_found")


@pytest.mark.parametrize(
    ("content", "status"),
    [({"email": "a@example.com"}, 400), ({"email": "a", "reason": "manual"}, 422), ({"reason": "manual"}, 400),
     ({"email": "a@example.com", "reason": "because"}, 422)],
)  # fmt: skip
def test_an_entry_needs_an_address_and_a_reason(app: App, content: dict[str, str], status: int) -> None:
    assert app.post("/suppressions", content).status == status


def test_there_is_a_limit(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppressions, "_MAX_SUPPRESSIONS", 1)
    app.post("/suppressions", {"email": "a@example.com", "reason": "manual"})

    assert app.post("/suppressions", {"email": "b@example.com", "reason": "manual"}).status == 422
