"""Flask-Mailman sends through PostStack: `MAIL_BACKEND = "poststack_flask.mailman.EmailBackend"`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poststack import PostStackError
from poststack_flask.mail import MailMethods

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from poststack.mime import EmailMessageLike

__all__ = ["EmailBackend"]


class EmailBackend:
    """Sends each message in a call of its own, through the client of the application that `FlaskPostStack` made.

    `send_messages` returns how many were accepted. With `fail_silently` a `PostStackError` is passed over; a message
    that cannot be said in the API raises `ValueError` all the same. What is for SMTP, such as `username`, is ignored.
    """

    def __init__(self, mailman: object = None, fail_silently: bool = False, **smtp: Any) -> None:
        self.mailman = mailman
        self.fail_silently = fail_silently

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def open(self) -> None:
        """Do nothing: the client opens connections when it needs them."""

    def close(self) -> None:
        """Do nothing: the client is the application's."""

    def send_messages(self, email_messages: Iterable[EmailMessageLike] | None) -> int:
        """Send all that have a recipient and return how many were accepted."""
        connection = MailMethods().connect()
        accepted = 0
        for message in email_messages or ():
            if not (message.to or message.cc or message.bcc):
                continue
            try:
                connection.send(message)
            except PostStackError:
                if not self.fail_silently:
                    raise
            else:
                accepted += 1
        return accepted
