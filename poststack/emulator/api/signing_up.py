"""What somebody filled into a signup form, and what becomes of it (`poststack-api` §4.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import conflict, unprocessable
from poststack.emulator.api.contact_input import (
    check_property,
    contact_address,
    merged_properties,
    person_names,
    require_room,
    without_missing,
)
from poststack.emulator.api.subscription_topics import require_room_for_choice
from poststack.emulator.audience import membership
from poststack.emulator.audience.properties import MAX_TEXT
from poststack.emulator.audience.signup_forms import SignupForm
from poststack.emulator.backend import Backend

__all__ = ["submit"]

_THANKS = "Thank you for signing up."


def submit(backend: Backend, form: SignupForm, content: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a contact of what was filled in, or bring the one with this address up to date, and return the answer.

    Raises a 409 for a form that is closed, a 422 for what a field or a contact property does not take.
    """
    if not form.active:
        raise conflict("The signup form is not active.")
    # A form sends an empty text for what was left empty.
    given = {name: value for name, value in content.items() if value is not None and value != ""}
    address, names = contact_address(given), person_names(given)
    for field in form.fields:
        _check(field, given.get(field["name"]))
    properties = {
        entry.name: given[entry.name] for entry in backend.store.contact_properties.all() if entry.name in given
    }
    for name, value in properties.items():
        check_property(backend, name, value)

    contact = backend.contacts.find(address)
    merged = merged_properties({} if contact is None else contact.properties, properties)
    if contact is None:
        without_missing(backend, merged)
        require_room(backend)
    topic, segment = backend.store.topics.get(form.topic or 0), backend.store.segments.get(form.segment or 0)
    if topic is not None:
        require_room_for_choice(backend, contact, topic)

    if contact is None:
        contact = backend.contacts.add(
            address, now, first_name=names.get("first_name"), last_name=names.get("last_name"), properties=merged
        )
    else:
        # Who unsubscribed from everything stays so: anybody can fill in a form for somebody else.
        backend.contacts.change(contact, now, {**names, "properties": merged})
    if segment is not None and segment.rules is None:
        membership.add(backend.store, segment, [contact], now)
    if topic is not None:
        backend.contacts.choose(contact, topic, True, now)
    form.submissions += 1
    backend.store.signup_forms.save(form)
    answer = {"success": True, "message": form.success_message or _THANKS}
    return answer if form.redirect_url is None else {**answer, "redirect_url": form.redirect_url}


def _check(field: Mapping[str, Any], value: object) -> None:
    """Raise a 422 for a value that a field of the form does not take, whatever a property of its name takes."""
    name, kind = field["name"], field["type"]
    if value is None or (kind == "checkbox" and value is False):
        if field["required"]:
            raise unprocessable(f"`{name}` is required.")
        return
    if kind == "checkbox":
        if value is not True:
            raise unprocessable(f"`{name}` must be true or false.")
    elif kind == "select":
        if value not in field["options"]:
            raise unprocessable(f"`{name}` must be one of the options of the form.")
    elif kind == "email":
        if not isinstance(value, str):
            raise unprocessable(f"`{name}` must be an address.")
        parse_address(value, name)
    elif isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise unprocessable(f"`{name}` must be a text of at most {MAX_TEXT:,} characters.")
