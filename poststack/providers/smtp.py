"""SMTP: any mail server (RFC 5321), reached with STARTTLS, with TLS from the first byte on, or in the clear.

What SMTP has no field for travels in headers, which recipients can see: each tag in an `X-Tag`, and the metadata as one
JSON object, in ASCII, in `X-Metadata`.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal

from poststack.providers._mime import header_text, mime_bytes, unsupported_in_mime
from poststack.providers._smtp_replies import failure_of
from poststack.providers.base import Call, Provider, required
from poststack.providers.capabilities import Capabilities, Unsupported
from poststack.providers.message import make_address
from poststack.providers.outcome import Failure, Outcome
from poststack.transports._smtp_dialogue import SmtpAnswer, SmtpReply, SmtpRequest
from poststack.transports._smtp_settings import SmtpServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from poststack.providers.base import AsyncRequestTransport, RequestTransport
    from poststack.providers.message import Message
    from poststack.transports._smtp_dialogue import Stage
    from poststack.transports.base import TransportError

__all__ = ["Smtp"]

PORTS: Final = {"starttls": 587, "tls": 465, "plain": 587}
_TLS_PORTS: Final = frozenset({465, 2465})
_HOST: Final = re.compile(r"(?!\.)(?!.*[^.]{64})[A-Za-z0-9._:-]{1,253}")
_MESSAGE_ID: Final = re.compile(r"<([!-;=?-~]+@[!-;=?-~]+)>")
_MESSAGE_ID_LINE: Final = re.compile(rb"^message-id:\s*<([^>]+)>", re.IGNORECASE | re.MULTILINE)
_QUEUED_AS: Final = re.compile(r"\bqueued as ([\w.-]+)", re.IGNORECASE)


class Smtp(Provider[SmtpRequest, SmtpAnswer]):
    """Sends through a mail server.

    With `use_tls`, the default, the connection is encrypted by STARTTLS, and nothing is sent to a server that does not
    offer it; with `use_ssl`, the default on port 465, it is encrypted from the first byte on. Certificates are
    verified, by `ssl_context` if it is given. `username` and `password` log in, or `username` and `oauth_token`: a
    function, or a coroutine function, that returns an OAuth 2 access token. Without them nobody logs in. A login
    without encryption needs `allow_insecure_auth=True`. Without `from_email` the sender is `username`, if that is an
    address.

    `local_hostname` is what the client calls itself; no name is looked up for it. At most `max_connections` are open at
    a time. Each carries up to `messages_per_connection` e-mails, and is not used again after `idle_limit` seconds
    without any.
    """

    name = "smtp"
    title = "SMTP"
    capabilities = Capabilities(
        size=100_000_000,  # The server's own limit is asked for before anything is sent.
        templates=False,
        track_opens=False,
        track_clicks=False,
        non_ascii_local_parts=True,
        options=False,
        batches=False,
    )

    def __init__(
        self,
        *,
        host: str,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        use_tls: bool = True,
        use_ssl: bool | None = None,
        oauth_token: Callable[[], str | Awaitable[str]] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        allow_insecure_auth: bool = False,
        local_hostname: str = "[127.0.0.1]",
        max_connections: int = 4,
        idle_limit: float = 30.0,
        messages_per_connection: int = 100,
    ) -> None:
        implicit = port in _TLS_PORTS if use_ssl is None else use_ssl
        security: Literal["starttls", "tls", "plain"] = "tls" if implicit else "starttls" if use_tls else "plain"
        user = username or None
        _check_login(user, password or None, oauth_token, in_the_clear=security == "plain" and not allow_insecure_auth)
        number = PORTS[security] if port is None else port
        if type(number) is not int or not 0 < number < 65536:
            raise ValueError("SMTP's `port` is a number from 1 to 65535.")
        if max_connections < 1 or messages_per_connection < 1 or not idle_limit >= 0:
            raise ValueError("SMTP's `max_connections` and `messages_per_connection` are at least 1, `idle_limit` 0.")
        if not _HOST.fullmatch(required(host, "host", self.title)):
            raise ValueError("SMTP's `host` is the name of a server, such as 'smtp.example.com', or its IP address.")
        self._server = SmtpServer(
            host.strip(),
            number,
            security,
            user,
            password,
            oauth_token,
            ssl_context,
            required(local_hostname, "local_hostname", self.title),
            max_connections,
            idle_limit,
            messages_per_connection,
        )
        self.default_sender = _address_or_none(user)

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and an e-mail cannot."""
        yield from super().unsupported(message, now)
        yield from unsupported_in_mime(message)
        metadata_alone = replace(message, headers=_metadata_header(message), attachments=())
        if message.metadata and any(problem.field == "headers" for problem in unsupported_in_mime(metadata_alone)):
            reason = "takes metadata of at most 900 characters without a space"
            yield Unsupported("metadata", reason, replace(message, metadata={}))
        for name, value in message.headers:
            if wrong := _wrong_header(name.lower(), value, message):
                kept = tuple(pair for pair in message.headers if pair[0] != name)
                yield Unsupported("headers", wrong, replace(message, headers=kept))

    def plan(self, messages: Sequence[Message]) -> list[Call[SmtpRequest]]:
        """Return a call for each message, each with a Message-ID of the sender's domain."""
        return [Call(_request(message), [message]) for message in messages]

    def outcomes(self, call: Call[SmtpRequest], answer: SmtpAnswer, now: float) -> list[Outcome]:
        """Return what became of the message, and of each recipient that the server refused."""
        refused = {address: self._refusal(why, "rcpt") for address, why in answer.refused.items()}
        reply = answer.reply
        if not answer.accepted:
            failure = failure_of(reply, answer.stage, self.title)
            # Every recipient was refused. One that is put off is worth another attempt, for its own sake.
            if answer.stage == "rcpt" and len(refused) == len(call.request.recipients):
                put_off = [why for why in refused.values() if why.transient]
                failure = put_off[0] if put_off else next(iter(refused.values()))
            return [Outcome(failure=failure, refused=refused)]
        queued = _QUEUED_AS.search(reply.text)
        details = {"status_code": reply.code, "reply": reply.text}
        message_id = _message_id(call.request.data)
        return [Outcome(message_id, refused=refused, request_id=queued[1] if queued else None, details=details)]

    def transport(self) -> RequestTransport[SmtpRequest, SmtpAnswer]:
        """Return a new transport, on smtplib. Raises `ValueError` for an `oauth_token` that is a coroutine function."""
        from poststack.transports.smtp import SmtplibTransport

        return SmtplibTransport(self._server)

    def async_transport(self) -> AsyncRequestTransport[SmtpRequest, SmtpAnswer]:
        """Return a new transport, on aiosmtplib. Raises `ConfigurationError` when that is not installed."""
        from poststack.transports.smtp import AiosmtplibTransport

        try:
            import aiosmtplib  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError as error:
            from poststack.mailbridge.errors import ConfigurationError

            raise ConfigurationError("SMTP on an event loop needs aiosmtplib: pip install 'poststack[smtp]'") from error
        return AiosmtplibTransport(self._server)

    def _refusal(self, why: SmtpReply | TransportError, stage: Stage) -> Failure:
        return failure_of(why, stage, self.title) if isinstance(why, SmtpReply) else self.failure(why)


