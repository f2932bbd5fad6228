"""A mail server as strict as servers should be (providers.md §9, §11), on aiosmtpd.

It refuses e-mails with a lone CR or LF, with a header twice that may be there once, with addresses nobody can parse,
without Date or Message-ID, and with 8-bit content that was not announced.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.providers.fakes.smtp_content import delivered_from, problem_of

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Self

    from tests.providers.fakes.base import Delivered

USERNAME: Final = "shop@example.org"
PASSWORD: Final = "correct horse"
TOKEN: Final = "ya29.token"


@dataclass(frozen=True)
class Event:
    """Something else than the fake's own reply: `reply`, after `delay` seconds; with `drop`, the end of the connection.

    `taken`: at the end of the content, the e-mail is accepted all the same.
    """

    reply: str | None = None
    drop: bool = False
    delay: float = 0.0
    taken: bool = False


@dataclass
class SessionSeen:
    """One connection."""

    commands: list[str] = field(default_factory=list[str])
    """Verbs, in order."""
    messages: int = 0
    encrypted: bool = False
    username: str | None = None
    hello: str | None = None
    mechanism: str | None = None
    mail_options: list[list[str]] = field(default_factory=list[list[str]])
    ended_politely: bool = False


class FakeSmtp:
    """Serves while it is in use as a context manager."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        offers_starttls: bool = True,
        requires_login: bool = False,
        mechanisms: tuple[str, ...] = ("LOGIN", "PLAIN"),
        knows_utf8: bool = True,
        size: int = 2**25,
        most_recipients: int = 1000,
        most_per_connection: int = 1000,
    ) -> None:
        self.sessions: list[SessionSeen] = []
        self.delivered: list[Delivered] = []
        self.contents: list[bytes] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.refusals: dict[str, str] = {}
        """Replies to RCPT, by address."""
        self.events: dict[str, deque[Event]] = {}
        """What comes instead, once each: by verb, CONNECT for the greeting, CONTENT after 354, END at the end."""
        self.latency = 0.0
        self.open_connections = 0
        self.most_open_connections = 0
        self.lock = threading.Lock()
        self.tls = tls
        self.implicit = implicit
        self.offers_starttls = offers_starttls
        self.requires_login = requires_login
        self.mechanisms = mechanisms
        self.knows_utf8 = knows_utf8
        self.size = size
        self.most_recipients = most_recipients
        self.most_per_connection = most_per_connection
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.BaseTransport] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Return how many there have been."""
        return len(self.sessions)

    def settings(self) -> dict[str, Any]:
        """Return the arguments with which `MailBridge` sends to this fake."""
        login = {"username": USERNAME, "password": PASSWORD} if self.requires_login else {}
        secure = {"use_ssl": self.implicit, "use_tls": self.tls is not None}
        return {"host": "localhost", "port": self.port, **secure, **login}

    def once(self, verb: str, event: Event | str) -> None:
        """Have something else come, once, in answer to a verb."""
        self.events.setdefault(verb, deque()).append(Event(event) if isinstance(event, str) else event)

    def drop_all(self) -> None:
        """Close every connection, as a server that restarts."""

        async def drop() -> None:
            for transport in list(self._transports):
                transport.close()
            await asyncio.sleep(0)

        self._wait_for(drop())

    def __enter__(self) -> Self:
        self._thread.start()

        async def serve() -> None:
            context = self.tls if self.implicit else None
            self._server = await self._loop.create_server(self._protocol, "127.0.0.1", 0, ssl=context)

        self._wait_for(serve())
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            assert self._server is not None
            self._server.close()
            for transport in list(self._transports):
                cast("asyncio.Transport", transport).abort()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

        self._wait_for(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _protocol(self) -> _Connection:
        return _Connection(self, self._loop)

    def opened(self, transport: asyncio.BaseTransport) -> None:
        self._transports.add(transport)
        with self.lock:
            self.open_connections += 1
            self.most_open_connections = max(self.most_open_connections, self.open_connections)

    def closed(self, transports: list[asyncio.BaseTransport]) -> None:
        self._transports.difference_update(transports)
        with self.lock:
            self.open_connections -= 1

    def take(self, envelope: Envelope, content: bytes) -> str:
        """Check an e-mail and keep it. Return the reply."""
        problem = problem_of(envelope, content)
        if problem:
            return f"554 5.6.0 {problem}"
        with self.lock:
            self.contents.append(content)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
            self.delivered.append(delivered_from(envelope, content))
        return f"250 2.0.0 Ok: queued as Q{len(self.delivered)}"


class _Handler:
    """What aiosmtpd asks about each command."""

    def __init__(self, fake: FakeSmtp, seen: SessionSeen) -> None:
        self.fake = fake
        self.seen = seen

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = self.seen.hello = hostname
        self.seen.encrypted = session.ssl is not None or self.fake.implicit
        hidden = [] if self.fake.requires_login else ["250-AUTH"]
        if not self.fake.offers_starttls:
            hidden.append("250-STARTTLS")
        return [response for response in responses if not response.startswith(tuple(hidden))]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.fake.requires_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 non-ASCII address without SMTPUTF8"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self.seen.mail_options.append(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.fake.refusals:
            return self.fake.refusals[address]
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 non-ASCII address without SMTPUTF8"
        if len(envelope.rcpt_tos) >= self.fake.most_recipients:
            return "452 4.5.3 Error: too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        connection = cast("_Connection", server)
        content = envelope.original_content or b""
        event = connection.next_event("END")
        if event is None:
            self.seen.messages += 1
            await asyncio.sleep(self.fake.latency)
            return self.fake.take(envelope, content)
        if event.taken:
            self.fake.take(envelope, content)
        await asyncio.sleep(event.delay)
        if event.drop:
            connection.drop()
            return "250 never seen"
        return event.reply or self.fake.take(envelope, content)

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.seen.ended_politely = True
        return "221 2.0.0 Bye"

    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:
        connection = cast("_Connection", server)
        challenge = b"<1896.697170952@fake.test>"
        said = await connection.challenge_auth(challenge)
        user, _, digest = cast("bytes", said).decode().partition(" ")
        right = hmac.new(PASSWORD.encode(), challenge, hashlib.md5).hexdigest()
        return connection.login("CRAM-MD5", user, digest == right)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        connection = cast("_Connection", server)
        fields = base64.b64decode(args[1]).decode().split("\x01")
        good = fields[1:] == [f"auth=Bearer {TOKEN}", "", ""]
        if not good:
            # The error as JSON, and the client has to answer with an empty line.
            await connection.push("334 " + base64.b64encode(b'{"status":"401"}').decode())
            if await connection.line() != b"\r\n":
                return AuthResult(success=False, handled=False, message="501 5.5.2 not an empty line")
        return connection.login("XOAUTH2", fields[0].removeprefix("user="), good)


class _Connection(SMTP):
    """aiosmtpd's side of one connection, which can also misbehave."""

    def __init__(self, fake: FakeSmtp, loop: asyncio.AbstractEventLoop) -> None:
        self.fake = fake
        self.seen = SessionSeen()
        self._made: list[asyncio.BaseTransport] = []
        known = {"LOGIN", "PLAIN", "CRAM-MD5", "XOAUTH2"}
        super().__init__(
            _Handler(fake, self.seen),
            hostname="fake.test",
            loop=loop,
            data_size_limit=fake.size,
            enable_SMTPUTF8=fake.knows_utf8,
            tls_context=None if fake.implicit else fake.tls,
            auth_require_tls=fake.tls is not None and not fake.implicit,
            auth_exclude_mechanism=known - set(fake.mechanisms),
            authenticator=self._check_password,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._made:
            self.fake.sessions.append(self.seen)
            self.fake.opened(transport)
        self._made.append(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.fake.closed(self._made)
        super().connection_lost(error)

    def next_event(self, verb: str) -> Event | None:
        waiting = self.fake.events.get(verb)
        return waiting.popleft() if waiting else None

    def drop(self) -> None:
        cast("asyncio.Transport", self._made[-1]).abort()

    async def line(self) -> bytes:
        return await self._reader.readline()

    def login(self, mechanism: str, username: str, good: bool) -> AuthResult:
        self.seen.mechanism = mechanism
        if good and username == USERNAME:
            self.seen.username = username
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message="535 5.7.8 Error: authentication failed")

    def _check_password(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return self.login(mechanism, data.login.decode(), data.password.decode() == PASSWORD)

    async def push(self, status: Any) -> None:
        text = status.decode() if isinstance(status, bytes) else str(status)
        event = None
        if text.startswith("220 fake.test ") and not self.seen.commands:
            event = self.next_event("CONNECT")
        elif text.startswith("354"):
            event = self.next_event("CONTENT")
            if event is not None:
                await super().push(status)
                self.drop()
                return
        if event is None or not await self._happens(event):
            await super().push(status)

    async def _happens(self, event: Event) -> bool:
        """Return whether the event took the place of the reply."""
        await asyncio.sleep(event.delay)
        if event.drop:
            self.drop()
        elif event.reply is not None:
            await super().push(event.reply)
            if event.reply.startswith("421"):
                self._made[-1].close()
        return event.drop or event.reply is not None

    async def _instead(self, verb: str) -> bool:
        self.seen.commands.append(verb)
        event = self.next_event(verb)
        return event is not None and await self._happens(event)

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self._instead("EHLO"):
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:
        if not await self._instead("HELO"):
            self.seen.hello = hostname
            await super().smtp_HELO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:
        if not await self._instead("STARTTLS"):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self._instead("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self._instead("MAIL"):
            return
        if self.seen.messages >= self.fake.most_per_connection:
            await self._happens(Event("421 4.7.0 fake.test Error: too many messages in this session"))
            return
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self._instead("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_RSET(self, arg: str) -> None:
        if not await self._instead("RSET"):
            await super().smtp_RSET(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self._instead("DATA"):
            await super().smtp_DATA(arg)
