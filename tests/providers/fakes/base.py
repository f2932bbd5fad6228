"""A provider on this machine, stricter than the real one: it refuses what that refuses, and remembers what it took.

It speaks HTTP/1.1 over real sockets and counts connections. `faults` are answers that come before its own, in order.
"""

from __future__ import annotations

import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


@dataclass
class HttpRequestSeen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names are lower-case."""
    body: bytes
    connection: int


@dataclass
class HttpAnswer:
    """What the fake answers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Fault:
    """Something else than the fake's own answer.

    `taken`: the request is dealt with as usual first, so its e-mails are accepted, and then its answer is lost.
    `reset`: the connection is reset instead of an answer. `stall`: nothing is answered for so many seconds.
    """

    answer: HttpAnswer | None = None
    taken: bool = False
    reset: bool = False
    stall: float = 0.0


FileTaken: TypeAlias = "tuple[str, bytes, str, str | None]"


@dataclass
class Delivered:
    """One e-mail that the fake took, in terms that are the same for all providers.

    Addresses are (name, address). What the provider has no place for stays at its default.
    """

    message_id: str
    sender: tuple[str, str]
    to: list[tuple[str, str]]
    cc: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    bcc: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    reply_to: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    tags: list[str] = field(default_factory=list[str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    attachments: list[FileTaken] = field(default_factory=list["FileTaken"])
    """(file name, content, bare media type in lower case, content id)."""
    template_id: str | None = None
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    scheduled_at: int | None = None
    """Seconds since 1970."""
    track_opens: bool | None = None
    track_clicks: bool | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class Refused(Exception):
    """Raised by a fake to refuse a request."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class FakeProvider(ABC):
    """Serves while it is in use as a context manager."""

    knows_templates = True
    """Whether it takes any id for that of a template; else its templates would have to be made first."""
    keeps_names_of_images = True
    """Whether an image inside the HTML keeps its file name beside its content id."""

    def __init__(self) -> None:
        self.requests: list[HttpRequestSeen] = []
        self.delivered: list[Delivered] = []
        self.faults: deque[Fault] = deque()
        self.connections = 0
        self.open_connections = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.latency = 0.0
        """Seconds before every answer."""
        self.lock = threading.RLock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Return where it is, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        """Check the request as strictly as the provider, note what is delivered, and answer. May raise `Refused`."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the arguments with which `MailBridge` sends to this fake."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def respond(self, request: HttpRequestSeen) -> HttpAnswer | Fault:
        with self.lock:
            self.requests.append(request)
            fault = self.faults.popleft() if self.faults else None
            if fault is None or fault.taken:
                try:
                    answer = self.answer(request)
                except Refused as refused:
                    answer = refused.answer
                if fault is None:
                    return answer
            return fault.answer if fault.answer is not None and not fault.stall else fault

    def wait(self, seconds: float) -> None:
        if seconds:
            self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    fake: FakeProvider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.fake = cast("_Server", self.server).fake
        with self.fake.lock:
            self.fake.connections += 1
            self.fake.open_connections += 1
            self.number = self.fake.connections

    def finish(self) -> None:
        with self.fake.lock:
            self.fake.open_connections -= 1
        super().finish()

    def do_POST(self) -> None:
        self._serve()

    do_GET = do_PUT = do_DELETE = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        fake = self.fake
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with fake.lock:
            fake.in_flight += 1
            fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            answer = fake.respond(HttpRequestSeen(self.command, self.path, headers, body, self.number))
            fake.wait(fake.latency)
        finally:
            with fake.lock:
                fake.in_flight -= 1
        if isinstance(answer, Fault):
            fake.wait(answer.stall)
            if answer.answer is None:
                self._reset()
                return
            answer = answer.answer
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _reset(self) -> None:
        self.close_connection = True
        # With no time to linger, closing sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def answers(status: int, body: str | bytes = b"", **headers: str) -> Fault:
    """Return a fault that is an answer; underscores in header names are hyphens."""
    data = body.encode() if isinstance(body, str) else body
    return Fault(HttpAnswer(status, data, {name.replace("_", "-"): value for name, value in headers.items()}))


def repeated(fault: Callable[[], Fault], times: int) -> deque[Fault]:
    """Return so many of the same fault."""
    return deque(fault() for _ in range(times))
