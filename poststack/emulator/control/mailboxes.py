"""`/_emulator/mailboxes/…`: what IMAP would show of a mailbox, and whether a password is its."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.answers import Reply, invalid, not_found
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import boolean, record_number, required_text
from poststack.emulator.api.mailboxes import find_mailbox
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.control.emails import PREFIX
from poststack.emulator.receiving.inbound import InboundEmail
from poststack.emulator.receiving.mailroom import contents_of
from poststack.emulator.receiving.passwords import matches

__all__ = ["ROUTES"]


def _message_json(email: InboundEmail) -> dict[str, Any]:
    return {"inboundId": email.number, "folder": email.folder, "flags": list(email.flags), "unread": email.unread}


def _messages(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    found = contents_of(backend.store, find_mailbox(backend, arguments["id"]))
    return Reply(200, {"messages": [_message_json(email) for email in found]})


def _mark(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox, number = find_mailbox(backend, arguments["id"]), record_number(arguments["inbound"])
    email = None if number is None else backend.store.inbound_emails.get(number)
    if email is None or email.mailbox != mailbox.number:
        raise not_found("Message")
    unread = boolean(call.json(), "unread")
    if unread is None:
        raise invalid("`unread` must be true or false.")
    email.unread = unread
    backend.store.inbound_emails.save(email)
    return Reply(200, {"message": _message_json(email)})


def _log_in(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = find_mailbox(backend, arguments["id"])
    success = mailbox.status == "active" and matches(required_text(call.json(), "password"), mailbox.password)
    if success:
        mailbox.last_login_at = call.now
        backend.store.mailboxes.save(mailbox)
    return Reply(200, {"success": success})


ROUTES = (
    Route("GET", PREFIX + "/mailboxes/{id}/messages", _messages),
    Route("PATCH", PREFIX + "/mailboxes/{id}/messages/{inbound}", _mark),
    Route("POST", PREFIX + "/mailboxes/{id}/login", _log_in),
)
