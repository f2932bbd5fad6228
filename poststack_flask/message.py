"""A message as Flask-Mail's users write it: the same arguments in the same order, the same attributes and methods."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Address: TypeAlias = str | tuple[str, str]

__all__ = ["Attachment", "Message"]

BINARY = "application/octet-stream"


class Sends(Protocol):
    """What `Message.send` is given: `FlaskPostStack`, or what its `connect()` returns."""

    def send(self, message: Message, /) -> Any:
        """Send the message."""
        ...


class Attachment:
    """A file of a message: `inline` or with a `Content-ID` header it is shown where the HTML says `cid:…`."""

    def __init__(
        self,
        filename: str | None = None,
        content_type: str | None = None,
        data: str | bytes | None = None,
        disposition: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if data is None:
            raise ValueError("An attachment needs `data`, as text or bytes.")
        guessed = mimetypes.guess_type(filename)[0] if filename else None
        self.filename = filename
        self.content_type = content_type or guessed or ("text/plain" if isinstance(data, str) else BINARY)
        self.data = data
        self.disposition = disposition or "attachment"
        self.headers: dict[str, str] = dict(headers or {})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.content_type} {len(self.data)}>"


class Message:
    """An e-mail to be sent with `FlaskPostStack.send`; addresses are text or tuples `(name, address)`.

        message = Message("Welcome", recipients=[("Ada", "ada@example.com")], html="<h1>Hello</h1>")
        message.attach("terms.pdf", "application/pdf", data)
        poststack.send(message)

    Without a `sender` it is from the application's `POSTSTACK_DEFAULT_SENDER` or `MAIL_DEFAULT_SENDER`, which is looked
    up when it is sent: a message can be made anywhere. `date`, `mail_options`, `rcpt_options` and alternatives other
    than HTML are accepted here, so that your code runs, and refused with a `ValueError` on sending.
    """

    def __init__(
        self,
        subject: str = "",
        recipients: Iterable[Address] | None = None,
        body: str | None = None,
        html: str | None = None,
        alts: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        sender: Address | None = None,
        cc: Iterable[Address] | None = None,
        bcc: Iterable[Address] | None = None,
        attachments: Iterable[Attachment] | None = None,
        reply_to: Address | None = None,
        date: float | None = None,
        charset: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        mail_options: Iterable[str] | None = None,
        rcpt_options: Iterable[str] | None = None,
    ) -> None:
        self.subject = subject
        self.recipients = _addresses(recipients, "recipients")
        self.body = body
        self.alts: dict[str, str] = dict(alts if alts is not None else ())
        if html is not None:
            self.html = html
        self.sender = sender
        self.cc = _addresses(cc, "cc")
        self.bcc = _addresses(bcc, "bcc")
        self.attachments: list[Attachment] = list(attachments or ())
        self.reply_to = reply_to
        self.date = date
        self.charset = charset
        self.extra_headers: dict[str, str] = dict(extra_headers or {})
        self.mail_options: list[str] = list(mail_options or ())
        self.rcpt_options: list[str] = list(rcpt_options or ())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {len(self.send_to)}>"  # Nobody's address: it ends up in logs.

    @property
    def html(self) -> str | None:
        """The HTML body, which is the alternative `html`."""
        return self.alts.get("html")

    @html.setter
    def html(self, value: str | None) -> None:
        if value is None:
            self.alts.pop("html", None)
        else:
            self.alts["html"] = value

    @property
    def send_to(self) -> set[Address]:
        """Everybody who gets it, seen and unseen."""
        return {*self.recipients, *self.cc, *self.bcc}

    def add_recipient(self, recipient: Address) -> None:
        """Add somebody to `recipients`."""
        self.recipients.append(recipient)

    def attach(
        self,
        filename: str | None = None,
        content_type: str | None = None,
        data: str | bytes | None = None,
        disposition: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Add a file. Its type is guessed from its name unless given; a `Content-ID` header makes it inline."""
        self.attachments.append(Attachment(filename, content_type, data, disposition, headers))

    def send(self, connection: Sends) -> None:
        """Send it through `FlaskPostStack` or what its `connect()` returns."""
        connection.send(self)


def _addresses(given: Iterable[Address] | None, field: str) -> list[Address]:
    if isinstance(given, str):
        raise ValueError(f"`{field}` is a list of addresses. Write [address] for one.")
    return list(given or ())
