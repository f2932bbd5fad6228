"""Print what the clients of whichever `poststack` this interpreter has offer, as JSON: group, method, parameters."""

from __future__ import annotations

import inspect
import json
from typing import Any

import poststack


def parameters(method: Any) -> list[tuple[str, str, str]]:
    """Return name, kind and default of each."""
    found = inspect.signature(method).parameters.values()
    return [(one.name, one.kind.name, "" if one.default is one.empty else repr(one.default)) for one in found]


def offered(thing: object) -> dict[str, Any]:
    """Return the attributes that are for the public."""
    return {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}


def surface(client: object) -> dict[str, dict[str, Any]]:
    """Return the parameters of all methods of all groups."""
    groups = {name: group for name, group in offered(client).items() if not callable(group)}
    return {
        name: {method: parameters(value) for method, value in offered(group).items() if callable(value)}
        for name, group in groups.items()
    }


if __name__ == "__main__":
    clients: dict[str, Any] = {name: getattr(poststack, name) for name in ("PostStack", "AsyncPostStack")}
    print(json.dumps({name: surface(make("sk_test_x")) for name, make in clients.items()}))
