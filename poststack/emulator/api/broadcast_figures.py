"""`/broadcasts/…`: how broadcasts and their variants do, and who did not respond (`poststack-api` §4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.answers import Reply, unprocessable
from poststack.emulator.api.broadcast_json import row_json, variant_json, variant_stats_json
from poststack.emulator.api.broadcasts import find_broadcast, without_response
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import moment
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.outreach.broadcasting import Broadcasting
from poststack.emulator.outreach.broadcasts import Broadcast, BroadcastRecipient

__all__ = ["ROUTES"]

_METRICS = ("click_rate", "open_rate", "delivered")
_ROWS = (20, 100)
_CONTACTS = (500, 5_000)


def _variants(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    test = find_broadcast(backend, arguments).test
    return Reply(200, {"variants": [] if test is None else [variant_json(variant) for variant in test.variants]})


def _variant_stats(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    test = find_broadcast(backend, arguments).test
    if test is None:
        raise unprocessable("This broadcast has no A/B test.")
    return Reply(200, variant_stats_json(test))


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    metric, since = call.query.get("metric") or _METRICS[0], call.query.get("since") or None
    if metric not in _METRICS:
        raise unprocessable(f"`metric` must be one of {', '.join(_METRICS)}.")
    earliest = None if since is None else moment(since, "since")
    limit = call.limit(*_ROWS)
    rows = [
        row_json(broadcast)
        for broadcast in backend.store.broadcasts.newest()
        if broadcast.status == "sent" and (earliest is None or (broadcast.sent_at or 0.0) >= earliest)
    ]
    # Of equals the newest comes first: sorting keeps the order.
    rows.sort(key=lambda row: -row[metric])
    answer = {"metric": metric, "since": None if earliest is None else iso(earliest), "broadcasts": rows[:limit]}
    return Reply(200, answer)


def _performance(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    broadcast = find_broadcast(backend, arguments)
    figures = {**row_json(broadcast), "in_progress": _in_progress(backend, broadcast)}
    test = broadcast.test
    return Reply(200, {"broadcast": figures, "variants": None if test is None else variant_stats_json(test)})


def _in_progress(backend: Backend, broadcast: Broadcast) -> int:
    def under_way(recipient: BroadcastRecipient) -> bool:
        if recipient.delivered or recipient.bounced or recipient.left_out:
            return False
        if recipient.email_id is None:
            return broadcast.status == "sending"
        # Of an e-mail that was deleted nothing will be heard any more.
        email = backend.store.email(recipient.email_id)
        return email is not None and any(entry.state in {"pending", "deferred"} for entry in email.recipients)

    return sum(map(under_way, Broadcasting(backend).recipients(broadcast)))


def _non_openers(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _missing(backend, call, find_broadcast(backend, arguments), "opened")


def _non_clickers(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _missing(backend, call, find_broadcast(backend, arguments), "clicked")


def _missing(backend: Backend, call: Call, broadcast: Broadcast, event: str) -> Reply:
    limit = call.limit(*_CONTACTS)
    contacts = without_response(backend, broadcast, event)
    answer: dict[str, Any] = {
        "broadcast": {"id": broadcast.id, "subject": broadcast.subject},
        "count": len(contacts),
        "contacts": [
            {
                "id": contact.number,
                "email": contact.email,
                "first_name": contact.first_name,
                "last_name": contact.last_name,
            }
            for contact in contacts[:limit]
        ],
    }
    return Reply(200, answer)


ROUTES = (
    Route("GET", "/broadcasts/performance", _list),
    Route("GET", "/broadcasts/{id}/performance", _performance),
    Route("GET", "/broadcasts/{id}/variants", _variants),
    Route("GET", "/broadcasts/{id}/variant-stats", _variant_stats),
    Route("GET", "/broadcasts/{id}/non-openers", _non_openers),
    Route("GET", "/broadcasts/{id}/non-clickers", _non_clickers),
)
