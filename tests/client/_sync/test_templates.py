# Written by tools/unasync.py from tests/client/_async/test_templates.py. Do not edit.
"""Stored templates."""

from __future__ import annotations

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio


def template_id(client: PostStack, name: str = "welcome") -> str:
    created = client.templates.create(
        {"name": name, "subject": "Welcome, {{name}}", "html": "<p>Hello {{name}}</p>", "text": "Hello {{name}}"}
    )
    return created["template"]["publicId"]


def test_a_published_template_makes_the_email(client: PostStack, emu: EmulatorSession) -> None:
    template = template_id(client)
    published = client.templates.publish(template)

    client.emails.send(
        {"from": "a@example.com", "to": ["b@example.com"], "template_id": template, "variables": {"name": "Ada"}}
    )

    assert published["template"]["published"]
    assert (emu.sent[0].subject, emu.sent[0].html) == ("Welcome, Ada", "<p>Hello Ada</p>")


def test_a_draft_is_refused(client: PostStack) -> None:
    template = template_id(client)
    client.templates.publish(template)
    assert not (client.templates.unpublish(template))["template"]["published"]

    with pytest.raises(PostStackError) as caught:
        client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "template_id": template})

    assert caught.value.status_code == 422


def test_a_template_is_changed_copied_and_removed(client: PostStack) -> None:
    template = template_id(client)

    changed = client.templates.update(template, {"subject": "Hello, {{name}}"})
    copied = client.templates.duplicate(template)
    client.templates.delete(template)

    assert changed["template"]["subject"] == "Hello, {{name}}"
    assert copied["template"]["publicId"] != template
    with pytest.raises(PostStackError) as caught:
        client.templates.get(template)
    assert caught.value.status_code == 404
    assert (client.templates.get(copied["template"]["publicId"]))["template"]["subject"] == "Hello, {{name}}"


def test_rendering_names_what_is_missing(client: PostStack) -> None:
    template = template_id(client)

    without = client.templates.render(template)
    filled = client.templates.render(template, {"name": "Ada"})

    assert without["missing_variables"] == ["name"]
    assert filled["html"] == "<p>Hello Ada</p>"
    assert filled["missing_variables"] == []


def test_templates_are_listed(client: PostStack) -> None:
    for number in range(3):
        template_id(client, f"number {number}")

    page = client.templates.list({"per_page": 2, "search": "number"})
    names = {template["name"] for template in client.templates.iterate({"per_page": 2})}

    assert page["meta"]["totalPages"] == 2
    assert names == {f"number {number}" for number in range(3)}


def test_a_preset_becomes_a_template(client: PostStack) -> None:
    presets = (client.templates.get_presets())["data"]

    used = client.templates.use_preset(presets[0]["id"])

    assert used["template"]["subject"] == presets[0]["subject"]
