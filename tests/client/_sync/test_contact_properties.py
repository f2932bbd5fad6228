# Written by tools/unasync.py from tests/client/_async/test_contact_properties.py. Do not edit.
"""Fields of contacts that a team defines for itself."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.types.contact_properties import ContactProperty

pytestmark = pytest.mark.anyio


def defined(client: PostStack, name: str = "size", kind: str = "text", **fields: Any) -> ContactProperty:
    content: Any = {"name": name, "label": name.title(), "type": kind, **fields}
    return (client.contact_properties.create(content))["property"]


def test_properties_are_listed_in_the_order_of_their_making(client: PostStack) -> None:
    size = defined(client, "size", "select", options=["S", "L"], required=True)
    city = defined(client, "city")

    assert (client.contact_properties.list())["properties"] == [size, city]
    assert (size["label"], size["type"], size.get("options"), size["required"]) == ("Size", "select", ["S", "L"], True)
    assert (city.get("options"), city["required"]) == (None, False)


def test_a_name_is_there_once(client: PostStack) -> None:
    defined(client, "size")

    with pytest.raises(PostStackError) as caught:
        defined(client, "size", "number")

    assert (caught.value.status_code, caught.value.error) == (409, "Contact property already exists")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"type": "string"}, 422),
        ({"name": "email"}, 422),
        ({"name": "x" * 101}, 422),
        ({"label": ""}, 400),
        ({"type": "select"}, 422),
        ({"type": "select", "options": []}, 422),
        ({"type": "select", "options": ["a", "a"]}, 422),
        ({"type": "select", "options": [""]}, 422),
        ({"type": "select", "options": [str(number) for number in range(101)]}, 422),
        ({"type": "select", "options": "a"}, 400),
        ({"type": "number", "options": ["1"]}, 422),
        ({"required": "yes"}, 400),
    ],
)
def test_definitions_that_make_no_sense_are_refused(client: PostStack, fields: dict[str, Any], status: int) -> None:
    content: Any = {"name": "size", "label": "Size", "type": "text", **fields}

    with pytest.raises(PostStackError) as caught:
        client.contact_properties.create(content)

    assert caught.value.status_code == status
    assert (client.contact_properties.list())["properties"] == []


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("text", ["", "x" * 4_096], [7, True, "x" * 4_097, ["a"]]),
        ("number", [0, -4.5, 10**15], ["42", True, 10**15 + 1, {"a": 1}]),
        ("boolean", [True, False], ["true", 1]),
        ("date", ["2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+02:00"], ["soon", "2026-02-30", 20260102]),
        ("select", ["S", "L"], ["M", "s", 7]),
    ],
)
def test_values_are_held_to_the_type(client: PostStack, kind: str, right: list[Any], wrong: list[Any]) -> None:
    options: dict[str, Any] = {"options": ["S", "L"]} if kind == "select" else {}
    defined(client, "size", kind, **options)
    contact = (client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]

    for value in right:
        changed = client.contacts.update(contact, {"properties": {"size": value}})
        assert changed["contact"]["properties"] == {"size": value}
    for value in wrong:
        with pytest.raises(PostStackError) as created:
            client.contacts.create({"email": "grace@example.com", "properties": {"size": value}})
        with pytest.raises(PostStackError) as updated:
            client.contacts.update(contact, {"properties": {"size": value}})
        assert created.value.status_code == updated.value.status_code == 422
        assert "`properties.size`" in created.value.error
    assert (client.contacts.get(contact))["contact"]["properties"] == {"size": right[-1]}


@pytest.mark.parametrize("value", [["a"], {"a": 1}, "x" * 4_097, 10**16])
def test_names_that_are_not_defined_take_texts_numbers_and_booleans(client: PostStack, value: Any) -> None:
    with pytest.raises(PostStackError) as caught:
        client.contacts.create({"email": "ada@example.com", "properties": {"other": value}})

    assert caught.value.status_code == 422
    assert (client.contacts.list())["meta"]["total"] == 0


@pytest.mark.parametrize("name", ["email", "created_at", "", "x" * 101])
def test_names_of_fields_are_no_names_of_properties(client: PostStack, name: str) -> None:
    with pytest.raises(PostStackError) as caught:
        client.contacts.create({"email": "ada@example.com", "properties": {name: "x"}})

    assert caught.value.status_code == 422


def test_a_contact_does_not_hold_endless_properties(client: PostStack) -> None:
    contact = (client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    for number in range(3):
        client.contacts.update(contact, {"properties": {f"note {number}": "x" * 4_096}})

    with pytest.raises(PostStackError) as caught:
        client.contacts.update(contact, {"properties": {"note 3": "x" * 4_096}})

    assert caught.value.status_code == 422


def test_a_required_property_cannot_be_left_out_or_taken_away(client: PostStack) -> None:
    old = (client.contacts.create({"email": "old@example.com"}))["contact"]["publicId"]
    defined(client, "size", "number", required=True)
    complete = client.contacts.create({"email": "ada@example.com", "properties": {"size": 42}})
    contact = complete["contact"]["publicId"]

    imported = client.contacts.import_({"contacts": [{"email": "grace@example.com"}]})
    with pytest.raises(PostStackError) as created:
        client.contacts.create({"email": "grace@example.com"})
    with pytest.raises(PostStackError) as cleared:
        client.contacts.update(contact, {"properties": {"size": None}})
    renamed = client.contacts.update(old, {"first_name": "Old", "properties": {"city": "Rome"}})

    assert imported["errors"] == ["grace@example.com: `properties.size` is required."]
    assert created.value.status_code == cleared.value.status_code == 422
    assert renamed["contact"]["properties"] == {"city": "Rome"}


def test_a_change_leaves_name_and_type(client: PostStack) -> None:
    size = defined(client, "size", "select", options=["S"])

    changed = (
        client.contact_properties.update(size["id"], {"label": "Shoe size", "options": ["S", "M"], "required": True})
    )["property"]

    assert changed == {**size, "label": "Shoe size", "options": ["S", "M"], "required": True}
    for options in (list[str](), ["a", "a"]):
        with pytest.raises(PostStackError) as caught:
            client.contact_properties.update(size["id"], {"options": options})
        assert caught.value.status_code == 422
    assert (client.contact_properties.list())["properties"] == [changed]


def test_usage_counts_the_contacts_of_each_option(client: PostStack) -> None:
    size = defined(client, "size", "select", options=["S", "M", "L"])
    for number, value in enumerate(["S", "L", "L"]):
        client.contacts.create({"email": f"{number}@example.com", "properties": {"size": value}})
    client.contacts.create({"email": "none@example.com"})

    before = client.contact_properties.option_usage(size["id"])
    client.contact_properties.update(size["id"], {"options": ["S", "M"]})
    after = client.contact_properties.option_usage(size["id"])

    assert before["usage"] == {"S": 1, "M": 0, "L": 2}
    assert after["usage"] == {"S": 1, "M": 0}
    assert (client.contacts.get_by_email("1@example.com"))["contact"]["properties"] == {"size": "L"}
    assert (client.contact_properties.option_usage((defined(client, "city"))["id"]))["usage"] == {}


def test_a_deleted_property_takes_its_values_along(client: PostStack) -> None:
    size = defined(client, "size", "number")
    created = client.contacts.create({"email": "ada@example.com", "properties": {"size": 42, "city": "Rome"}})

    client.contact_properties.delete(size["id"])

    contact = (client.contacts.get(created["contact"]["publicId"]))["contact"]
    assert contact["properties"] == {"city": "Rome"}
    assert (client.contact_properties.list())["properties"] == []
    assert "size" not in (client.contacts.export_csv())
    with pytest.raises(PostStackError) as caught:
        client.contact_properties.delete(size["id"])
    assert caught.value.status_code == 404


def test_an_export_begins_with_the_defined_properties(client: PostStack) -> None:
    defined(client, "size", "number")
    client.contacts.create({"email": "ada@example.com", "properties": {"city": "Rome"}})

    header = (client.contacts.export_csv()).splitlines()[0]

    assert header == "email,first_name,last_name,unsubscribed,created_at,size,city"
