"""`/contact-properties`: fields of contacts that a team defines for itself (`poststack-api` §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from poststack.emulator.api.answers import Reply, conflict, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_input import COLUMNS, MAX_NAME
from poststack.emulator.api.fields import boolean, one_line, required_text, short_text, texts
from poststack.emulator.api.routes import Route
from poststack.emulator.audience.properties import ContactProperty
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.types.contact_properties import ContactPropertyType

__all__ = ["ROUTES", "options_of"]

_TYPES: tuple[str, ...] = get_args(ContactPropertyType)
_MAX_PROPERTIES = 100
_MAX_LABEL = 200
_MAX_OPTIONS = 100
_MAX_OPTION = 200


def options_of(content: Mapping[str, Any], *, select: bool) -> list[str]:
    """Read `options`: at least one for a `select`, none for anything else; each once. Else 422."""
    options = texts(content, "options")
    if not select:
        if options:
            raise unprocessable("`options` are for the type select only.")
        return []
    if not options:
        raise unprocessable("`options` must name at least one option for the type select.")
    if len(options) > _MAX_OPTIONS or not all(0 < len(option) <= _MAX_OPTION for option in options):
        raise unprocessable(f"`options` holds at most {_MAX_OPTIONS} options of 1 to {_MAX_OPTION} characters.")
    if len(set(options)) < len(options):
        raise unprocessable("`options` holds an option twice.")
    return [one_line(option, "options") for option in options]


def _find(backend: Backend, arguments: Mapping[str, str]) -> ContactProperty:
    text = arguments["id"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
    found = backend.store.contact_properties.get(number)
    if found is None:
        raise not_found("Contact property", text)
    return found


def _json(entry: ContactProperty) -> dict[str, Any]:
    return {
        "id": entry.number,
        "name": entry.name,
        "label": entry.label,
        "type": entry.type,
        "options": list(entry.options) if entry.type == "select" else None,
        "required": entry.required,
        "createdAt": iso(entry.created_at),
    }


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"properties": [_json(entry) for entry in backend.store.contact_properties.all()]})


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    name = short_text(required_text(content, "name"), "name", MAX_NAME)
    label = short_text(required_text(content, "label"), "label", _MAX_LABEL)
    kind, required = required_text(content, "type"), boolean(content, "required") or False
    if name in COLUMNS:
        raise unprocessable(f"`name` must not be one of {', '.join(COLUMNS)}, which every contact has.")
    if kind not in _TYPES:
        raise unprocessable(f"`type` must be one of {', '.join(_TYPES)}.")
    options = options_of(content, select=kind == "select")
    if backend.store.contact_properties.find("name", name) is not None:
        raise conflict("Contact property already exists")
    if len(backend.store.contact_properties) >= _MAX_PROPERTIES:
        raise unprocessable(f"The emulator keeps at most {_MAX_PROPERTIES} contact properties.")
    entry = ContactProperty(
        number=backend.store.next_number("contact_property"),
        name=name,
        label=label,
        type=cast("ContactPropertyType", kind),
        created_at=call.now,
        options=options,
        required=required,
    )
    backend.store.contact_properties.save(entry)
    return Reply(201, {"property": _json(entry)})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    entry, content = _find(backend, arguments), call.json()
    label = short_text(required_text(content, "label"), "label", _MAX_LABEL) if "label" in content else entry.label
    options = options_of(content, select=entry.type == "select") if "options" in content else entry.options
    required = boolean(content, "required")
    entry.label, entry.options = label, options
    entry.required = entry.required if required is None else required
    backend.store.contact_properties.save(entry)
    return Reply(200, {"property": _json(entry)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    entry = _find(backend, arguments)
    backend.contacts.remove_property(entry.name)
    backend.store.contact_properties.remove(entry)
    return Reply(200, {"success": True})


def _option_usage(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    entry = _find(backend, arguments)
    usage = dict.fromkeys(entry.options, 0)
    for contact in backend.store.contacts.all():
        value = contact.properties.get(entry.name)
        if isinstance(value, str) and value in usage:
            usage[value] += 1
    return Reply(200, {"usage": usage})


ROUTES = (
    Route("GET", "/contact-properties", _list),
    Route("POST", "/contact-properties", _create),
    Route("PATCH", "/contact-properties/{id}", _update),
    Route("DELETE", "/contact-properties/{id}", _delete),
    Route("GET", "/contact-properties/{id}/option-usage", _option_usage),
)
