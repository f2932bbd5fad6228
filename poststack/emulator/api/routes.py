"""What a group says about its routes, and how a request finds one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from poststack.emulator.api.answers import RefusalError, Reply
from poststack.emulator.api.call import Call, Caller
from poststack.emulator.backend import Backend

__all__ = ["Handler", "Route", "Router"]

Handler = Callable[[Backend, Call, Mapping[str, str]], Reply]


@dataclass(frozen=True)
class Route:
    """One method on one path. A part in braces takes any one segment: `/emails/{id}`.

    A `public` one asks for no API key. `sending` says that keys with `sending_access` may use it, which sends e-mails
    and reads what became of them.
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    sending: bool = False
    parts: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.path.strip("/").split("/")))

    def admit(self, caller: Caller) -> None:
        """Raise a 403 for a key that may not use it."""
        if caller.permission != "full_access" and not self.sending:
            raise RefusalError(403, "API key does not have permission")

    def arguments(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values of the parts in braces, `None` when the path is another one."""
        if len(segments) != len(self.parts):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(self.parts, segments, strict=True):
            if part.startswith("{") and segment:
                found[part[1:-1]] = segment
            elif part != segment:
                return None
        return found


class Router:
    """Finds the route of a request. Routes that are named literally come before those with braces."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[Route]] = {}
        for route in sorted(routes, key=lambda route: route.path.count("{")):
            self._by_length.setdefault(len(route.parts), []).append(route)

    def find(self, call: Call) -> tuple[Route, dict[str, str]] | None:
        """Return the route and its arguments, `None` for an unknown path.

        A 405 for another method of a known one.
        """
        allowed: list[str] = []
        for route in self._by_length.get(len(call.segments), ()):
            arguments = route.arguments(call.segments)
            if arguments is None:
                continue
            if route.method == call.method:
                return route, arguments
            allowed.append(route.method)
        if allowed:
            names = ", ".join(sorted(set(allowed)))
            raise RefusalError(405, f"This path takes {names}.", headers={"Allow": names})
        return None
