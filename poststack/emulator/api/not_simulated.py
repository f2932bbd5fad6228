"""Endpoints that exist and are not simulated: they say so, instead of making up a success."""

from __future__ import annotations

from collections.abc import Mapping

from poststack.emulator.api.answers import RefusalError, Reply
from poststack.emulator.api.call import Call
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend

__all__ = ["ROUTES"]

_NO_ADDRESSES = "The emulator has no dedicated IP addresses to assign, so nothing was done. Try it at the service."


def _no_addresses(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    raise RefusalError(501, _NO_ADDRESSES)


ROUTES = (
    Route("POST", "/domains/{id}/ip", _no_addresses),
    Route("DELETE", "/domains/{id}/ip", _no_addresses),
)
