"""Sends nothing and keeps everything: for tests, and for machines that must not send.

mailer = MailBridge("capture", rules_of=Postmark(server_token="test"))
...
assert mailer.provider.sent[0].subject == "Thank you"
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from poststack.providers.base import Call, Provider
from poststack.providers.capabilities import Capabilities, Unsupported
from poststack.providers.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from poststack.providers.message import Message

__all__ = ["Capture"]

_FOR_EVER: Final = timedelta(days=36_500)


class _Request(NamedTuple):
    message: Message
    timeout: float = 0.0
    deadline: float | None = None


class Capture(Provider[_Request, str]):
    """Keeps messages in `sent`, in order, as the adapter of a provider would have got them.

    `rules_of` is an adapter whose limits apply, so that a test sees what that provider would refuse.
    """

    name = "capture"
    title = "The capturing provider"

    def __init__(self, *, rules_of: Provider[Any, Any] | None = None) -> None:
        self._rules_of = rules_of
        self.capabilities = Capabilities(scheduling=_FOR_EVER, idempotency=_FOR_EVER, non_ascii_local_parts=True)
        if rules_of is not None:
            self.capabilities = rules_of.capabilities
            self.default_sender = rules_of.default_sender
        self.sent: list[Message] = []

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the provider whose rules apply cannot say."""
        if self._rules_of is not None:
            yield from self._rules_of.unsupported(message, now)

    @property
    def spoken_of(self) -> str:
        """Return whose limits apply."""
        return self.title if self._rules_of is None else self._rules_of.title

    def plan(self, messages: Sequence[Message]) -> list[Call[_Request]]:
        """Return a call for each message."""
        return [Call(_Request(message), [message], repeatable=True) for message in messages]

    def outcomes(self, call: Call[_Request], answer: str, now: float) -> list[Outcome]:
        """Return that it was accepted."""
        return [Outcome(answer, details={"captured": True})]

    def transport(self) -> _Keeping:
        """Return what keeps the messages."""
        return _Keeping(self.sent)

    def async_transport(self) -> _Keeping:
        """Return what keeps the messages."""
        return _Keeping(self.sent)


class _Keeping:
    def __init__(self, sent: list[Message]) -> None:
        self._sent = sent

    def send(self, request: _Request) -> str:
        self._sent.append(request.message)
        return f"captured-{uuid4()}"

    def close(self) -> None:
        """There is nothing to release."""

    async def asend(self, request: _Request) -> str:
        return self.send(request)

    async def aclose(self) -> None:
        """There is nothing to release."""