def _check_login(username: str | None, password: str | None, oauth_token: object, *, in_the_clear: bool) -> None:
    if username is None and (password is not None or oauth_token is not None):
        raise ValueError("SMTP has a `password` or an `oauth_token`, and no `username` that it belongs to.")
    if username is not None and (password is None) == (oauth_token is None):
        raise ValueError("SMTP's `username` needs either `password` or `oauth_token`; without all of them, no login.")
    if oauth_token is not None and not callable(oauth_token):
        raise ValueError("SMTP's `oauth_token` is a function that returns a token: tokens are good for an hour only.")
    if "\0" in (username or "") + (password or ""):
        raise ValueError("SMTP's `username` or `password` contains a NUL. Copy it again.")
    if username is not None and in_the_clear:
        raise ValueError(
            "SMTP without encryption would show the password to everybody on the way. Use `use_tls` or `use_ssl`; for "
            "a server on the same machine, allow_insecure_auth=True."
        )


def _address_or_none(username: str | None) -> str | None:
    try:
        return make_address(username, "username").email if username and "@" in username else None
    except ValueError:
        return None


def _wrong_header(name: str, value: str, message: Message) -> str | None:
    if name == "message-id" and not _MESSAGE_ID.fullmatch(value):
        return "takes a Message-ID such as '<1@example.com>' only"
    if name == "date":
        try:
            parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return "takes a Date as RFC 5322 writes it only"
    if name == "x-metadata" and message.metadata:
        return "writes X-Metadata itself, from `metadata`"
    return None


def _request(message: Message) -> SmtpRequest:
    tags = tuple(("X-Tag", header_text(tag)) for tag in message.tags)
    written = replace(message, headers=message.headers + tags + _metadata_header(message))
    domain = message.sender.email.rpartition("@")[2]
    # Those among the message's headers go first.
    data = mime_bytes(written, message_id=f"{secrets.token_hex(16)}@{domain}", date=datetime.now(timezone.utc))
    visible = (message.sender, *message.to, *message.cc, *message.reply_to)
    return SmtpRequest(
        message.sender.email,
        tuple(address.email for address in message.recipients),
        data,
        needs_utf8=not all(address.is_ascii for address in visible),
    )


def _metadata_header(message: Message) -> tuple[tuple[str, str], ...]:
    if not message.metadata:
        return ()
    # What looks like an encoded word would be read as one, also inside JSON.
    return (("X-Metadata", json.dumps(dict(message.metadata)).replace("=?", "=\\u003f")),)


def _message_id(data: bytes) -> str | None:
    found = _MESSAGE_ID_LINE.search(data)
    return found[1].decode("ascii") if found else None
