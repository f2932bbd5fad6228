"""`/contacts/import`: many contacts at a time (`poststack-api` §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from poststack.emulator.api.answers import RefusalError, Reply, invalid, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_input import (
    check_property,
    contact_address,
    merged_properties,
    person_names,
    require_room,
    without_missing,
)
from poststack.emulator.api.fields import optional_text, texts_by_name
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend

__all__ = ["ROUTES"]

_MAX_ROWS = 10_000
_MAX_ERRORS = 100


def _import(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    rows = _rows(call.json())
    imported, skipped, errors = 0, 0, list[str]()
    for row in rows:
        try:
            if _add(backend, row, call.now):
                imported += 1
            else:
                skipped += 1
        except RefusalError as refusal:
            if len(errors) < _MAX_ERRORS:
                errors.append(f"{row['email']}: {refusal.error}")
    return Reply(200, {"imported": imported, "skipped": skipped, "errors": errors})


def _rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: object = content.get("contacts")
    if not isinstance(rows, list):
        raise invalid("`contacts` must be an array.")
    found = cast("list[object]", rows)
    if not 1 <= len(found) <= _MAX_ROWS:
        raise unprocessable(f"`contacts` must hold 1 to {_MAX_ROWS:,} rows.")
    return [_row(row, f"contacts[{index}]") for index, row in enumerate(found)]


def _row(row: object, place: str) -> dict[str, Any]:
    """Return the row if each of its fields has the right type, so that whoever reads it need not look again."""
    if not isinstance(row, dict):
        raise invalid(f"`{place}` must be an object.")
    content = cast("dict[str, Any]", row)
    try:
        if optional_text(content, "email") is None:
            raise invalid("`email` is required.")
        optional_text(content, "first_name")
        optional_text(content, "last_name")
        texts_by_name(content, "properties")
    except RefusalError as refusal:
        raise invalid(f"`{place}`: {refusal.error}") from refusal
    return content


def _add(backend: Backend, row: Mapping[str, Any], now: float) -> bool:
    """Add the contact of a row unless its address is there; return whether it was added."""
    address, names = contact_address(row), person_names(row)
    if backend.contacts.find(address) is not None:
        return False
    properties: dict[str, Any] = {}
    for name, text in texts_by_name(row, "properties").items():
        defined = backend.store.contact_properties.find("name", name)
        value = text if defined is None else defined.read(text)
        if defined is not None and value is None:
            raise unprocessable(f"`properties.{name}` must be {defined.expected}.")
        check_property(backend, name, value)
        properties[name] = value
    properties = merged_properties({}, properties)
    without_missing(backend, properties)
    require_room(backend)
    backend.contacts.add(
        address, now, first_name=names.get("first_name"), last_name=names.get("last_name"), properties=properties
    )
    return True


ROUTES = (Route("POST", "/contacts/import", _import),)
