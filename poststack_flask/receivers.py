"""Who is told of a webhook event in one application: functions decorated with `on`, and receivers of signals."""

from __future__ import annotations

import weakref
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from poststack.receiving import NamedHandler
from poststack.receiving.handlers import handler_name
from poststack_flask.calling import call_and_wait
from poststack_flask.signals import SIGNALS_OF_TYPE, tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blinker import NamedSignal
    from flask import Flask

    from poststack.events import WebhookEvent
    from poststack.receiving import EventHandlers

__all__ = ["Receivers"]


class Receivers:
    """Finds them, and calls them, `async def` included, where the application is at work."""

    def __init__(self, app: Flask, handlers: EventHandlers) -> None:
        self._app = app
        self._handlers = handlers

    def of(self, event: WebhookEvent) -> list[NamedHandler]:
        """Return those of an event. Each receiver of a signal is a handler of its own: one that fails, fails alone."""
        found = list(self._handlers.of(event))
        for signal in (tracking, SIGNALS_OF_TYPE.get(event.type)):
            if signal is not None:
                found += self._receivers_of(signal)
        return found

    def call(self, handler: Callable[..., Any], event: WebhookEvent) -> None:
        """Call one, and wait until it is done."""
        call_and_wait(self._app, handler, event)

    def _receivers_of(self, signal: NamedSignal) -> Iterator[NamedHandler]:
        seen = Counter[str]()
        for receiver in _in_order(signal, self._app):
            name = f"{signal.name}:{handler_name(receiver)}"
            seen[name] += 1
            # Receivers made by one function share their name.
            numbered = name if seen[name] == 1 else f"{name}#{seen[name]}"
            yield NamedHandler(numbered, partial(self._send, receiver))

    def _send(self, receiver: Callable[..., Any], event: WebhookEvent) -> None:
        call_and_wait(self._app, receiver, self._app, event=event)


def _in_order(signal: NamedSignal, app: Flask) -> list[Callable[..., Any]]:
    """Return the receivers that an application reaches as they were connected, which is the same in every process."""
    reached: list[Callable[..., Any]] = list(signal.receivers_for(app))
    connected: list[object] = [
        one() if isinstance(one, weakref.ref) else one for one in list(signal.receivers.values())
    ]
    return sorted(reached, key=lambda receiver: connected.index(receiver) if receiver in connected else len(connected))
