"""`/suppressions`: addresses that get no more mail (`poststack-api` §4.8)."""

from __future__ import annotations

from collections.abc import Mapping

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import Reply, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page, suppression_json
from poststack.emulator.backend import Backend
from poststack.emulator.model import Suppression

__all__ = ["ROUTES"]

_REASONS = ("hard_bounce", "complaint", "unsubscribe", "manual")
_MAX_SUPPRESSIONS = 100_000


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page = slice_page(backend.store.suppressions.newest(), *call.page())
    return Reply(200, {"data": [suppression_json(entry) for entry in page.items], "meta": page_json(page)})


def _add(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    address = parse_address(required_text(content, "email"), "email").address
    reason = required_text(content, "reason")
    if reason not in _REASONS:
        raise unprocessable(f"`reason` must be one of {', '.join(_REASONS)}.")
    if backend.store.suppression(address) is None:
        if len(backend.store.suppressions) >= _MAX_SUPPRESSIONS:
            raise unprocessable(f"The emulator keeps at most {_MAX_SUPPRESSIONS} suppressions.")
        number = backend.store.next_number("suppression")
        backend.store.suppressions.save(Suppression(number, address, reason, call.now))
    return Reply(200, {"success": True})


def _remove(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    suppression = backend.store.suppression(arguments["email"])
    if suppression is None:
        raise not_found("Suppression")
    backend.store.suppressions.remove(suppression)
    return Reply(200, {"success": True})


ROUTES = (
    Route("GET", "/suppressions", _list),
    Route("POST", "/suppressions", _add),
    Route("DELETE", "/suppressions/{email}", _remove),
)
