"""What an adapter of a provider is: two pure functions around a request. No I/O.

`plan` turns messages into calls, `outcomes` turns the answer to a call into one outcome for each of its messages, in
their order. Everything between (connections, time limits, retries, how many at once) is the same for all providers, and
lives elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from poststack.providers.capabilities import Capabilities, Unsupported, unsupported
from poststack.providers.outcome import Failure
from poststack.transports.base import HttpRequest, HttpResponse, TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poststack.providers.message import Message
    from poststack.providers.outcome import Outcome
    from poststack.transports.base import AsyncTransport, Transport

__all__ = ["Call", "HttpProvider", "Provider", "SecretHeaders", "required"]

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class SecretHeaders(dict[str, str]):
    """Request headers that show their names only: the values hold keys."""

    def __repr__(self) -> str:
        return f"SecretHeaders({sorted(self)})"


class Call(Generic[RequestT]):
    """One request, and the messages that travel in it."""

    __slots__ = ("messages", "repeatable", "request", "separable")

    def __init__(
        self,
        request: RequestT,
        messages: Sequence[Message],
        *,
        repeatable: bool = False,
        separable: bool = False,
    ) -> None:
        self.request: RequestT = request
        """Without `timeout` and `deadline`: those are set for each attempt."""
        self.messages: Sequence[Message] = messages
        self.repeatable: bool = repeatable
        """Whether the same request, sent again, certainly doubles nothing: it carries a key that the provider minds."""
        self.separable: bool = separable
        """Whether one wrong message makes the provider refuse all of them, so that they are worth trying apart."""

    def __repr__(self) -> str:
        return f"Call({len(self.messages)} messages)"


class Provider(ABC, Generic[RequestT, AnswerT]):
    """An adapter. `__init__` takes the settings as keywords, and raises `ValueError` for those that cannot work.

    An instance holds settings only, so it may be shared by threads and event loops.
    """

    name: ClassVar[str]
    """As in `MailBridge("postmark", …)`."""
    title: ClassVar[str]
    """As in sentences."""
    capabilities: Capabilities
    default_sender: str | None = None
    """The sender of e-mails that have none, when the settings tell it."""

    @abstractmethod
    def plan(self, messages: Sequence[Message]) -> list[Call[RequestT]]:
        """Return the calls that carry the messages, each message in exactly one of them.

        Called with messages that say nothing `unsupported` yields. Within a call they keep their order.
        """

    @abstractmethod
    def outcomes(self, call: Call[RequestT], answer: AnswerT, now: float) -> list[Outcome]:
        """Return one outcome for each of the call's messages, in order. Never raises, whatever the answer holds.

        `now` is in seconds since 1970, for answers that name a moment.
        """

    @abstractmethod
    def transport(self) -> RequestTransport[RequestT, AnswerT]:
        """Return a new transport for the synchronous client."""

    @abstractmethod
    def async_transport(self) -> AsyncRequestTransport[RequestT, AnswerT]:
        """Return a new transport for the asynchronous client."""

    def carrier(self, transport: RequestTransport[RequestT, AnswerT]) -> RequestTransport[RequestT, AnswerT]:
        """Return what carries requests over a transport that the user gave: itself, unless each attempt is signed."""
        return transport

    def async_carrier(
        self, transport: AsyncRequestTransport[RequestT, AnswerT]
    ) -> AsyncRequestTransport[RequestT, AnswerT]:
        """Return the same for the asynchronous client."""
        return transport

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and the provider cannot. Adapters add to it."""
        yield from unsupported(message, self.capabilities, now or datetime.now(timezone.utc))

    @property
    def spoken_of(self) -> str:
        """Return whose limits `unsupported` knows, as in sentences."""
        return self.title

    def failure(self, error: TransportError) -> Failure:
        """Return what no answer means. Without a connection nothing was taken; else it may have been."""
        late = " in time" if isinstance(error, TransportTimeoutError) else ""
        if not error.request_sent:
            return Failure("unavailable", f"{self.title} could not be reached{late} ({error}).", cause=error)
        text = f"No answer from {self.title}{late} ({error}). The e-mail may have been sent."
        return Failure("ambiguous", text, cause=error)

    def __repr__(self) -> str:
        """Return the name; settings hold keys."""
        return f"{type(self).__name__}()"


class HttpProvider(Provider[HttpRequest, HttpResponse]):
    """An adapter of a provider that is spoken to over HTTP."""

    def transport(self) -> Transport:
        """Return the default transport."""
        from poststack.transports.httpcore import HttpcoreTransport

        return HttpcoreTransport()

    def async_transport(self) -> AsyncTransport:
        """Return the default transport."""
        from poststack.transports.httpcore import AsyncHttpcoreTransport

        return AsyncHttpcoreTransport()


RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class RequestTransport(Protocol[RequestT_contra, AnswerT_co]):
    """What carries requests of one kind, HTTP or SMTP, from several threads."""

    def send(self, request: RequestT_contra, /) -> AnswerT_co:
        """Return the answer whatever it says; raise `TransportError` when there is none."""
        ...

    def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        ...


class AsyncRequestTransport(Protocol[RequestT_contra, AnswerT_co]):
    """What carries requests of one kind, HTTP or SMTP, on an event loop."""

    async def asend(self, request: RequestT_contra, /) -> AnswerT_co:
        """Return the answer whatever it says; raise `TransportError` when there is none."""
        ...

    async def aclose(self) -> None:
        """Release connections. Calling it again is harmless."""
        ...


def required(value: Any, setting: str, title: str) -> str:
    """Return a setting that must not be empty. Raises `ValueError` naming it, never showing it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{title} needs `{setting}`, and it is empty.")
    text = value.strip()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError(f"{title}'s `{setting}` contains characters that it cannot have. Copy it again.")
    return text
