"""What a source of events is: it checks a webhook call and reads it.

No I/O, except where a signature is made with a key that has to be fetched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from poststack.errors import WebhookSignatureError
from poststack.receiving.checking import BasicChallenge, WebhookAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.events import WebhookEvent

__all__ = ["AsyncEventSource", "EventSource", "ProviderEvents", "UnauthenticatedError"]


class UnauthenticatedError(WebhookSignatureError):
    """The call brings no credentials, or others than were agreed on."""


class EventSource(Protocol):
    """Anything that reads webhook calls; give it to a receiver as `source`. Must be safe to call from several threads.

    What raises `TransportError` is answered 503, so that the provider calls again.
    """

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call, none if it is about something else. Names of headers may have any capitals.

        Raises `WebhookSignatureError` for a call that is not to be trusted, `ValueError` for one that is, and is no
        event.
        """
        ...


class AsyncEventSource(Protocol):
    """An `EventSource` that waits while it reads, for an `AsyncWebhookReceiver`."""

    async def aread(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call, as `EventSource.read` does."""
        ...


class ProviderEvents(ABC):
    """A source of one provider's events. Instances hold settings, and no more of calls than replays are known by."""

    name: ClassVar[str]
    """As in `MailBridge("postmark", …)`."""
    title: ClassVar[str]
    forged: ClassVar[int] = 401
    """What a call is answered that is not to be trusted."""
    unusable: ClassVar[int] = 400
    """What a call is answered that is to be trusted, and no repetition makes an event of."""

    challenges: bool = False
    """Whether to ask for credentials: some send theirs only then (RFC 7617 §2)."""

    @abstractmethod
    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call, none if it is about something else.

        Raises `WebhookSignatureError` for a call that is not to be trusted, `ValueError` for one that is, and is no
        event.
        """

    def refusal(self, error: ValueError) -> WebhookAnswer:
        """Return the answer for a call that `read` has refused: one that this provider understands."""
        if isinstance(error, UnauthenticatedError):
            text = "The credentials are missing or wrong."
            return BasicChallenge(401, text) if self.challenges else WebhookAnswer(401, text)
        if isinstance(error, WebhookSignatureError):
            return WebhookAnswer(self.forged, str(error))
        return WebhookAnswer(self.unusable, str(error))

    def __repr__(self) -> str:
        """Return the name; settings hold secrets."""
        return f"{type(self).__name__}()"
