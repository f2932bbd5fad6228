"""`/segments`: groups of contacts, filled by hand or by rules (`poststack-api` §4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from poststack.emulator.api.answers import Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_wire import contact_json
from poststack.emulator.api.fields import one_line, required_text, texts
from poststack.emulator.api.routes import Route
from poststack.emulator.api.segment_rules import rules_from
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.audience import membership
from poststack.emulator.audience.records import Segment
from poststack.emulator.audience.rules import RulesError
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.outreach.broadcasts import Broadcast
from poststack.types.segments import SegmentRules

__all__ = ["ROUTES", "add_segment"]

_MAX_SEGMENTS = 1_000
_MAX_NAME = 255
_MAX_ADDED = 1_000
_SHOWN_CONTACTS = 100
_MEMBERS_PER_PAGE = 50
_GROWTH_DAYS = 30


def add_segment(backend: Backend, name: str, now: float, *, rules: SegmentRules | None = None) -> Segment:
    """Keep a new segment, empty unless rules fill it. Raises a 422 when there are too many."""
    if len(backend.store.segments) >= _MAX_SEGMENTS:
        raise unprocessable(f"The emulator keeps at most {_MAX_SEGMENTS} segments.")
    segment = Segment(
        number=backend.store.next_number("segment"),
        id="seg_" + backend.ids(18),
        name=name,
        created_at=now,
        updated_at=now,
        rules=rules,
    )
    if rules is None:
        membership.start_history(segment, now)
    backend.store.segments.save(segment)
    return segment


def _find(backend: Backend, arguments: Mapping[str, str]) -> Segment:
    segment = backend.store.segments.find("id", arguments["id"])
    if segment is None:
        raise not_found("Segment", arguments["id"])
    return segment


def _json(backend: Backend, segment: Segment, now: float) -> dict[str, Any]:
    return _all_json(backend, [segment], now)[0]


def _all_json(backend: Backend, segments: Sequence[Segment], now: float) -> list[dict[str, Any]]:
    counts = membership.counts(backend.store, segments, now)
    return [_counted_json(segment, count) for segment, count in zip(segments, counts, strict=True)]


def _counted_json(segment: Segment, count: int | None) -> dict[str, Any]:
    return {
        "id": segment.number,
        "publicId": segment.id,
        "name": segment.name,
        "rules": segment.rules,
        "contactCount": count or 0,
        **({"countUnavailable": True} if count is None else {}),
        "createdAt": iso(segment.created_at),
        "updatedAt": iso(segment.updated_at),
    }


def _name(content: Mapping[str, Any]) -> str:
    name = required_text(content, "name")
    if len(name) > _MAX_NAME:
        raise unprocessable(f"`name` of a segment has at most {_MAX_NAME} characters.")
    return one_line(name, "name")


def _rules(backend: Backend, content: Mapping[str, Any], now: float) -> SegmentRules | None:
    if content.get("rules") is None:
        return None
    rules = rules_from(content["rules"])
    try:
        membership.check(backend.store, rules, now)
    except RulesError as error:
        raise unprocessable(str(error)) from error
    return rules


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    segment = add_segment(backend, _name(content), call.now, rules=_rules(backend, content, call.now))
    return Reply(201, {"segment": _json(backend, segment, call.now)})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"segments": _all_json(backend, backend.store.segments.newest(), call.now)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment = _find(backend, arguments)
    contacts = membership.members(backend.store, segment, call.now)[:_SHOWN_CONTACTS]
    content = {
        **_json(backend, segment, call.now),
        "contacts": [contact_json(contact, call.now) for contact in contacts],
    }
    return Reply(200, {"segment": content})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment, content = _find(backend, arguments), call.json()
    name = _name(content) if "name" in content else segment.name
    rules = _rules(backend, content, call.now) if "rules" in content else segment.rules
    if rules is None and segment.rules is not None:
        membership.start_history(segment, call.now)
    segment.name, segment.rules, segment.updated_at = name, rules, call.now
    backend.store.segments.save(segment)
    return Reply(200, {"segment": _json(backend, segment, call.now)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.segments.remove(_find(backend, arguments))
    return Reply(200, {"success": True})


def _find_by_hand(backend: Backend, arguments: Mapping[str, str]) -> Segment:
    segment = _find(backend, arguments)
    if segment.rules is not None:
        raise conflict("The rules of this segment choose its contacts. Set its rules to null to choose them by hand.")
    return segment


def _add_contacts(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment, ids = _find(backend, arguments), texts(call.json(), "contact_ids")
    if not ids:
        raise invalid("`contact_ids` must hold at least one id.")
    if len(ids) > _MAX_ADDED:
        raise unprocessable(f"`contact_ids` takes at most {_MAX_ADDED} ids; add the others in further calls.")
    segment = _find_by_hand(backend, arguments)
    found = (backend.store.contacts.find("id", contact_id) for contact_id in ids)
    contacts = [contact for contact in found if contact is not None]
    if not contacts:
        raise invalid("None of the `contact_ids` is the id of a contact; they look like con_….")
    return Reply(200, {"added": membership.add(backend.store, segment, contacts, call.now)})


def _remove_contact(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment = _find_by_hand(backend, arguments)
    contact = backend.store.contacts.find("id", arguments["contact"])
    if contact is None or not membership.remove(backend.store, segment, contact, call.now):
        raise not_found("Contact", arguments["contact"])
    return Reply(200, {"success": True})


def _preview(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    rules = _rules(backend, call.json(), call.now)
    if rules is None:
        raise invalid("`rules` is required.")
    return Reply(200, {"count": len(membership.chosen(backend.store, rules, call.now))})


def _members(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment, (number, per_page) = _find(backend, arguments), call.page(_MEMBERS_PER_PAGE)
    page = slice_page(membership.members(backend.store, segment, call.now), number, per_page)
    return Reply(200, {"data": [contact_json(contact, call.now) for contact in page.items], "meta": page_json(page)})


def _growth(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment = _find(backend, arguments)
    days = call.integer("days", _GROWTH_DAYS)
    if not 1 <= days <= membership.MAX_DAYS:
        raise unprocessable(f"`days` must be from 1 to {membership.MAX_DAYS}.")
    if segment.rules is not None:
        return Reply(200, {"available": False, "daily": []})
    known = membership.sizes(segment, days, call.now)
    return Reply(200, {"available": True, "daily": [{"date": day, "members": size} for day, size in known]})


def _broadcasts(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    segment = _find(backend, arguments)
    found = [entry for entry in backend.store.broadcasts.newest() if entry.segment == segment.number]
    return Reply(200, {"broadcasts": [_broadcast_json(broadcast) for broadcast in found]})


def _broadcast_json(broadcast: Broadcast) -> dict[str, Any]:
    return {
        "id": broadcast.number,
        "publicId": broadcast.id,
        "subject": broadcast.subject,
        "status": broadcast.status,
        "sentAt": None if broadcast.sent_at is None else iso(broadcast.sent_at),
        "createdAt": iso(broadcast.created_at),
    }


ROUTES = (
    Route("POST", "/segments", _create),
    Route("GET", "/segments", _list),
    Route("POST", "/segments/preview", _preview),
    Route("GET", "/segments/{id}", _get),
    Route("PATCH", "/segments/{id}", _update),
    Route("DELETE", "/segments/{id}", _delete),
    Route("POST", "/segments/{id}/contacts", _add_contacts),
    Route("DELETE", "/segments/{id}/contacts/{contact}", _remove_contact),
    Route("GET", "/segments/{id}/members", _members),
    Route("GET", "/segments/{id}/growth", _growth),
    Route("GET", "/segments/{id}/broadcasts", _broadcasts),
)
