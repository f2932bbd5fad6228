"""Who wants to hear of which events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast

from poststack.events import EVENT_TYPES, PROVIDER_EVENT_TYPES

if TYPE_CHECKING:
    from poststack.events import EventType, WebhookEvent

__all__ = ["EventHandlers", "HandlerSource", "NamedHandler", "acall", "call", "check_event_types", "handler_name"]

Handler = TypeVar("Handler", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z0-9_.]+")


class NamedHandler(NamedTuple):
    """A handler and the name under which a store remembers that it has dealt with an event."""

    name: str
    handler: Callable[..., Any]


class HandlerSource(Protocol):
    """Anything that knows who is to be called for an event."""

    def of(self, event: WebhookEvent) -> Iterable[NamedHandler]:
        """Return the handlers to call, in order. Their names are different, and the same in every process."""
        ...


class EventHandlers:
    """Handlers by event type, called in the order in which they were registered."""

    def __init__(self) -> None:
        self._handlers: list[tuple[frozenset[str], NamedHandler]] = []

    def on(self, *types: EventType | str) -> Callable[[Handler], Handler]:
        """Decorate a handler of events of these types; `"*"` means all, those that come in future too.

        A handler that is decorated twice is one handler, of both types. Raises `ValueError` for a name that no event
        has.
        """
        wanted = check_event_types(types)

        def register(handler: Handler) -> Handler:
            for index, (before, named) in enumerate(self._handlers):
                if named.handler == handler:  # Not `is`: a bound method is another object whenever it is looked up.
                    self._handlers[index] = (before | wanted, named)
                    return handler
            self._handlers.append((wanted, NamedHandler(self._name(handler), handler)))
            return handler

        return register

    def of(self, event: WebhookEvent) -> list[NamedHandler]:
        """Return the handlers of an event."""
        return [named for types, named in self._handlers if "*" in types or event.type in types]

    def _name(self, handler: Callable[..., Any]) -> str:
        # Handlers that are made by one function share their qualified name.
        name = handler_name(handler)
        before = sum(named.name.partition("#")[0] == name for _, named in self._handlers)
        return f"{name}#{before + 1}" if before else name


def check_event_types(types: Iterable[str]) -> frozenset[str]:
    """Return the types. Raises `ValueError` for none, and for a name that no event has."""
    found: set[str] = set()
    for given in cast("Iterable[object]", types):
        if not isinstance(given, str):  # `@receiver.on` without its parentheses passes the handler.
            raise ValueError(f'Name event types, as in on("email.bounced"), not {type(given).__name__}.')
        # Other groups have events whose names are not published: contacts and domains.
        known = given == "*" or given in EVENT_TYPES or given in PROVIDER_EVENT_TYPES
        if not known and (given.startswith("email.") or not _NAME.fullmatch(given)):
            raise ValueError(
                f"{given!r} is no event type. There are {', '.join(sorted(EVENT_TYPES))}, "
                'and "*" for all, those included that this version does not know.'
            )
        found.add(given)
    if not found:
        raise ValueError('Name at least one event type, such as on("email.bounced"); "*" means all.')
    return frozenset(found)


def handler_name(handler: Callable[..., Any]) -> str:
    """Return the name of a handler that it has in every process: its module and qualified name."""
    named: Any = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{named.__module__}.{named.__qualname__}"


def call(handler: Callable[..., Any], event: WebhookEvent) -> None:
    """Call a handler. Raises `TypeError` for an `async def`, which nothing would wait for."""
    answer = handler(event)
    if asyncio.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{handler_name(handler)} is async: it needs an AsyncWebhookReceiver.")


async def acall(handler: Callable[..., Any], event: WebhookEvent) -> None:
    """Call a handler on the event loop, and wait for it if it is `async def`."""
    answer = handler(event)
    if isinstance(answer, Awaitable):
        await answer
