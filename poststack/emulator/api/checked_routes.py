"""Lets a route handle a request, and looks at what the request has that the route does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from poststack.emulator.api.answers import Reply
from poststack.emulator.api.call import Call
from poststack.emulator.api.known_inputs import takes_of
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend

__all__ = ["handled"]


def handled(backend: Backend, route: Route, call: Call, arguments: Mapping[str, str], *, strict: bool) -> Reply:
    """Return the answer of a route. Raises a 422 for an unknown query parameter or field when `strict`."""
    takes, name, check = takes_of(route), f"{route.method} {route.path}", backend.input_check
    if takes is None:
        return route.handler(backend, call, arguments)
    check.query(name, takes, call.query, strict=strict)

    def check_body(content: Mapping[str, Any]) -> None:
        check.body(name, takes, content, strict=strict)

    return route.handler(backend, replace(call, check=check_body), arguments)
