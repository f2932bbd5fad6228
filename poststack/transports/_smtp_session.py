"""One connection to a mail server, on smtplib and blocking sockets."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, TypeVar

from poststack.transports._smtp_dialogue import Content, SmtpAnswer, SmtpReply, Step, opening, transaction
from poststack.transports._smtp_settings import PART, QUIT_PATIENCE, patience
from poststack.transports._sockets import is_readable
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from poststack.transports._smtp_dialogue import Credentials, Dialogue, SmtpRequest
    from poststack.transports._smtp_settings import SmtpServer

__all__ = ["SmtpSession", "smtp_error"]

Result = TypeVar("Result")
LONGEST_REPLY: Final = 64 * 2**10
"""Bytes; EHLO's has some hundred."""


class SmtpSession:
    """A connection. Not for two threads at a time. After any `TransportError` it is good for `abandon` only."""

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        self._client = _Client(server.local_hostname)
        self._features: dict[str, str] = {}
        self._request: SmtpRequest | None = None
        self._reset = False
        self._expires_at = 0.0
        self._handed_over = False
        self.messages = 0
        """How many e-mails it was used for."""
        self.usable = False
        """Whether it may be used for another."""

    @property
    def stale(self) -> bool:
        """Whether it was idle for too long, or the server said something meanwhile: a farewell, most likely."""
        connected = self._client.sock
        if time.monotonic() > self._expires_at or connected is None or self._client.has_unread:
            return True
        return is_readable(connected)

    def open(self, request: SmtpRequest, credentials: Credentials | None) -> SmtpAnswer | None:
        """Connect and log in. Return the answer that ended it, `None` when all is well."""
        self._request = request
        starttls = self._server.security == "starttls"
        opened = self._drive(opening(self._server.local_hostname, starttls=starttls, credentials=credentials))
        if isinstance(opened, SmtpAnswer):
            return opened
        self._features, self.usable = opened, True
        return None

    def hand_over(self, request: SmtpRequest) -> SmtpAnswer:
        """Send an e-mail. Raises `TransportError`; its `request_sent` says whether the server may have taken it."""
        self._request = request
        self.usable, self._handed_over = False, False
        self.messages += 1
        answer = self._drive(transaction(request, self._features, reset=self._reset))
        self._reset = not answer.accepted
        # In an answer that was put together from several transactions the last one may have lost the connection.
        self.usable = (
            self._client.sock is not None
            and answer.reply.code != 421
            and not any(isinstance(why, TransportError) or why.code == 421 for why in answer.refused.values())
            and self.messages < self._server.messages_per_connection
        )
        self._expires_at = time.monotonic() + self._server.idle_limit
        return answer

    def quit(self) -> None:
        """Say good-bye and close the connection."""
        with contextlib.suppress(OSError, TransportError):
            self._client.wait_until = time.monotonic() + QUIT_PATIENCE
            self._client.timeout_of_step = QUIT_PATIENCE
            self._client.send_all(b"QUIT\r\n")
            self._client.getreply()
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a word."""
        self.usable = False
        self._client.close()

    def _drive(self, dialogue: Dialogue[Result]) -> Result:
        try:
            step = next(dialogue)
            while True:
                try:
                    reply = self._perform(step)
                except (OSError, smtplib.SMTPException, TransportError) as error:
                    step = dialogue.throw(smtp_error(error, request_sent=self._handed_over))
                else:
                    step = dialogue.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _perform(self, step: bytes | Step | Content) -> SmtpReply:
        client, request = self._client, self._request
        assert request is not None  # noqa: S101  # both callers set it
        client.timeout_of_step, client.wait_until = request.timeout, request.deadline
        if isinstance(step, Content):
            view = memoryview(step.data)
            for start in range(0, len(view), PART):
                client.send_all(view[start : start + PART])
            # Until here nothing can have been taken; from here on it is unknown until the reply.
            self._handed_over = True
            client.send_all(b".\r\n")
            reply = client.reply()
            self._handed_over = False
            return reply
        if step is Step.CONNECT:
            client.reach(self._server.host, self._server.port, request)
            if self._server.security == "tls":
                client.encrypt(self._context, self._server.host)
            return client.reply()
        if step is Step.STARTTLS:
            client.send_all(b"STARTTLS\r\n")
            reply = client.reply()
            if reply.code == 220:
                client.encrypt(self._context, self._server.host)
            return reply
        client.send_all(step + b"\r\n")
        return client.reply()


class _Client(smtplib.SMTP):
    """smtplib's connection, whose every wait ends with the step's timeout and with the deadline.

    A timeout of a socket bounds one read. A server that sends a byte now and then would reset it for ever.
    """

    def __init__(self, local_hostname: str) -> None:
        super().__init__(local_hostname=local_hostname)
        self.timeout_of_step = 0.0
        self.wait_until: float | None = None
        self._unread = bytearray()

    @property
    def has_unread(self) -> bool:
        """Whether the server has said more than it was asked."""
        return bool(self._unread)

    def reach(self, host: str, port: int, request: SmtpRequest) -> None:
        """Connect to the first address that answers. Name resolution takes as long as the system lets it."""
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(patience(request))
                connected.connect(address)
                # What is left of an e-mail and its dot are written apart, and need not wait for each other.
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                connected.close()
                if index == len(addresses) - 1:
                    raise
            except BaseException:
                connected.close()
                raise
            else:
                self.sock = connected
                return

    def encrypt(self, context: ssl.SSLContext | None, host: str) -> None:
        """Shake hands. What came before in the clear, unasked, ends the connection: it may be somebody else's."""
        assert context is not None  # noqa: S101  # made for every server that is not spoken to in the clear
        if self._unread:
            raise TransportError("the server said more than one reply to STARTTLS", request_sent=False)
        self.sock = context.wrap_socket(self._waiting(), server_hostname=host)

    def send_all(self, data: bytes | memoryview) -> None:
        """Send it."""
        self._waiting().sendall(data)

    def reply(self) -> SmtpReply:
        """Return the next reply."""
        code, text = self.getreply()
        return SmtpReply(code, text.decode("utf-8", "replace"))

    def getreply(self) -> tuple[int, bytes]:
        """Return the code and the text of the next reply, its lines joined by line feeds."""
        ends_at = time.monotonic() + self.timeout_of_step
        self.wait_until = ends_at if self.wait_until is None else min(ends_at, self.wait_until)
        lines: list[bytes] = []
        size = 0
        while True:
            line = self._line()
            size += len(line)
            if not line[:3].isdigit() or line[3:4] not in {b"", b" ", b"-"} or size > LONGEST_REPLY:
                raise TransportError("the server's answer is no SMTP")
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def close(self) -> None:
        """Close the socket."""
        connected, self.sock = self.sock, None
        if connected is not None:
            connected.close()

    def _line(self) -> bytes:
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > LONGEST_REPLY:
                raise TransportError("the server's answer is no SMTP")
            received = self._waiting().recv(8192)
            if not received:
                raise TransportError("the server closed the connection")
            self._unread += received
        line = bytes(self._unread[:end]).rstrip(b"\r")
        del self._unread[: end + 1]
        return line

    def _waiting(self) -> socket.socket:
        """Return the socket, set to wait at most what is left."""
        connected, left = self.sock, self.timeout_of_step
        if connected is None:
            raise TransportError("the connection is closed")
        if self.wait_until is not None:
            left = min(left, self.wait_until - time.monotonic())
        if left <= 0:
            raise TransportTimeoutError("the server took too long")
        connected.settimeout(left)
        return connected


def smtp_error(error: Exception, *, request_sent: bool) -> TransportError:
    """Return what a failure of sockets, TLS, smtplib or aiosmtplib is to the client."""
    if isinstance(error, TransportError):
        error.request_sent = request_sent
        return error
    kind = TransportTimeoutError if isinstance(error, TimeoutError) else TransportError
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    failure = kind(text, request_sent=request_sent)
    failure.__cause__ = error
    return failure
