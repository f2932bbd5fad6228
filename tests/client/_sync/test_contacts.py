# Written by tools/unasync.py from tests/client/_async/test_contacts.py. Do not edit.
"""People to write to."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession
from poststack.types.contacts import Contact

pytestmark = pytest.mark.anyio


def contact_with(client: PostStack, email: str = "ada@example.com", **fields: Any) -> Contact:
    content: Any = {"email": email, **fields}
    return (client.contacts.create(content))["contact"]


def test_a_contact_is_found_by_id_and_by_address(client: PostStack) -> None:
    created = contact_with(
        client, "Ada+news@Example.com", first_name="Ada", last_name="Lovelace", properties={"size": 42, "vip": True}
    )

    assert created["email"] == "Ada+news@Example.com"
    assert (created["firstName"], created["lastName"], created["unsubscribed"]) == ("Ada", "Lovelace", False)
    assert created["properties"] == {"size": 42, "vip": True}
    assert (created["engagementSegment"], created["lastEngagedAt"]) == ("active", None)
    assert (client.contacts.get(created["publicId"]))["contact"] == created
    assert (client.contacts.get_by_email("ada+NEWS@example.com"))["contact"] == created


def test_an_address_is_there_once_whatever_its_case(client: PostStack) -> None:
    contact_with(client, "ada@example.com")

    with pytest.raises(PostStackError) as caught:
        contact_with(client, "ADA@example.com")

    assert (caught.value.status_code, caught.value.error) == (409, "Contact already exists")


def test_a_change_leaves_what_it_does_not_name(client: PostStack, emu: EmulatorSession) -> None:
    created = contact_with(client, first_name="Ada", properties={"size": 42, "city": "London"})
    emu.clock.advance(60)

    changed = (
        client.contacts.update(created["publicId"], {"last_name": "King", "properties": {"city": None, "vip": True}})
    )["contact"]

    assert (changed["firstName"], changed["lastName"]) == ("Ada", "King")
    assert changed["properties"] == {"size": 42, "vip": True}
    assert changed["createdAt"] == created["createdAt"] < changed["updatedAt"]


def test_null_takes_names_and_all_properties_away(client: PostStack) -> None:
    created = contact_with(client, first_name="Ada", last_name="King", properties={"size": 42})
    nothing: Any = {"first_name": None, "last_name": None, "properties": None, "unsubscribed": None}

    changed = (client.contacts.update(created["publicId"], nothing))["contact"]

    assert (changed["firstName"], changed["lastName"], changed["properties"]) == (None, None, {})
    assert changed["unsubscribed"] is False


def test_a_change_to_what_is_there_already_is_none(client: PostStack, emu: EmulatorSession) -> None:
    created = contact_with(client, first_name="Ada")
    emu.clock.advance(60)

    assert (client.contacts.update(created["publicId"], {"first_name": "Ada"}))["contact"] == created


def test_unsubscribing_is_harmless_to_repeat_and_can_be_taken_back(client: PostStack) -> None:
    contact = (contact_with(client))["publicId"]

    for _ in range(2):
        assert (client.contacts.unsubscribe(contact))["contact"]["unsubscribed"]
    assert not (client.contacts.update(contact, {"unsubscribed": False}))["contact"]["unsubscribed"]


def test_a_deleted_contact_is_gone_and_its_address_free(client: PostStack) -> None:
    contact = (contact_with(client))["publicId"]
    client.contacts.delete(contact)

    for method in (client.contacts.get, client.contacts.delete, client.contacts.unsubscribe):
        with pytest.raises(PostStackError) as caught:
            method(contact)
        assert (caught.value.status_code, caught.value.error) == (404, "Contact not found")
    with pytest.raises(PostStackError) as caught:
        client.contacts.get_by_email("ada@example.com")
    assert caught.value.status_code == 404
    assert (contact_with(client))["publicId"] != contact


def test_the_newest_contacts_are_listed_first(client: PostStack) -> None:
    for number in range(5):
        contact_with(client, f"{number}@example.com")

    page = client.contacts.list({"per_page": 2, "page": 2})
    everybody = [contact["email"] for contact in client.contacts.iterate({"per_page": 2})]

    assert [contact["email"] for contact in page["data"]] == ["2@example.com", "1@example.com"]
    assert page["meta"] == {"page": 2, "perPage": 2, "total": 5, "totalPages": 3}
    assert everybody == [f"{number}@example.com" for number in range(4, -1, -1)]


def test_a_search_looks_at_addresses_and_names(client: PostStack) -> None:
    contact_with(client, "ada@example.com", first_name="Ada", last_name="Lovelace")
    contact_with(client, "grace@example.org", first_name="Grace")

    def found(text: str) -> list[str]:
        return [contact["email"] for contact in (client.contacts.list({"search": text}))["data"]]

    assert found("LOVE") == found("ada love") == ["ada@example.com"]
    assert found(".ORG") == ["grace@example.org"]
    assert found("nobody") == []


def test_lists_take_those_who_unsubscribed_or_the_others(client: PostStack) -> None:
    contact_with(client, "in@example.com")
    contact_with(client, "out@example.com", unsubscribed=True)

    out = client.contacts.list({"unsubscribed": "true"})
    rest = client.contacts.list({"unsubscribed": "false"})

    assert [contact["email"] for contact in out["data"]] == ["out@example.com"]
    assert [contact["email"] for contact in rest["data"]] == ["in@example.com"]


def test_an_export_has_a_column_for_each_property(client: PostStack) -> None:
    contact_with(client, "a@example.com", first_name='A "x", b', properties={"size": 4.5, "vip": False})
    contact_with(client, "b@example.com", unsubscribed=True, properties={"note": "=1+1\nsecond line"})

    rows = list(csv.DictReader((client.contacts.export_csv()).splitlines(keepends=True)))

    assert [(row["email"], row["first_name"], row["unsubscribed"]) for row in rows] == [
        ("a@example.com", 'A "x", b', "false"),
        ("b@example.com", "", "true"),
    ]
    assert [(row["note"], row["size"], row["vip"]) for row in rows] == [
        ("", "4.5", "false"),
        ("=1+1\nsecond line", "", ""),
    ]


def test_an_export_of_an_unknown_segment_is_refused(client: PostStack) -> None:
    with pytest.raises(PostStackError) as caught:
        client.contacts.export_csv(segment_id="seg_unknown")

    assert (caught.value.status_code, caught.value.error) == (404, "Segment not found")


def test_an_unknown_segment_is_no_filter(client: PostStack) -> None:
    contact_with(client)

    assert (client.contacts.list({"segment_id": "seg_unknown"}))["meta"]["total"] == 1


def test_an_import_skips_who_is_there_and_says_what_is_wrong(client: PostStack) -> None:
    contact_with(client, "ada@example.com", first_name="Ada")

    result = client.contacts.import_(
        {
            "contacts": [
                {"email": "ADA@example.com", "first_name": "Changed"},
                {"email": "grace@example.com", "last_name": "Hopper", "properties": {"city": "New York"}},
                {"email": "Grace@example.com"},
                {"email": "nobody", "properties": {}},
                {"email": "long@example.com", "properties": {"note": "x" * 4_097}},
            ]
        }
    )

    assert (result["imported"], result["skipped"]) == (1, 2)
    assert [error.split(": ")[0] for error in result["errors"]] == ["nobody", "long@example.com"]
    assert (client.contacts.get_by_email("ada@example.com"))["contact"]["firstName"] == "Ada"
    grace = (client.contacts.get_by_email("grace@example.com"))["contact"]
    assert (grace["lastName"], grace["properties"]) == ("Hopper", {"city": "New York"})


def test_an_import_reads_values_as_their_properties_are(client: PostStack) -> None:
    for name, kind in (("size", "number"), ("vip", "boolean"), ("born", "date")):
        definition: Any = {"name": name, "label": name, "type": kind}
        client.contact_properties.create(definition)

    result = client.contacts.import_(
        {
            "contacts": [
                {"email": "a@example.com", "properties": {"size": "-4.50", "vip": "True", "born": "2000-02-29"}},
                {"email": "b@example.com", "properties": {"size": "42"}},
                {"email": "c@example.com", "properties": {"size": "many"}},
                {"email": "d@example.com", "properties": {"size": "1_000"}},
                {"email": "e@example.com", "properties": {"size": "9" * 400}},
                {"email": "f@example.com", "properties": {"vip": "yes"}},
                {"email": "g@example.com", "properties": {"born": "2001-02-29"}},
            ]
        }
    )

    assert result["imported"] == 2
    assert [error.split(": ")[0] for error in result["errors"]] == [f"{letter}@example.com" for letter in "cdefg"]
    assert (client.contacts.get_by_email("a@example.com"))["contact"]["properties"] == {
        "size": -4.5,
        "vip": True,
        "born": "2000-02-29",
    }
    assert (client.contacts.get_by_email("b@example.com"))["contact"]["properties"] == {"size": 42}


def test_an_import_takes_ten_thousand_rows_and_lists_a_hundred_errors(client: PostStack) -> None:
    good = [{"email": "ada@example.com"}] * 9_850
    bad = [{"email": f"bad {number}"} for number in range(150)]
    rows: Any = good + bad

    result = client.contacts.import_({"contacts": rows})

    assert (result["imported"], result["skipped"], len(result["errors"])) == (1, 9_849, 100)
    for wrong in ([], [*rows, *rows[:1]]):
        with pytest.raises(PostStackError) as caught:
            client.contacts.import_({"contacts": wrong})
        assert caught.value.status_code == 422


def test_lists_and_exports_take_the_members_of_a_segment(client: PostStack, emu: EmulatorSession) -> None:
    inside = contact_with(client, "in@example.com")
    contact_with(client, "out@example.com")
    segment = (client.segments.create({"name": "Some"}))["segment"]["publicId"]
    client.segments.add_contacts(segment, {"contact_ids": [inside["publicId"]]})

    listed = client.contacts.list({"segment_id": segment})
    exported = (client.contacts.export_csv(segment_id=segment)).splitlines()
    client.contacts.delete(inside["publicId"])

    assert [contact["email"] for contact in listed["data"]] == ["in@example.com"]
    assert [row.split(",")[0] for row in exported] == ["email", "in@example.com"]
    assert (client.segments.members(segment))["data"] == []
