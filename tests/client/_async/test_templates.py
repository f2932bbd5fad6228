"""Stored templates."""

from __future__ import annotations

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio


async def template_id(client: AsyncPostStack, name: str = "welcome") -> str:
    created = await client.templates.create(
        {"name": name, "subject": "Welcome, {{name}}", "html": "<p>Hello {{name}}</p>", "text": "Hello {{name}}"}
    )
    return created["template"]["publicId"]


async def test_a_published_template_makes_the_email(client: AsyncPostStack, emu: EmulatorSession) -> None:
    template = await template_id(client)
    published = await client.templates.publish(template)

    await client.emails.send(
        {"from": "a@example.com", "to": ["b@example.com"], "template_id": template, "variables": {"name": "Ada"}}
    )

    assert published["template"]["published"]
    assert (emu.sent[0].subject, emu.sent[0].html) == ("Welcome, Ada", "<p>Hello Ada</p>")


async def test_a_draft_is_refused(client: AsyncPostStack) -> None:
    template = await template_id(client)
    await client.templates.publish(template)
    assert not (await client.templates.unpublish(template))["template"]["published"]

    with pytest.raises(PostStackError) as caught:
        await client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "template_id": template})

    assert caught.value.status_code == 422


async def test_a_template_is_changed_copied_and_removed(client: AsyncPostStack) -> None:
    template = await template_id(client)

    changed = await client.templates.update(template, {"subject": "Hello, {{name}}"})
    copied = await client.templates.duplicate(template)
    await client.templates.delete(template)

    assert changed["template"]["subject"] == "Hello, {{name}}"
    assert copied["template"]["publicId"] != template
    with pytest.raises(PostStackError) as caught:
        await client.templates.get(template)
    assert caught.value.status_code == 404
    assert (await client.templates.get(copied["template"]["publicId"]))["template"]["subject"] == "Hello, {{name}}"


async def test_rendering_names_what_is_missing(client: AsyncPostStack) -> None:
    template = await template_id(client)

    without = await client.templates.render(template)
    filled = await client.templates.render(template, {"name": "Ada"})

    assert without["missing_variables"] == ["name"]
    assert filled["html"] == "<p>Hello Ada</p>"
    assert filled["missing_variables"] == []


async def test_templates_are_listed(client: AsyncPostStack) -> None:
    for number in range(3):
        await template_id(client, f"number {number}")

    page = await client.templates.list({"per_page": 2, "search": "number"})
    names = {template["name"] async for template in client.templates.iterate({"per_page": 2})}

    assert page["meta"]["totalPages"] == 2
    assert names == {f"number {number}" for number in range(3)}


async def test_a_preset_becomes_a_template(client: AsyncPostStack) -> None:
    presets = (await client.templates.get_presets())["data"]

    used = await client.templates.use_preset(presets[0]["id"])

    assert used["template"]["subject"] == presets[0]["subject"]
