"""Endpoints that exist and are not simulated: they say so, instead of making up a success."""

from __future__ import annotations

from collections.abc import Mapping

from poststack.emulator.api.answers import RefusalError, Reply
from poststack.emulator.api.call import Call
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend

__all__ = ["ROUTES"]

_PATHS = """
POST /domains/{id}/ip
DELETE /domains/{id}/ip
"""


def _refuse(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    path = "/".join(call.segments[:1])
    raise RefusalError(501, f"The emulator does not simulate {call.method} /{path}…; nothing was done.")


ROUTES = tuple(Route(method, path, _refuse) for method, path in map(str.split, _PATHS.strip().splitlines()))
