"""Telling drainers that there is something to send, and hearing it: the latency is not the polling interval.

    PostgreSQL   NOTIFY after the commit; drainers LISTEN on a connection of their own
    SQLite       nothing to tell: a commit changes `PRAGMA data_version`, which drainers read every 50 ms
    others       drainers look once a second

Nothing depends on it: whoever hears nothing looks every `POLL` seconds.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db import connections

from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["Listener", "listener", "wake"]

CHANNEL: Final = "poststack_outbox"
logger = logging.getLogger("poststack.django")


def wake(keys: Sequence[int], using: str) -> None:
    """Tell whoever can send these rows that they are committed. For `transaction.on_commit(…, robust=True)`."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    if get_settings().outbox.tasks:
        from poststack_django.tasks import enqueue

        enqueue(keys)


class Listener(Protocol):
    """Waits for rows on behalf of one drainer."""

    def wait(self, seconds: float, stop: int) -> None:
        """Return when there may be something to send, after so many seconds, or when `stop`, a file, can be read."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def listener(using: str) -> Listener:
    """Return what hears of new rows in this database."""
    vendor = connections[using].vendor
    if vendor == "postgresql":
        return _PostgresListener(using)
    return _SqliteListener(using) if vendor == "sqlite" else _Clock()


class _Clock:
    """Hears nothing, and looks often."""

    longest = 1.0

    def wait(self, seconds: float, stop: int) -> None:
        select.select([stop], [], [], min(seconds, self.longest))

    def close(self) -> None:
        """Nothing is held."""


class _PostgresListener:
    """A connection of its own: that of the drainer is in transactions, and may be pooled."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._connection: BaseDatabaseWrapper | None = None

    def wait(self, seconds: float, stop: int) -> None:
        try:
            connection = self._connected()
        except Exception as error:  # noqa: BLE001  # without it the drainer still looks every so often
            logger.warning("The outbox cannot listen for new e-mails: %s.", type(error).__name__)
            self.close()
            select.select([stop], [], [], min(seconds, _Clock.longest))
            return
        try:
            select.select([connection, stop], [], [], seconds)
            _drop_notifications(connection)
        except Exception as error:  # noqa: BLE001  # a server that went away; the next wait connects anew
            logger.warning("The outbox has lost the connection that it listens on: %s.", type(error).__name__)
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001  # it is gone, which is what was wanted
                logger.debug("Closing it raised %s.", type(error).__name__)

    def _connected(self) -> Any:
        if self._connection is None:
            connection = connections.create_connection(self._using)
            connection.connect()
            self._connection = connection
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
        return self._connection.connection


def _drop_notifications(connection: Any) -> None:
    """Take what has arrived from the socket: how many notifications is of no interest, only that there were some."""
    if hasattr(connection, "poll"):  # psycopg 2
        connection.poll()
        connection.notifies.clear()
        return
    for _ in connection.notifies(timeout=0):
        pass


class _SqliteListener:
    """Looks whether the file was changed by another connection, which costs next to nothing."""

    interval = 0.05

    def __init__(self, using: str) -> None:
        self._using = using
        self._seen = self._version()

    def wait(self, seconds: float, stop: int) -> None:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            version = self._version()
            if version != self._seen:
                self._seen = version
                return
            if select.select([stop], [], [], min(left, self.interval))[0]:
                return

    def close(self) -> None:
        """Nothing is held: it reads on the drainer's own connection, whose own writes do not count."""

    def _version(self) -> int:
        with connections[self._using].cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            version: int = cursor.fetchone()[0]
        return version
