"""`/broadcasts`: drafts and their way to the people of a segment (`poststack-api` §4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import Reply, conflict, not_found, unprocessable
from poststack.emulator.api.broadcast_input import read_draft
from poststack.emulator.api.broadcast_json import broadcast_json, draft_json
from poststack.emulator.api.call import Call
from poststack.emulator.api.compose import without_suppressed
from poststack.emulator.api.fields import one_line, optional_text, query_choice, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.segments import add_segment
from poststack.emulator.api.senders import check_scope
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.audience import membership
from poststack.emulator.audience.placeholders import personal
from poststack.emulator.audience.records import Contact
from poststack.emulator.backend import Backend
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.outreach.broadcasting import Broadcasting
from poststack.emulator.outreach.broadcasts import Broadcast, BroadcastRecipient
from poststack.types import BroadcastStatus

__all__ = ["ROUTES", "find_broadcast", "without_response"]

_MAX_BROADCASTS = 1_000
_MAX_LINE = 998
_MAX_SEGMENT_NAME = 200
_TARGETS = {"non_openers": "opened", "non_clickers": "clicked"}


def find_broadcast(backend: Backend, arguments: Mapping[str, str]) -> Broadcast:
    """Return the broadcast that the path names by its public id, or raise a 404."""
    broadcast = backend.store.broadcasts.find("id", arguments["id"])
    if broadcast is None:
        raise not_found("Broadcast", arguments["id"])
    return broadcast


def without_response(backend: Backend, broadcast: Broadcast, event: str) -> list[Contact]:
    """Return the contacts, as far as they still exist, that got a broadcast and of whom no `event` is known.

    `event` is opened or clicked. Raises a 409 for a broadcast of which nobody can have got anything yet.
    """
    if broadcast.status in {"draft", "queued"}:
        raise conflict(f"Nobody has got this broadcast yet: it is {broadcast.status}.")

    def missed(recipient: BroadcastRecipient) -> bool:
        return recipient.delivered and not getattr(recipient, event)

    found = (
        backend.store.contacts.get(recipient.contact)
        for recipient in Broadcasting(backend).recipients(broadcast)
        if missed(recipient)
    )
    return [contact for contact in found if contact is not None]


def _in_scope(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Broadcast:
    broadcast = find_broadcast(backend, arguments)
    check_scope(backend, parse_address(broadcast.sender, "from"), call.caller)
    return broadcast


def _keep(backend: Backend, now: float, **fields: Any) -> Broadcast:
    broadcast = Broadcast(
        number=backend.store.next_number("broadcast"), id="br_" + backend.ids(18), created_at=now, **fields
    )
    backend.store.broadcasts.save(broadcast)
    return broadcast


def _check_room(backend: Backend) -> None:
    if len(backend.store.broadcasts) >= _MAX_BROADCASTS:
        raise unprocessable(
            f"The emulator keeps at most {_MAX_BROADCASTS} broadcasts. POST /_emulator/reset clears it."
        )


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    fields = read_draft(backend, call)
    _check_room(backend)
    return Reply(201, {"broadcast": broadcast_json(backend, _keep(backend, call.now, **fields))})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    search = call.query.get("search", "").casefold()
    status = query_choice(call.query, "status", get_args(BroadcastStatus))
    found = [
        broadcast
        for broadcast in backend.store.broadcasts.newest()
        if search in f"{broadcast.subject}\n{broadcast.name or ''}".casefold() and status in {None, broadcast.status}
    ]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [broadcast_json(backend, entry) for entry in page.items], "meta": page_json(page)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"broadcast": broadcast_json(backend, find_broadcast(backend, arguments))})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    broadcast = find_broadcast(backend, arguments)
    changes = read_draft(backend, call, broadcast)
    if broadcast.status != "draft":
        raise conflict(f"Only a draft can be changed; this broadcast is {broadcast.status}.")
    for name, value in changes.items():
        setattr(broadcast, name, value)
    backend.store.broadcasts.save(broadcast)
    return Reply(200, {"broadcast": broadcast_json(backend, broadcast)})


def _send(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    broadcast, broadcasting = find_broadcast(backend, arguments), Broadcasting(backend)
    if broadcast.status == "draft":
        broadcasting.check(broadcast, call.caller)
        begins_now = broadcast.scheduled_at is None or broadcast.scheduled_at <= call.now
        if not broadcasting.audience(broadcast, call.now) and begins_now:
            raise unprocessable("The segment has no contact that may get this broadcast.")
    try:
        broadcasting.send(broadcast, call.now, test_mode=call.test_mode)
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"success": True})


def _cancel(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    try:
        Broadcasting(backend).cancel(_in_scope(backend, call, arguments))
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"success": True})


def _resend(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    source, content = _in_scope(backend, call, arguments), call.optional_json()
    target = optional_text(content, "target") or "non_openers"
    if target not in _TARGETS:
        raise unprocessable(f"`target` must be one of {', '.join(_TARGETS)}.")
    winner = None if source.test is None else source.test.variant(source.test.winner)
    sent = source.content(winner)
    subject = sent.subject if content.get("subject") is None else required_text(content, "subject")
    if len(one_line(subject, "subject")) > _MAX_LINE:
        raise unprocessable(f"`subject` is longer than {_MAX_LINE} characters.")
    if source.status != "sent":
        raise conflict(f"Only a broadcast that was sent can be sent again; this one is {source.status}.")
    missed, broadcasting = without_response(backend, source, _TARGETS[target]), Broadcasting(backend)
    contacts = [contact for contact in missed if broadcasting.wanted(source, contact)]
    if not contacts:
        raise unprocessable(
            "There is nobody to write to again: everybody who got the broadcast responded, or may not get another one."
        )
    _check_room(backend)
    name = (source.name or source.subject)[:_MAX_SEGMENT_NAME] + f" ({target.replace('_', '-')})"
    segment = add_segment(backend, name, call.now)
    membership.add(backend.store, segment, contacts, call.now)
    draft = _keep(
        backend,
        call.now,
        sender=source.sender,
        subject=subject,
        segment=segment.number,
        html=sent.html,
        text=sent.text,
        reply_to=source.reply_to,
        name=source.name,
        topic=source.topic,
    )
    answer = {
        "broadcast": draft_json(draft),
        "segment": {"id": segment.id, "name": segment.name},
        "recipientCount": len(contacts),
    }
    return Reply(201, answer)


def _send_test(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    broadcast, broadcasting = find_broadcast(backend, arguments), Broadcasting(backend)
    address = parse_address(required_text(call.json(), "email"), "email").address
    broadcasting.check(broadcast, call.caller)
    test = broadcast.test
    variant = None if test is None else test.variant(test.winner) or test.variants[0]
    contact = backend.store.contacts.find("email", address.lower())
    reader = contact or Contact(number=0, id="", email=address, created_at=call.now, updated_at=call.now)
    content = personal(broadcast.content(variant), reader)
    message = without_suppressed(backend, broadcasting.compose(broadcast, content, address, call.caller))
    backend.lifecycle.accept(
        message,
        "em_" + backend.ids(18),
        call.now,
        test_mode=call.test_mode,
        scheduled_at=None,
        idempotency_key=None,
        fingerprint="",
        broadcast_id=broadcast.id,
    )
    return Reply(200, {"success": True})


def _end_test(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    broadcast = _in_scope(backend, call, arguments)
    if broadcast.test is None:
        raise unprocessable("This broadcast has no A/B test.")
    try:
        Broadcasting(backend).end_test(broadcast, call.now)
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"success": True})


ROUTES = (
    Route("POST", "/broadcasts", _create),
    Route("GET", "/broadcasts", _list),
    Route("GET", "/broadcasts/{id}", _get),
    Route("PATCH", "/broadcasts/{id}", _update),
    Route("POST", "/broadcasts/{id}/send", _send),
    Route("POST", "/broadcasts/{id}/cancel", _cancel),
    Route("POST", "/broadcasts/{id}/resend", _resend),
    Route("POST", "/broadcasts/{id}/test", _send_test),
    Route("POST", "/broadcasts/{id}/end-ab-test", _end_test),
)
