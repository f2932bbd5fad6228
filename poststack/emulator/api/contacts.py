"""`/contacts`: people to write to (`poststack-api` §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from poststack.emulator.api.answers import Reply, conflict, not_found
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_input import (
    contact_address,
    find_contact,
    merged_properties,
    person_names,
    properties_of,
    require_room,
    without_missing,
)
from poststack.emulator.api.contact_wire import contact_json, contacts_csv
from poststack.emulator.api.fields import boolean, query_choice
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.audience import membership
from poststack.emulator.audience.engagement import engagement
from poststack.emulator.audience.records import Contact
from poststack.emulator.backend import Backend
from poststack.types.contacts import Engagement

__all__ = ["ROUTES"]


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    address, names, unsubscribed = contact_address(content), person_names(content), boolean(content, "unsubscribed")
    properties = merged_properties({}, properties_of(backend, content))
    if backend.contacts.find(address) is not None:
        raise conflict("Contact already exists")
    without_missing(backend, properties)
    require_room(backend)
    contact = backend.contacts.add(
        address, call.now, **names, unsubscribed=unsubscribed or False, properties=properties
    )
    return Reply(201, {"contact": contact_json(contact, call.now)})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment = backend.store.segments.find("id", call.query.get("segment_id", ""))
    chosen = query_choice(call.query, "engagement_segment", get_args(Engagement))
    search, unsubscribed = call.query.get("search", "").casefold(), call.flag("unsubscribed")
    contacts = backend.store.contacts.newest()
    if segment is not None:
        members = {contact.number for contact in membership.members(backend.store, segment, call.now)}
        contacts = [contact for contact in contacts if contact.number in members]
    found = [
        contact
        for contact in contacts
        if (not search or search in _searched(contact))
        and (not chosen or engagement(contact, call.now) == chosen)
        and unsubscribed in {None, contact.unsubscribed}
    ]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [contact_json(entry, call.now) for entry in page.items], "meta": page_json(page)})


def _searched(contact: Contact) -> str:
    return f"{contact.email}\n{contact.first_name or ''} {contact.last_name or ''}".casefold()


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"contact": contact_json(find_contact(backend, arguments["id"]), call.now)})


def _get_by_email(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact = backend.contacts.find(arguments["email"])
    if contact is None:
        raise not_found("Contact")
    return Reply(200, {"contact": contact_json(contact, call.now)})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact, content = find_contact(backend, arguments["id"]), call.json()
    changes: dict[str, Any] = dict(person_names(content))
    if (unsubscribed := boolean(content, "unsubscribed")) is not None:
        changes["unsubscribed"] = unsubscribed
    if "properties" in content:
        given = properties_of(backend, content)
        merged = {} if content["properties"] is None else merged_properties(contact.properties, given)
        without_missing(backend, merged, removed=contact.properties)
        changes["properties"] = merged
    backend.contacts.change(contact, call.now, changes)
    return Reply(200, {"contact": contact_json(contact, call.now)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.contacts.remove(find_contact(backend, arguments["id"]), call.now)
    return Reply(200, {"success": True})


def _unsubscribe(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact = find_contact(backend, arguments["id"])
    backend.contacts.change(contact, call.now, {"unsubscribed": True})
    return Reply(200, {"contact": contact_json(contact, call.now)})


def _export(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contacts = backend.store.contacts.all()
    if "segment_id" in call.query:
        segment = backend.store.segments.find("id", call.query["segment_id"])
        if segment is None:
            raise not_found("Segment", call.query["segment_id"])
        contacts = membership.members(backend.store, segment, call.now)
    defined = [entry.name for entry in backend.store.contact_properties.all()]
    return Reply(200, contacts_csv(contacts, defined).encode(), {"Content-Type": "text/csv; charset=utf-8"})


ROUTES = (
    Route("POST", "/contacts", _create),
    Route("GET", "/contacts", _list),
    Route("GET", "/contacts/export", _export),
    Route("GET", "/contacts/by-email/{email}", _get_by_email),
    Route("GET", "/contacts/{id}", _get),
    Route("PATCH", "/contacts/{id}", _update),
    Route("DELETE", "/contacts/{id}", _delete),
    Route("POST", "/contacts/{id}/unsubscribe", _unsubscribe),
)
