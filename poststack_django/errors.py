"""What sending several messages, or to suppressed addresses, can raise beside what the client raises.

poststack.PostStackError
├── NotAllSentError            some of the messages of one call were not sent: it knows which, and why each
└── SuppressedRecipientsError  every visible recipient is suppressed, so nothing was sent
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poststack import PostStackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage

__all__ = ["NotAllSentError", "SuppressedRecipientsError"]


class NotAllSentError(PostStackError):
    """Some of the messages given to one `send_messages()` were not sent. Status, code and text are those of the first.

    Each message's `poststack_status` says what became of it. Send only the unsent ones again: those that were sent
    would be sent twice.
    """

    def __init__(
        self,
        first: PostStackError,
        sent: Sequence[EmailMessage],
        unsent: Sequence[tuple[EmailMessage, Exception | None]],
    ) -> None:
        total = len(sent) + len(unsent)
        text = f"{len(unsent)} of {total} messages were not sent; the first because: {first.error}"
        super().__init__(first.status_code, text, first.code, first.request_id, first.headers, first.retry_after)
        self.first: PostStackError = first
        self.sent: list[EmailMessage] = list(sent)
        """The messages that were accepted."""
        self.unsent: list[tuple[EmailMessage, Exception | None]] = list(unsent)
        """The others, each with its error; `None` for those not tried any more after a call had failed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.first, self.sent, self.unsent)

    @property
    def transient(self) -> bool:
        """False: repeating the whole call would send again what was sent. The errors in `unsent` have their own."""
        return False


class SuppressedRecipientsError(PostStackError):
    """Every visible recipient of a message bounced, complained or unsubscribed before; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(
            422,
            "All visible recipients of the message are suppressed, because mail to them bounced, or they complained or "
            "unsubscribed. Delete the suppression to send to them again.",
            "suppressed",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()
