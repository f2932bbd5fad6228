# Written by tools/unasync.py from poststack/_async/receiver.py. Do not edit.
"""Takes webhooks: checks each, and calls every handler once for each event."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from poststack.receiving.checking import LARGEST_BODY, MAX_AGE, WebhookAnswer, check_webhook, webhook_secrets
from poststack.receiving.handlers import EventHandlers, call
from poststack.receiving.stores import MemoryEventStore, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.events import EventType, WebhookEvent
    from poststack.receiving.checking import Secrets
    from poststack.receiving.handlers import Handler, HandlerSource, NamedHandler
    from poststack.receiving.stores import Claim, EventStore

__all__ = ["WebhookReceiver"]

logger: logging.Logger = logging.getLogger("poststack.webhooks")


class WebhookReceiver:
    """Checks webhook calls and tells handlers, whatever the framework.

    Each handler is called once for each event, as far as the store remembers. When one fails, the answer makes
    PostStack deliver the event again, and only those that failed are called then. A handler whose process dies in the
    middle is called again as well, so what it does should bear being done twice.

    `secrets` are the signing secrets, several while one is being rotated. `store` remembers what is done; without one,
    memory does. `max_age` is in seconds, see `check_webhook`. `handlers` replaces those of `on`. `call` is how a
    handler is called.
    """

    __module__ = "poststack.receiving"

    def __init__(
        self,
        secrets: Secrets,
        *,
        store: EventStore | None = None,
        max_age: float | None = MAX_AGE,
        max_bytes: int = LARGEST_BODY,
        handlers: HandlerSource | None = None,
        call: Callable[[Callable[..., Any], WebhookEvent], object] = call,
    ) -> None:
        self._secrets = webhook_secrets(secrets)
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

    def receive(self, body: bytes, signature: str | None) -> WebhookAnswer:
        """Take one call: the raw body, and the header `X-PostStack-Signature`. Nothing is raised by a handler."""
        checked = check_webhook(body, signature, self._secrets, max_age=self._max_age, max_bytes=self._max_bytes)
        return checked if isinstance(checked, WebhookAnswer) else self.handle(checked)

    def handle(self, event: WebhookEvent) -> WebhookAnswer:
        """Call the handlers of an event that is to be trusted, those that have not dealt with it yet."""
        answers = [self._handle_once(event, named) for named in self._handlers.of(event)]
        logger.info("Event %s: %s for %s, %d handlers.", event.id, event.type, event.email_id, len(answers))
        # A failure is told before a delay: PostStack repeats both, but only one of them is somebody's mistake.
        return max((answer for answer in answers if answer is not None), key=_failures_first, default=_OK)

    def _handle_once(self, event: WebhookEvent, named: NamedHandler) -> WebhookAnswer | None:
        try:
            claim = self._store.begin(f"{event.id}/{named.name}")
        except Exception:  # any store may be given, and PostStack tries again
            logger.exception("Event %s: the event store failed, so %s was not called.", event.id, named.name)
            return WebhookAnswer(503, "The event cannot be stored now.")
        if claim.progress is Progress.DONE:
            logger.info("Event %s: %s has dealt with it before.", event.id, named.name)
            return None
        if claim.progress is Progress.IN_PROGRESS:
            return WebhookAnswer(503, "The event is being handled.")
        try:
            self._call(named.handler, event)
        except Exception:  # whatever it raises, the other handlers are called
            logger.exception("Event %s: the handler %s failed. PostStack will deliver it again.", event.id, named.name)
            self._abandon(claim)
            return WebhookAnswer(500, "A handler failed.")
        except BaseException:
            self._abandon(claim)
            raise
        try:
            self._store.finish(claim)
        except Exception:  # the work is done; at worst it is done once more
            logger.exception("Event %s: that %s has dealt with it could not be stored.", event.id, named.name)
        return None

    def _abandon(self, claim: Claim) -> None:
        try:
            self._store.abandon(claim)
        except Exception:  # its lease ends by itself
            logger.exception("The event store failed; the event can be handled when its lease has ended.")


_OK = WebhookAnswer(200, "ok")


def _failures_first(answer: WebhookAnswer) -> bool:
    return answer.status == 500
