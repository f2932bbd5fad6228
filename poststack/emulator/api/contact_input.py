"""What requests say about contacts: their address, their names, their properties."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import not_found, unprocessable
from poststack.emulator.api.fields import object_of, optional_text, required_text, short_text
from poststack.emulator.audience.contacts import MAX_CONTACTS
from poststack.emulator.audience.properties import MAX_NUMBER, MAX_TEXT
from poststack.emulator.audience.records import Contact
from poststack.emulator.backend import Backend

__all__ = [
    "COLUMNS",
    "MAX_NAME",
    "check_property",
    "contact_address",
    "find_contact",
    "merged_properties",
    "person_names",
    "properties_of",
    "require_room",
    "without_missing",
]

COLUMNS = ("email", "first_name", "last_name", "unsubscribed", "created_at")
"""What an export says of every contact; no property can have such a name."""

MAX_NAME = 100
"""The longest name of a property, in characters."""

_MAX_ADDRESS = 254
_MAX_PERSON_NAME = 255
_MAX_PROPERTIES_SIZE = 16 * 1024


def find_contact(backend: Backend, contact_id: str) -> Contact:
    """Return the contact with this `con_…` id, or raise a 404."""
    contact = backend.store.contacts.find("id", contact_id)
    if contact is None:
        raise not_found("Contact", contact_id)
    return contact


def require_room(backend: Backend) -> None:
    """Raise a 422 when no contact can be added."""
    if backend.contacts.full:
        raise unprocessable(f"The emulator keeps at most {MAX_CONTACTS:,} contacts.")


def contact_address(content: Mapping[str, Any]) -> str:
    """Read `email`: an address without a name. Raises a 400 when it is missing, a 422 when it is none."""
    text = required_text(content, "email").strip()
    address = parse_address(text, "email").address
    if address != text or len(address) > _MAX_ADDRESS:
        raise unprocessable(f"`email` must be an address of at most {_MAX_ADDRESS} characters, without a name.")
    return address


def person_names(content: Mapping[str, Any]) -> dict[str, str | None]:
    """Read `first_name` and `last_name`, those that are given; null is no name."""
    names: dict[str, str | None] = {}
    for name in ("first_name", "last_name"):
        if name in content:
            value = optional_text(content, name)
            names[name] = None if value is None else short_text(value, name, _MAX_PERSON_NAME)
    return names


def properties_of(backend: Backend, content: Mapping[str, Any]) -> dict[str, Any]:
    """Read `properties`, each held to its definition; a null is a property that is to have no value.

    Raises a 422 for a value that does not fit.
    """
    found = object_of(content, "properties")
    for name, value in found.items():
        check_property(backend, name, value)
    return found


def check_property(backend: Backend, name: str, value: object) -> None:
    """Raise a 422 for a value that the property of this name does not take.

    A name that no property has takes any text, number or boolean.
    """
    if not 0 < len(name) <= MAX_NAME or name in COLUMNS:
        raise unprocessable(
            f"A name in `properties` has 1 to {MAX_NAME} characters and is none of {', '.join(COLUMNS)}."
        )
    if value is None:
        return
    defined = backend.store.contact_properties.find("name", name)
    if defined is not None and not defined.takes(value):
        raise unprocessable(f"`properties.{name}` must be {defined.expected}.")
    if defined is None and not _is_plain(value):
        raise unprocessable(f"`properties.{name}` must be a text, a number, true or false.")


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    return isinstance(value, (bool, int, float)) and abs(value) <= MAX_NUMBER


def merged_properties(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties after a change: what is null is gone, what is not named stays. Raises a 422 for too much."""
    merged = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if len(json.dumps(merged)) > _MAX_PROPERTIES_SIZE:
        raise unprocessable(f"The properties of a contact take at most {_MAX_PROPERTIES_SIZE:,} bytes.")
    return merged


def without_missing(backend: Backend, properties: Mapping[str, Any], removed: Mapping[str, Any] | None = None) -> None:
    """Raise a 422 when a required property has no value; with `removed` only for those that are named there."""
    for entry in backend.store.contact_properties.all():
        if entry.required and entry.name not in properties and (removed is None or entry.name in removed):
            raise unprocessable(f"`properties.{entry.name}` is required.")
