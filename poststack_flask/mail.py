"""Sending messages as Flask-Mail's users do: `send`, `send_message` and `connect`, on the extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, overload

from poststack_flask.message import Message
from poststack_flask.payload import SendFields, payload_from
from poststack_flask.state import app_at_work, client_of, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from poststack import PostStack
    from poststack.mailbridge import Mailer
    from poststack.types import SentEmail
    from poststack_flask.message import Address, Attachment
    from poststack_flask.payload import AnyMessage
    from poststack_flask.settings import Sender

    class MessageArguments(SendFields, total=False):
        """Arguments of `Message`, by name."""

        subject: str
        recipients: Iterable[Address] | None
        body: str | None
        html: str | None
        alts: Mapping[str, str] | Iterable[tuple[str, str]] | None
        sender: Address | None
        cc: Iterable[Address] | None
        bcc: Iterable[Address] | None
        attachments: Iterable[Attachment] | None
        reply_to: Address | None
        date: float | None
        charset: str | None
        extra_headers: Mapping[str, str] | None
        mail_options: Iterable[str] | None
        rcpt_options: Iterable[str] | None


__all__ = ["Connection", "MailMethods"]


class Connection:
    """Sends messages with one application's client, also where no application context is pushed.

    Nothing is opened or closed: the client keeps its connections for everybody. The `with` is for the code you have.
    """

    def __init__(self, client: PostStack | Mailer, sender: Sender | None = None) -> None:
        self._client = client
        self._sender = sender

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def send(self, message: AnyMessage, **fields: Unpack[SendFields]) -> SentEmail:
        """Send a message of Flask-Mail, Flask-Mailman or ours, and return the API's answer with its `id`.

        `fields` are what messages have no place for, such as `idempotency_key` and `tags`. Raises `ValueError` for
        what the API cannot say and `PostStackError` when it refuses or is not reached.
        """
        return self._client.emails.send(payload_from(message, self._sender, fields))

    @overload
    def send_message(self, message: AnyMessage, /, **fields: Unpack[SendFields]) -> SentEmail: ...
    @overload
    def send_message(self, *arguments: Any, **fields: Unpack[MessageArguments]) -> SentEmail: ...
    def send_message(self, *arguments: Any, **fields: Any) -> SentEmail:
        """Send a message, or the message that the arguments of `Message` make."""
        beside = {name: fields.pop(name) for name in SendFields.__annotations__ if name in fields}
        if len(arguments) == 1 and not isinstance(arguments[0], str):
            return self.send(arguments[0], **{**beside, **fields})
        return self.send(Message(*arguments, **fields), **cast("SendFields", beside))


class MailMethods:
    """What `FlaskPostStack` has of Flask-Mail's `Mail`. Each method works on the current application."""

    def send(self, message: AnyMessage, **fields: Unpack[SendFields]) -> SentEmail:
        """Send a message of Flask-Mail, Flask-Mailman or ours, and return the API's answer with its `id`.

            poststack.send(Message("Welcome", recipients=["ada@example.com"], body="Hello"), tags=["welcome"])

        `fields` are what messages have no place for, such as `idempotency_key` and `tags`. Raises `ValueError` for
        what the API cannot say and `PostStackError` when it refuses or is not reached.
        """
        return self.connect().send(message, **fields)

    @overload
    def send_message(self, message: AnyMessage, /, **fields: Unpack[SendFields]) -> SentEmail: ...
    @overload
    def send_message(self, *arguments: Any, **fields: Unpack[MessageArguments]) -> SentEmail: ...
    def send_message(self, *arguments: Any, **fields: Any) -> SentEmail:
        """Send a message, or the message that the arguments of `Message` make: `send_message("Hi", ["ada@…"])`."""
        return self.connect().send_message(*arguments, **fields)

    def connect(self) -> Connection:
        """Return what sends through the current application: `with poststack.connect() as connection: …`."""
        app = app_at_work()
        return Connection(client_of(app), state_of(app).settings.default_sender)
