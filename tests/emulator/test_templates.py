"""Stored templates, and sending with them."""

from __future__ import annotations

import pytest

from poststack.emulator.api import templates
from tests.emulator.app import App

GREETING = {"name": "Greeting", "subject": "Hi {{name}}", "html": "<p>{{ name }} {{order.id}}</p>", "text": "{{name}}"}


def created(app: App, **changes: object) -> str:
    reply = app.post("/templates", {**GREETING, **changes})
    assert reply.status == 201, reply.json
    template_id: str = reply.json["template"]["publicId"]
    return template_id


def test_a_new_template_is_a_draft_that_knows_its_variables(app: App) -> None:
    template = app.get(f"/templates/{created(app)}").json["template"]

    assert template["variables"] == ["name", "order.id"]
    assert (template["published"], template["version"]) == (False, 1)


def test_sending_fills_a_published_template_in(app: App) -> None:
    template_id = created(app)
    refused = app.send(template_id=template_id, subject=..., text=...)
    app.post(f"/templates/{template_id}/publish")
    email_id = app.sent(
        template_id=template_id, subject=..., text="Own {{name}}", variables={"name": "<Ada>", "order.id": "7"}
    )
    email = app.email(email_id)

    assert refused.json["error"] == "Template not published"
    assert (email["subject"], email["htmlBody"], email["textBody"]) == (
        "Hi <Ada>",
        "<p>&lt;Ada&gt; 7</p>",
        "Own <Ada>",
    )


def test_rendering_says_what_is_missing(app: App) -> None:
    template_id = created(app, text=None)

    assert app.post(f"/templates/{template_id}/render", {"variables": {"name": "Ada"}}).json == {
        "subject": "Hi Ada",
        "html": "<p>Ada </p>",
        "text": None,
        "missing_variables": ["order.id"],
        "template_variables": ["name", "order.id"],
    }
    assert app.post(f"/templates/{created(app)}/render").json["text"] == ""


def test_a_template_is_changed_and_removed(app: App) -> None:
    template_id = created(app)
    changed = app.call("PATCH", f"/templates/{template_id}", {"html": "{{x}}", "text": None, "name": "New"}).json
    visual = app.call(
        "PATCH",
        f"/templates/{template_id}",
        {"builder_type": "visual", "builder_blocks": {"blocks": []}, "variables": ["a"]},
    ).json["template"]
    stored = app.emulator.store.templates.all()[0]
    app.call("DELETE", f"/templates/{template_id}")

    assert changed["template"]["variables"] == ["name", "x"]
    assert (changed["template"]["name"], changed["template"]["version"]) == ("New", 2)
    assert (stored.builder_type, stored.builder_blocks, visual["variables"]) == ("visual", {"blocks": []}, ["a"])
    assert app.get(f"/templates/{template_id}").error == (404, "not_found")


def test_a_refused_change_changes_nothing(app: App) -> None:
    template_id = created(app)
    refused = app.call("PATCH", f"/templates/{template_id}", {"name": "New", "html": None})

    assert refused.status == 400
    assert app.get(f"/templates/{template_id}").json["template"]["name"] == "Greeting"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": ""}, 400),
        ({"subject": None}, 400),
        ({"html": None}, 400),
        ({"name": "x" * 999}, 422),
        ({"subject": "a\nb"}, 422),
        ({"html": "x" * (2**20 + 1)}, 422),
        ({"builder_type": "other"}, 422),
        ({"variables": "a"}, 400),
    ],
)
def test_a_bad_template_is_refused(app: App, changes: dict[str, object], status: int) -> None:
    assert app.post("/templates", {**GREETING, **changes}).status == status


def test_templates_are_listed_and_searched(app: App) -> None:
    first, second = created(app), created(app, name="Other")
    app.post(f"/templates/{first}/publish")
    app.post(f"/templates/{first}/unpublish")
    app.post(f"/templates/{second}/publish")

    def names(query: str) -> list[str]:
        return [template["name"] for template in app.get(f"/templates?{query}").json["data"]]

    assert names("") == ["Other", "Greeting"]
    assert names("search=OTH") == ["Other"]
    assert names("published=true") == ["Other"]
    assert names("published=false&per_page=1") == ["Greeting"]


def test_a_copy_and_a_preset_are_drafts_of_their_own(app: App) -> None:
    copy = app.post(f"/templates/{created(app)}/duplicate")
    presets = app.get("/templates/presets").json["data"]
    used = app.post("/templates/presets/welcome/use")

    assert (copy.status, copy.json["template"]["name"]) == (201, "Greeting (copy)")
    assert "welcome" in [preset["id"] for preset in presets]
    assert (used.status, used.json["template"]["variables"]) == (201, ["name"])
    assert app.post("/templates/presets/unknown/use").error == (404, "not_found")


def test_there_is_a_limit(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_MAX_TEMPLATES", 1)
    created(app)

    assert app.post("/templates", GREETING).status == 422
