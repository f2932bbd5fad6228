"""Messages of Flask-Mail, of Flask-Mailman and our own as the API's payload. Neither package is imported.

Everything a message says is sent, or `ValueError` names what cannot be and what to do. The message is only read. No
error text contains what the message says: texts of errors end up in logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict, cast

from poststack import mime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from poststack.types import SendEmail, Tracking

__all__ = ["AnyMessage", "FlaskMailMessage", "SendFields", "payload_from"]


class FlaskMailMessage(Protocol):
    """What is read of a message of Flask-Mail, and of `poststack_flask.Message`."""

    subject: Any
    recipients: Any
    body: Any
    alts: Any
    sender: Any
    cc: Any
    bcc: Any
    attachments: Any
    reply_to: Any
    date: Any
    charset: Any
    extra_headers: Any
    mail_options: Any
    rcpt_options: Any


if TYPE_CHECKING:
    AnyMessage: TypeAlias = FlaskMailMessage | mime.EmailMessageLike
else:
    AnyMessage = object


class SendFields(TypedDict, total=False):
    """What the API knows beside what a message says, as `emails.send` takes it."""

    idempotency_key: str
    scheduled_at: str
    signature: Literal["auto", "none"]
    tags: list[str]
    template_id: str
    tracking: Tracking
    unsubscribe: bool
    variables: dict[str, str]


# What decides in those packages which MIME is sent, and to whom.
_MIME_OF_FLASK_MAIL: Final = frozenset({"_message", "_mimetext", "as_bytes", "as_string", "send_to"})
_MIME_OF_FLASK_MAILMAN: Final = frozenset(
    {
        "_create_alternatives",
        "_create_attachment",
        "_create_attachments",
        "_create_message",
        "_create_mime_attachment",
        "message",
        "recipients",
    }
)
_PACKAGES: Final = frozenset({"django", "flask_mail", "flask_mailman", "poststack_flask"})
_ONE_LINE: Final = ("idempotency_key", "scheduled_at", "signature", "template_id")


def payload_from(message: AnyMessage, default_sender: object = None, fields: SendFields | None = None) -> SendEmail:
    """Return what `emails.send` takes: the message, and the `fields` that a message has no place for.

    `default_sender`, as text or `(name, address)`, applies to a message that has no sender. Raises `ValueError` for
    what the API cannot say, `TypeError` for what is no message or no such field.
    """
    extra = _checked_fields(fields or {})
    if hasattr(message, "recipients") and hasattr(message, "sender"):
        _refuse_own_mime(message, _MIME_OF_FLASK_MAIL)
        payload = _from_flask_mail(cast("FlaskMailMessage", message), default_sender)
    elif hasattr(message, "to") and hasattr(message, "from_email"):
        _refuse_own_mime(message, _MIME_OF_FLASK_MAILMAN)
        payload = _from_flask_mailman(message, default_sender)
    else:
        raise TypeError(
            f"A message of Flask-Mail, Flask-Mailman or poststack_flask is sent here, not {type(message).__name__}. "
            "A payload such as {'from': …, 'to': […]} goes to current_poststack.emails.send()."
        )
    payload.update(extra)
    return mime.finished_payload(payload)


def _checked_fields(fields: SendFields) -> SendEmail:
    given = cast("Mapping[str, object]", fields)
    for name in given:
        if name == "envelope_from":
            raise ValueError("`envelope_from` is PostStack's to choose: it handles bounces itself. Leave it out.")
        if name not in SendFields.__annotations__:
            raise TypeError(
                f"{name!r} is not a field that is given beside a message, which are "
                f"{', '.join(SendFields.__annotations__)}. What a message can say is said by the message."
            )
    for name in _ONE_LINE:
        if (value := given.get(name)) is not None:
            mime.line_from(value, name)
    for index, tag in enumerate(cast("list[object]", given.get("tags") or ())):
        mime.line_from(tag, f"tags[{index}]")
    return cast("SendEmail", {name: value for name, value in given.items() if value is not None})


def _refuse_own_mime(message: object, names: frozenset[str]) -> None:
    own: set[str] = set(getattr(message, "__dict__", ()))
    for kind in type(message).__mro__:
        if kind.__module__.partition(".")[0] not in _PACKAGES:
            own.update(kind.__dict__)
    for name in sorted(names & own):
        # Such as those that sign or encrypt: what they do is done to MIME, which is made at PostStack.
        raise ValueError(
            f"{type(message).__name__} has its own {name}, which nothing sent through PostStack goes through: what it "
            "does would be lost. Send it over SMTP."
        )


def _from_flask_mail(message: FlaskMailMessage, default_sender: object) -> SendEmail:
    _refuse_smtp(message)
    charset = str(message.charset or "utf-8")
    lists = {
        field: list(dict.fromkeys(mime.addresses_from(given or (), name)))
        for field, name, given in (
            ("to", "recipients", message.recipients),
            ("cc", "cc", message.cc),
            ("bcc", "bcc", message.bcc),
        )
    }
    if not lists["to"]:
        raise ValueError("The message has no `recipients`: PostStack needs a visible one beside `cc` and `bcc`.")
    sender = _required(message.sender or default_sender, "sender")
    payload: SendEmail = {"from": mime.address_from(sender, "sender"), "to": lists.pop("to")}
    payload.update(cast("SendEmail", {field: addresses for field, addresses in lists.items() if addresses}))
    if message.reply_to:
        payload["reply_to"] = mime.address_from(message.reply_to, "reply_to")
    payload["subject"] = mime.line_from("" if message.subject is None else message.subject, "subject")
    payload.update(cast("SendEmail", _bodies(message, charset)))
    if headers := mime.headers_from(cast("dict[object, object]", message.extra_headers or {})):
        for name in mime.ADDRESS_HEADERS:
            if name in headers:
                raise ValueError(f"`extra_headers` has {name!r}, which a message has an attribute for. Set that.")
        payload["headers"] = headers
    if message.attachments:
        payload["attachments"] = [_file(item, at, charset) for at, item in enumerate(message.attachments)]
    return payload


def _refuse_smtp(message: FlaskMailMessage) -> None:
    if message.date is not None:
        raise ValueError(
            "The message has a `date`, which PostStack writes when it sends. Set it to None; to send later, give "
            "`scheduled_at` beside the message."
        )
    for name in ("mail_options", "rcpt_options"):
        if getattr(message, name):
            raise ValueError(f"The message has `{name}`, which are for SMTP. Leave them out.")


def _bodies(message: FlaskMailMessage, charset: str) -> dict[str, str]:
    bodies: dict[str, str] = {}
    for kind, content in cast("Mapping[object, object]", message.alts or {}).items():
        if str(kind).lower() != "html":
            raise ValueError(f"The message has an alternative {str(kind)!r}; PostStack sends text and HTML.")
        bodies["html"] = mime.text_from(content, charset, "html")
    if message.body or not bodies:
        bodies["text"] = mime.text_from(message.body or "", charset, "body")
    return bodies


def _file(given: Any, index: int, charset: str) -> Any:
    if not hasattr(given, "data") or not hasattr(given, "content_type"):
        raise ValueError(f"`attachments[{index}]` is no attachment. Add files with `attach()`.")
    return mime.file_from(
        given.filename,
        given.data,
        given.content_type,
        index=index,
        charset=charset,
        disposition=str(getattr(given, "disposition", None) or "attachment"),
        headers=getattr(given, "headers", None),
    )


def _from_flask_mailman(message: Any, default_sender: object) -> SendEmail:
    if not any(str(name).lower() == "from" for name in message.extra_headers):
        _required(message.from_email or default_sender, "from_email")
    charset = str(getattr(message, "encoding", None) or "utf-8")
    return mime.payload_from(message, charset=charset, default_sender=default_sender)


def _required(sender: object, field: str) -> object:
    if not sender:
        raise ValueError(
            f"The message has no sender. Give `{field}`, or set POSTSTACK_DEFAULT_SENDER for all messages."
        )
    return sender
