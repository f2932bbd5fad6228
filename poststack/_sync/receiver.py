# Written by tools/unasync.py from poststack/_async/receiver.py. Do not edit.
"""Takes webhooks: checks each, and calls every handler once for each event."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from poststack._sync.turn import Turn
from poststack.events import SIGNATURE_HEADER
from poststack.receiving.checking import LARGEST_BODY, MAX_AGE, WebhookAnswer, check_webhook, webhook_secrets
from poststack.receiving.handlers import EventHandlers, call
from poststack.receiving.sources import check_source, read_events
from poststack.receiving.stores import MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from poststack.events import EventType, WebhookEvent
    from poststack.providers.events.base import EventSource
    from poststack.receiving.checking import Secrets
    from poststack.receiving.handlers import Handler, HandlerSource, NamedHandler
    from poststack.receiving.stores import EventStore

__all__ = ["WebhookReceiver"]

logger: logging.Logger = logging.getLogger("poststack.webhooks")


class WebhookReceiver:
    """Checks webhook calls and tells handlers, whatever the framework.

    Each handler is called once for each event, as far as the store remembers. When one fails, the answer makes
    PostStack deliver the event again, and only those that failed are called then. A handler whose process dies in the
    middle is called again as well, so what it does should bear being done twice.

    `secrets` are the signing secrets, several while one is being rotated; `source` takes the events of another provider
    in place of PostStack's. `store` remembers what is done; without one, memory does. `max_age` is in seconds, see
    `check_webhook`; a source has its own. `handlers` replaces those of `on`. `call` is how a handler is called. Raises
    `ValueError` for a secret that is no text, and for secrets beside a source.
    """

    __module__ = "poststack.receiving"

    def __init__(
        self,
        secrets: Secrets = None,
        *,
        source: EventSource | None = None,
        store: EventStore | None = None,
        max_age: float | None = MAX_AGE,
        max_bytes: int = LARGEST_BODY,
        handlers: HandlerSource | None = None,
        call: Callable[[Callable[..., Any], WebhookEvent], object] = call,
    ) -> None:
        if store is not None and not hasattr(store, "begin"):
            raise TypeError(f"{type(store).__name__} is no EventStore: it has no method `begin`.")
        check_source(source, secrets)
        self._secrets = webhook_secrets(secrets)
        self._source = source
        self._store: EventStore = MemoryEventStore() if store is None else store
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._registered = EventHandlers()
        self._handlers: HandlerSource = self._registered if handlers is None else handlers
        self._call = call

    def on(self, *types: EventType | str) -> Callable[[Handler], Handler]:
        """Decorate a handler of events of these types; `"*"` means all, those that come in future too.

        Raises `ValueError` for a name that no event has.
        """
        return self._registered.on(*types)

    def receive(
        self, body: bytes, signature: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> WebhookAnswer:
        """Take one call: the raw body, and the header `X-PostStack-Signature` or all headers, which a source needs.

        Answer with the status, the text and the headers that it says. Nothing is raised by a handler.
        """
        given: Mapping[str, str] = {} if headers is None else headers
        if self._source is not None:
            events = read_events(self._source, body, given, max_bytes=self._max_bytes)
            return events if isinstance(events, WebhookAnswer) else self.handle_all(events)
        if signature is None:
            wanted = SIGNATURE_HEADER.lower()
            signature = next((value for name, value in given.items() if name.lower() == wanted), None)
        checked = check_webhook(body, signature, self._secrets, max_age=self._max_age, max_bytes=self._max_bytes)
        return checked if isinstance(checked, WebhookAnswer) else self.handle(checked)

    def handle_all(self, events: Iterable[WebhookEvent]) -> WebhookAnswer:
        """Call the handlers of each of the events of one call, in order; return the answer for all of them.

        When handlers of one event fail, the others' are called all the same.
        """
        return max([self.handle(event) for event in events], key=_worst_first, default=_OK)

    def handle(self, event: WebhookEvent) -> WebhookAnswer:
        """Call the handlers of an event that is to be trusted, those that have not dealt with it yet."""
        answers = [self._handle_once(event, named) for named in self._handlers.of(event)]
        logger.info("Event %s: %s for %s, %d handlers.", event.id, event.type, event.email_id, len(answers))
        # A failure is told before a delay: PostStack repeats both, but only one of them is somebody's mistake.
        return max((answer for answer in answers if answer is not None), key=_worst_first, default=_OK)

    def _handle_once(self, event: WebhookEvent, named: NamedHandler) -> WebhookAnswer | None:
        turn = Turn(self._store, event, named.name)
        if (taken := turn.begin()) is not None:
            return None if taken.status == 200 else taken
        try:
            self._call(named.handler, event)
        except Exception:  # whatever it raises, the other handlers are called
            logger.exception("Event %s: the handler %s failed. It will be called again.", event.id, named.name)
            turn.abandon()
            return WebhookAnswer(500, "A handler failed.")
        except BaseException:
            turn.abandon()
            raise
        turn.finish()
        return None


_OK = WebhookAnswer(200, "ok")


def _worst_first(answer: WebhookAnswer) -> tuple[bool, int]:
    return answer.status == 500, answer.status
