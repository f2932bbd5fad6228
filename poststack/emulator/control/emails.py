"""`/_emulator/…`: what the API does not have and development needs, as JSON.

Health, the e-mails with everything known about them, the newest one that matches, simulated events, faults,
the clock, and starting over. No API key is asked for; the server only lets in what comes from its own pages
or from no page at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from poststack.emulator.api.answers import Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.emails import find_email, search_from
from poststack.emulator.api.fields import boolean, integer, number, object_of, optional_text, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import delivery_json, full_email_json, page_json
from poststack.emulator.backend import Backend
from poststack.emulator.faults import Fault
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.model import Email, EventType, iso
from poststack.emulator.search import EmailSearch

__all__ = ["PREFIX", "ROUTES"]

PREFIX = "/_emulator"
_PERSON = ("country", "region", "city", "client_name", "client_type", "os", "device")
_MAX_METADATA = 10_000
_MAX_PERSON_VALUE = 200
# A century: enough for every schedule, and far from the year 9999 where dates end.
_MAX_ADVANCE = 100 * 366 * 24 * 3600.0


def _health(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    store = backend.store
    content = {
        "status": "ok",
        "emails": store.total,
        "unread": store.unread,
        "requests": backend.traffic.requests,
        "revision": store.revision,
        "now": iso(call.now),
    }
    return Reply(200, content)


def _search(backend: Backend, call: Call) -> EmailSearch:
    return replace(
        search_from(backend.store, call.query),
        text=call.query.get("q", ""),
        unread=call.flag("unread"),
    )


def _email(backend: Backend, email: Email) -> dict[str, Any]:
    message = email.message
    return {
        **full_email_json(email),
        "unread": email.unread,
        "cancelledAt": None if email.cancelled_at is None else iso(email.cancelled_at),
        "templateId": message.template_id,
        "tracking": {"opens": message.track_opens, "clicks": message.track_clicks},
        "idempotencyKey": email.given_key,
        "broadcastId": email.broadcast_id,
        "suppressed": list(message.suppressed),
        "recipients": [{"address": entry.address, "state": entry.state} for entry in email.recipients],
        "attachments": [
            {
                "filename": attachment.filename,
                "contentType": attachment.content_type,
                "contentId": attachment.content_id,
                "size": attachment.size,
            }
            for attachment in message.attachments
        ],
        "deliveries": [delivery_json(delivery) for delivery in backend.store.deliveries_of_email(email.id)],
        "payload": dict(message.payload),
    }


def _emails(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page, per_page = call.page()
    found = backend.store.emails(_search(backend, call), page=page, per_page=per_page)
    return Reply(200, {"data": [_email(backend, email) for email in found.items], "meta": page_json(found)})


def _latest(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email = backend.store.latest(_search(backend, call))
    after = backend.store.email(call.query.get("after", ""))
    if email is None or (after is not None and email.number <= after.number):
        raise not_found("Email")
    return Reply(200, {"email": _email(backend, email)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"email": _email(backend, find_email(backend, arguments))})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.remove_email(find_email(backend, arguments))
    return Reply(200, {"success": True})


def _delete_all(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    emails = backend.store.accepted()
    for email in emails:
        backend.store.remove_email(email)
    return Reply(200, {"deleted": len(emails)})


def _simulate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email, content = find_email(backend, arguments), call.json()
    metadata = object_of(content, "metadata")
    person = {name: value for name in _PERSON if (value := optional_text(content, name)) is not None}
    if len(json.dumps(metadata)) > _MAX_METADATA or any(len(value) > _MAX_PERSON_VALUE for value in person.values()):
        raise unprocessable("The details of the event are too long.")
    try:
        backend.lifecycle.simulate(
            email,
            cast("EventType", required_text(content, "event")),
            call.now,
            recipient=optional_text(content, "recipient"),
            metadata=metadata,
            person=person,
            prefetch=boolean(content, "prefetch") or False,
        )
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"email": _email(backend, email)})


def _fault(fault: Fault) -> dict[str, Any]:
    return asdict(fault)


def _faults(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"faults": [_fault(fault) for fault in backend.faults.all()]})


def _add_fault(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    try:
        fault = backend.faults.add(
            integer(content, "status"),
            times=integer(content, "times"),
            path=_short(content, "path") or "/",
            method=_short(content, "method"),
            delay=number(content, "delay") or 0.0,
            retry_after=number(content, "retry_after"),
            code=_short(content, "code"),
            error=_short(content, "error"),
            reset=boolean(content, "reset") or False,
            lost_answer=boolean(content, "lost_answer") or False,
            share=1.0 if (share := number(content, "share")) is None else share,
            seed=integer(content, "seed"),
            idempotency_key=_short(content, "idempotency_key"),
        )
    except ValueError as error:
        raise unprocessable(str(error)) from error
    return Reply(201, {"fault": _fault(fault)})


def _short(content: Mapping[str, Any], name: str) -> str | None:
    value = optional_text(content, name)
    if value is not None and len(value) > _MAX_PERSON_VALUE:
        raise unprocessable(f"`{name}` is longer than {_MAX_PERSON_VALUE} characters.")
    return value


def _clear_faults(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.faults.clear()
    return Reply(200, {"success": True})


def _remove_fault(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    text = arguments["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and backend.faults.remove(int(text))):
        raise not_found("Fault")
    return Reply(200, {"success": True})


def _warnings(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"warnings": list(backend.input_check.warnings)})


def _clock(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"now": iso(call.now)})


def _advance(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    seconds = number(call.json(), "advance")
    if seconds is None:
        raise invalid("`advance` is required, in seconds.")
    if not 0 <= seconds <= _MAX_ADVANCE:
        raise unprocessable("`advance` must not be negative, nor more than a century.")
    try:
        later = iso(call.now + seconds)
    except (OverflowError, ValueError) as error:
        raise unprocessable("The clock would pass the last date there is.") from error
    backend.time_travel.seconds += seconds
    return Reply(200, {"now": later})


def _reset(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.clear()
    backend.domains.begin_again()
    backend.faults.clear()
    backend.traffic.requests = 0
    backend.input_check.clear()
    return Reply(200, {"success": True})


ROUTES = (
    Route("GET", PREFIX + "/health", _health),
    Route("GET", PREFIX + "/emails", _emails),
    Route("DELETE", PREFIX + "/emails", _delete_all),
    Route("GET", PREFIX + "/emails/latest", _latest),
    Route("GET", PREFIX + "/emails/{id}", _get),
    Route("DELETE", PREFIX + "/emails/{id}", _delete),
    Route("POST", PREFIX + "/emails/{id}/simulate", _simulate),
    Route("GET", PREFIX + "/faults", _faults),
    Route("POST", PREFIX + "/faults", _add_fault),
    Route("DELETE", PREFIX + "/faults", _clear_faults),
    Route("DELETE", PREFIX + "/faults/{id}", _remove_fault),
    Route("GET", PREFIX + "/warnings", _warnings),
    Route("GET", PREFIX + "/clock", _clock),
    Route("POST", PREFIX + "/clock", _advance),
    Route("POST", PREFIX + "/reset", _reset),
)
