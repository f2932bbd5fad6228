"""One connection to a mail server, on aiosmtplib and asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, TypeVar, cast

import aiosmtplib

from poststack.transports._smtp_dialogue import Content, SmtpAnswer, SmtpReply, Step, opening, transaction
from poststack.transports._smtp_session import smtp_error
from poststack.transports._smtp_settings import PART, QUIT_PATIENCE, patience
from poststack.transports._sockets import is_readable
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    import socket
    import ssl

    from poststack.transports._smtp_dialogue import Credentials, Dialogue, SmtpRequest
    from poststack.transports._smtp_settings import SmtpServer

__all__ = ["AsyncSmtpSession"]

Result = TypeVar("Result")


class AsyncSmtpSession:
    """A connection. Not for two tasks at a time. After any `TransportError` it is good for `abandon` only."""

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.local_hostname,
            use_tls=server.security == "tls",
            start_tls=False,  # It is the dialogue that says when.
            tls_context=context,
        )
        self._writer: asyncio.StreamWriter | None = None
        self._features: dict[str, str] = {}
        self._reset = False
        self._expires_at = 0.0
        self.handed_over = False
        """Whether the e-mail in progress may have been taken."""
        self.messages = 0
        """How many e-mails it was used for."""
        self.usable = False
        """Whether it may be used for another."""

    @property
    def stale(self) -> bool:
        """Whether it was idle for too long, or the server said something meanwhile: a farewell, most likely."""
        if time.monotonic() > self._expires_at or not self._client.is_connected:
            return True
        connected = self._client.get_transport_info("socket")
        return connected is None or is_readable(cast("socket.socket", connected))

    async def open(self, request: SmtpRequest, credentials: Credentials | None) -> SmtpAnswer | None:
        """Connect and log in. Return the answer that ended it, `None` when all is well."""
        starttls = self._server.security == "starttls"
        dialogue = opening(self._server.local_hostname, starttls=starttls, credentials=credentials)
        opened = await self._drive(dialogue, request)
        if isinstance(opened, SmtpAnswer):
            return opened
        self._features, self.usable = opened, True
        return None

    async def hand_over(self, request: SmtpRequest) -> SmtpAnswer:
        """Send an e-mail. Raises `TransportError`; its `request_sent` says whether the server may have taken it."""
        self.usable, self.handed_over = False, False
        self.messages += 1
        answer = await self._drive(transaction(request, self._features, reset=self._reset), request)
        self._reset = not answer.accepted
        self.usable = self._client.is_connected and self.messages < self._server.messages_per_connection
        self._expires_at = time.monotonic() + self._server.idle_limit
        return answer

    async def quit(self) -> None:
        """Say good-bye and close the connection."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, ValueError):
            await self._client.quit(timeout=QUIT_PATIENCE)
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a word."""
        self.usable = False
        self._client.close()

    async def _drive(self, dialogue: Dialogue[Result], request: SmtpRequest) -> Result:
        try:
            step = next(dialogue)
            while True:
                try:
                    reply = await self._perform(step, request)
                except asyncio.TimeoutError as error:  # On Python 3.10 it is no TimeoutError.
                    late = TransportTimeoutError("the server took too long", request_sent=self.handed_over)
                    late.__cause__ = error
                    step = dialogue.throw(late)
                except (OSError, aiosmtplib.SMTPException, TransportError) as error:
                    step = dialogue.throw(smtp_error(error, request_sent=self.handed_over))
                else:
                    step = dialogue.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _perform(self, step: bytes | Step | Content, request: SmtpRequest) -> SmtpReply:
        if isinstance(step, Content):
            return await self._send_content(step.data, request)
        if step is Step.CONNECT:
            return await self._connect(request)
        if step is Step.STARTTLS:
            return await self._encrypt(request)
        return _reply(await self._client.execute_command(step, timeout=patience(request)))

    async def _connect(self, request: SmtpRequest) -> SmtpReply:
        try:
            return _reply(await self._client.connect(timeout=patience(request)))
        except aiosmtplib.SMTPConnectResponseError as error:
            return SmtpReply(error.code, error.message)

    async def _encrypt(self, request: SmtpRequest) -> SmtpReply:
        protocol, context = self._client.protocol, self._context
        assert context is not None  # noqa: S101  # made for every server that is not spoken to in the clear
        if protocol is None:
            raise TransportError("the connection is closed")
        try:
            reply = await protocol.start_tls(context, server_hostname=self._server.host, timeout=patience(request))
        except aiosmtplib.SMTPResponseException as error:
            return SmtpReply(error.code, error.message)
        self._client.transport = protocol.transport
        return _reply(reply)

    async def _send_content(self, data: bytes, request: SmtpRequest) -> SmtpReply:
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or transport is None:
            raise TransportError("the connection is closed")
        if self._writer is None:
            loop = asyncio.get_running_loop()
            self._writer = asyncio.StreamWriter(cast("asyncio.WriteTransport", transport), protocol, None, loop)
        # aiosmtplib's own DATA would give all of it the time of one step, and could not tell before from after.
        view = memoryview(data)
        for start in range(0, len(view), PART):
            protocol.write(bytes(view[start : start + PART]))
            await asyncio.wait_for(self._writer.drain(), patience(request))
        left = patience(request)
        if not self._client.is_connected:
            raise TransportError("the server closed the connection")
        # Until here nothing can have been taken; from here on it is unknown until the reply.
        self.handed_over = True
        protocol.write(b".\r\n")
        reply = _reply(await protocol.read_response(timeout=left))
        self.handed_over = False
        if reply.code == 421:
            self._client.close()
        return reply


def _reply(response: aiosmtplib.SMTPResponse) -> SmtpReply:
    return SmtpReply(response.code, response.message.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
