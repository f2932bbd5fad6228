"""The data file: every change goes into SQLite before the request that caused it is answered.

The write-ahead log survives a killed process. Losing power may lose the last changes, never the file:
nothing is synced per request, which would cost more than a tool for development gains by it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poststack.emulator.codec import delivery_from, email_from, message_from, message_to_json
from poststack.emulator.model import Email
from poststack.emulator.store import Contents
from poststack.emulator.tables import Kind

__all__ = ["DataFileError", "SqliteJournal"]

# Marks the file as ours, so that no other database is written into by accident.
_APPLICATION_ID = 0x50535445
_VERSION = 1
_TABLES = """
CREATE TABLE records (kind TEXT, number INTEGER, content TEXT NOT NULL, PRIMARY KEY (kind, number)) WITHOUT
ROWID; CREATE TABLE messages (number INTEGER PRIMARY KEY, content TEXT NOT NULL); CREATE TABLE attachments
(number INTEGER, position INTEGER, content BLOB, PRIMARY KEY (number, position)); CREATE TABLE highest (kind
TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""


class DataFileError(Exception):
    """The data file cannot be used: in use by another emulator, not writable, or not an emulator's."""


class SqliteJournal:
    """A `Journal` in one SQLite file, which it locks and which only its owner can read.

    It holds mail and secrets.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._changed: dict[tuple[str, int], Callable[[], Mapping[str, Any]]] = {}
        self._removed: dict[tuple[str, int], None] = {}
        self._added: dict[int, Email] = {}
        self._highest: dict[str, int] = {}
        with self._explained():
            self._database = self._open()

    def load(self, kinds: Iterable[Kind[Any]]) -> Contents:
        """Return what the file holds of these kinds.

        Raises `DataFileError`, and closes the file, when it is damaged.
        """
        try:
            with self._explained():
                return Contents(
                    emails=list(self._emails()),
                    deliveries=[delivery_from(content) for content in self._records("delivery")],
                    records={
                        kind.name: [kind.read(**content) for content in self._records(kind.name)] for kind in kinds
                    },
                )
        except DataFileError:
            self.close()
            raise

    def highest(self) -> dict[str, int]:
        """Return the highest number given out, by kind."""
        with self._explained():
            rows = self._database.execute("SELECT kind, number FROM highest").fetchall()
            self._highest = {str(kind): int(number) for kind, number in rows}
        return dict(self._highest)

    def added(self, email: Email) -> None:
        """Keep the message of a new e-mail at the next commit."""
        self._added[email.number] = email

    def changed(self, kind: str, number: int, content: Callable[[], Mapping[str, Any]]) -> None:
        """Keep the state that a record has at the next commit."""
        self._changed[kind, number] = content

    def removed(self, kind: str, number: int) -> None:
        """Delete a record at the next commit."""
        self._changed.pop((kind, number), None)
        self._removed[kind, number] = None
        if kind == "email":
            self._added.pop(number, None)

    def commit(self, highest: Mapping[str, int]) -> None:
        """Write all changes in one transaction.

        Raises `DataFileError`, and keeps the changes for the next time.
        """
        if not self._changed and not self._removed:
            return
        with self._explained(), self._database:
            self._delete()
            for email in self._added.values():
                self._insert_message(email)
            self._database.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?)",
                [(kind, number, _encode(content())) for (kind, number), content in self._changed.items()],
            )
            new = list(highest.items() - self._highest.items())
            self._database.executemany("INSERT OR REPLACE INTO highest VALUES (?, ?)", new)
        self._highest = dict(highest)
        for pending in (self._changed, self._removed, self._added):
            pending.clear()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        # Created here, so that it never exists with the permissions of the umask.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        # The lock of the Emulator keeps two threads from using it at a time.
        database = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        application = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
        empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty:
            database.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID};"
                f"PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        elif application != _APPLICATION_ID:
            raise DataFileError(f"{self._path} is not an emulator's data file. Choose another name.")
        elif version != _VERSION:
            raise DataFileError(f"{self._path} is of another version. Delete it or choose another name.")

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = "Is another emulator using it?" if "locked" in str(error) else "Check the path and the disk."
            raise DataFileError(f"The data file {self._path} cannot be used: {error}. {hint}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise DataFileError(f"The data file {self._path} is damaged. Delete it to start afresh.") from error

    def _records(self, kind: str) -> Iterator[dict[str, Any]]:
        rows = self._database.execute("SELECT content FROM records WHERE kind = ? ORDER BY number", (kind,))
        for (content,) in rows:
            yield json.loads(content)

    def _emails(self) -> Iterator[Email]:
        for content in self._records("email"):
            number = content["number"]
            query = "SELECT content FROM messages WHERE number = ?"
            (message,) = self._database.execute(query, (number,)).fetchone()
            query = "SELECT content FROM attachments WHERE number = ? ORDER BY position"
            files = [content for (content,) in self._database.execute(query, (number,))]
            yield email_from(content, message_from(json.loads(message), files))

    def _insert_message(self, email: Email) -> None:
        content = json.dumps(message_to_json(email.message))
        self._database.execute("INSERT OR REPLACE INTO messages VALUES (?, ?)", (email.number, content))
        self._database.executemany(
            "INSERT OR REPLACE INTO attachments VALUES (?, ?, ?)",
            [
                (email.number, position, attachment.content)
                for position, attachment in enumerate(email.message.attachments)
            ],
        )

    def _delete(self) -> None:
        gone = list(self._removed)
        self._database.executemany("DELETE FROM records WHERE kind = ? AND number = ?", gone)
        numbers = [(number,) for kind, number in gone if kind == "email"]
        self._database.executemany("DELETE FROM messages WHERE number = ?", numbers)
        self._database.executemany("DELETE FROM attachments WHERE number = ?", numbers)


def _encode(content: Mapping[str, Any]) -> str:
    # ASCII only: SQLite cannot hold the lone surrogates that text from elsewhere may contain, JSON escapes
    # can.
    return json.dumps(content)
