"""A TCP server that does to each connection whatever a test's script says, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"id":"em_1"}'


@dataclass
class Received:
    """One request as it came, and the number of the connection it came on."""

    connection: int
    head: bytes
    body: bytes

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    @property
    def header_list(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str:
        return next((value for given, value in self.header_list if given.lower() == name.lower()), "")


class Visitor:
    """One connection, as the script sees it. Everything here ends quietly once the client has gone."""

    def __init__(self, server: Server, connection: socket.socket, number: int) -> None:
        self._server = server
        self._socket = connection
        self._unread = b""
        self.number = number

    def request(self) -> Received | None:
        """Return the next whole request, `None` when the client has gone."""
        while b"\r\n\r\n" not in self._unread:
            if not self._read():
                return None
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        received = Received(self.number, head, b"")
        length = int(received.header("content-length") or 0)
        while len(self._unread) < length:
            if not self._read():
                return None
        received.body, self._unread = self._unread[:length], self._unread[length:]
        self._server.requests.append(received)
        return received

    def send(self, data: bytes) -> bool:
        """Send everything and return whether the client still listens."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def drip(self, data: bytes) -> None:
        """Send the same bytes now and then, until the client goes or the test ends."""
        while self.send(data) and not self._server.stopping.wait(0.01):
            pass

    def stay_silent(self) -> None:
        """Read nothing and say nothing until the test ends."""
        self._server.stopping.wait()

    def sip(self, pause: float) -> None:
        """Read a little now and then and say nothing, until the client goes or the test ends."""
        with contextlib.suppress(OSError):
            while self._socket.recv(16 * 1024) and not self._server.stopping.wait(pause):
                pass

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on. Raises `OSError` when the client declines."""
        encrypted = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = encrypted
        encrypted.do_handshake()

    def join(self, port: int) -> None:
        """Pass everything between the client and another port of this machine, as a tunnel does."""
        with socket.create_connection(("127.0.0.1", port)) as other:
            back = threading.Thread(target=_copy, args=(other, self._socket), daemon=True)
            back.start()
            _copy(self._socket, other)
            back.join()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except OSError:
            return False
        self._unread += data
        return bool(data)


@dataclass
class Server:
    """A running server."""

    port: int
    requests: list[Received] = field(default_factory=list[Received], repr=False)
    stopping: threading.Event = field(default_factory=threading.Event)
    visitors: list[Visitor] = field(default_factory=list[Visitor])
    open_connections: set[int] = field(default_factory=set[int])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self.visitors)

    def wait_until_closed(self) -> None:
        """Return when no connection is open: a server hears of it a moment after the client has closed it."""
        while self.open_connections:
            self.stopping.wait(0.001)


@contextlib.contextmanager
def serving(script: Callable[[Visitor], None]) -> Generator[Server, None, None]:
    """Run the script for each connection in a thread of its own; close the connection when it returns."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = Server(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def visit(visitor: Visitor) -> None:
        with contextlib.suppress(OSError):
            script(visitor)
        visitor.close()
        server.open_connections.discard(visitor.number)

    def accept() -> None:
        while not server.stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            visitor = Visitor(server, connection, len(server.visitors))
            server.visitors.append(visitor)
            server.open_connections.add(visitor.number)
            thread = threading.Thread(target=visit, args=(visitor,), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread that waits in accept.
        listener.close()
        acceptor.join()
        for visitor in server.visitors:
            visitor.close()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def closed_port() -> Generator[int, None, None]:
    """Give a port of 127.0.0.1 on which nobody listens, and nobody else will meanwhile."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def answering(answer: bytes = ACCEPTED) -> Callable[[Visitor], None]:
    """Return a script that gives every request the same answer and keeps the connection."""

    def script(visitor: Visitor) -> None:
        while visitor.request() and visitor.send(answer):
            pass

    return script


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
