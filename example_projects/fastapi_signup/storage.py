"""The database: people, letters, and what PostStack has said about them. SQLite, in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import aiosqlite

from example_projects.fastapi_signup.people import Letter, NewLetter, SignUp

__all__ = ["Storage"]

TABLES: Final = """
CREATE TABLE IF NOT EXISTS sign_ups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    page_token TEXT NOT NULL UNIQUE,
    confirm_token TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    confirmed_at REAL
);
CREATE INDEX IF NOT EXISTS sign_ups_by_email ON sign_ups (email, created_at);
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY,
    sign_up_id INTEGER NOT NULL REFERENCES sign_ups (id),
    kind TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    payload TEXT,
    state TEXT NOT NULL DEFAULT 'pending',
    email_id TEXT UNIQUE,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at REAL NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS letters_pending ON letters (next_attempt_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS letters_by_sign_up ON letters (sign_up_id);
CREATE TABLE IF NOT EXISTS events (
    email_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (email_id, type)
) WITHOUT ROWID;
"""
_LETTER: Final = "id, sign_up_id, kind, state, created_at, attempts, email_id, payload"


class Storage:
    """Opened by `Storage.opened`. Whatever returns has been committed."""

    def __init__(self, reading: aiosqlite.Connection, writing: aiosqlite.Connection) -> None:
        self._reading = reading
        self._writing = writing
        # Coroutines share the connection, and a transaction belongs to one of them.
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncGenerator[Storage]:
        """Open the database, and make it if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            reading, writing = [await stack.enter_async_context(_connected(folder)) for _ in range(2)]
            await writing.executescript(TABLES)
            yield cls(reading, writing)

    async def add(self, sign_up: SignUp, letter: NewLetter, *, attempt_in: float) -> tuple[SignUp, Letter]:
        """Store a sign-up and its first letter, both or neither. Until `attempt_in` seconds later it is not `due`."""
        async with self._transaction() as connection:
            values = (sign_up.name, sign_up.email, sign_up.page_token, sign_up.confirm_token, time.time())
            statement = (
                "INSERT INTO sign_ups (name, email, page_token, confirm_token, created_at) VALUES (?, ?, ?, ?, ?)"
            )
            number = _number(await connection.execute(statement, values))
            stored = await _add_letter(connection, number, letter, attempt_in)
        return SignUp(sign_up.name, sign_up.email, number, sign_up.page_token, sign_up.confirm_token), stored

    async def confirm(self, sign_up: SignUp, letter: NewLetter, *, attempt_in: float) -> Letter | None:
        """Store that an address is confirmed, and the letter about it; `None` if it was so already."""
        async with self._transaction() as connection:
            statement = "UPDATE sign_ups SET confirmed_at = ? WHERE id = ? AND confirmed_at IS NULL"
            if not (await connection.execute(statement, (time.time(), sign_up.id))).rowcount:
                return None
            return await _add_letter(connection, sign_up.id, letter, attempt_in)

    async def sign_up_with(self, *, page_token: str = "", confirm_token: str = "") -> SignUp | None:
        """Return the one that has this token."""
        query = (
            "SELECT id, name, email, page_token, confirm_token, confirmed_at FROM sign_ups "
            "WHERE page_token = ? OR confirm_token = ?"
        )
        for row in await self._rows(query, page_token, confirm_token):
            return SignUp(row[1], row[2], row[0], row[3], row[4], None if row[5] is None else _moment(row[5]))
        return None

    async def sign_ups_since(self, email: str, at: float) -> int:
        """Return how often an address was signed up since then."""
        query = "SELECT count(*) FROM sign_ups WHERE email = ? COLLATE NOCASE AND created_at >= ?"
        ((count,),) = await self._rows(query, email, at)
        return int(count)

    async def letters_of(self, sign_up: SignUp) -> list[Letter]:
        """Return somebody's letters, oldest first, with their events."""
        rows = await self._rows(f"SELECT {_LETTER} FROM letters WHERE sign_up_id = ? ORDER BY id", sign_up.id)
        events = await self._rows(
            "SELECT e.email_id, e.type, e.at FROM events e JOIN letters l USING (email_id) WHERE l.sign_up_id = ?",
            sign_up.id,
        )
        return [_letter(row, [event for event in events if event[0] == row[6]]) for row in rows]

    async def pending(self, *, due: bool, limit: int = 20, after: int = 0) -> list[Letter]:
        """Return letters that PostStack has not got, as far as is known: those whose next attempt is due, or all."""
        query = (
            f"SELECT {_LETTER} FROM letters WHERE state = 'pending' AND next_attempt_at <= ? AND id > ? "
            "ORDER BY id LIMIT ?"
        )
        until = time.time() if due else float("inf")
        return [_letter(row) for row in await self._rows(query, until, after, limit)]

    async def set_accepted(self, letter: Letter, email_id: str) -> None:
        """PostStack has it: its payload is no longer needed."""
        await self._write(
            "UPDATE letters SET state = 'accepted', email_id = ?, payload = NULL, attempts = attempts + 1 WHERE id = ?",
            email_id,
            letter.id,
        )

    async def set_ended(self, letter: Letter, state: str) -> None:
        """It will not be sent, or nobody knows whether it was, and it is too late to find out."""
        statement = "UPDATE letters SET state = ?, payload = NULL WHERE id = ? AND state = 'pending'"
        await self._write(statement, state, letter.id)

    async def put_off(self, letter: Letter, seconds: float) -> None:
        """Try again then."""
        await self._write(
            "UPDATE letters SET attempts = attempts + 1, next_attempt_at = ? WHERE id = ? AND state = 'pending'",
            time.time() + seconds,
            letter.id,
        )

    async def add_event(self, email_id: str, kind: str, at: datetime) -> int | None:
        """Store an event, also of a letter whose id is not stored yet, and return whose it is if that is known."""
        statement = "INSERT OR IGNORE INTO events (email_id, type, at) VALUES (?, ?, ?)"
        await self._write(statement, email_id, kind, at.timestamp())
        for (sign_up_id,) in await self._rows("SELECT sign_up_id FROM letters WHERE email_id = ?", email_id):
            return int(sign_up_id)
        return None

    async def forget_foreign_events(self, before: float) -> None:
        """Drop what was said about e-mails that turned out to be no letters of this application."""
        await self._write(
            "DELETE FROM events WHERE at < ? AND email_id NOT IN (SELECT email_id FROM letters WHERE email_id NOTNULL)",
            before,
        )

    async def _rows(self, query: str, *values: object) -> list[Any]:
        async with self._reading.execute(query, values) as cursor:
            return list(await cursor.fetchall())

    async def _write(self, statement: str, *values: object) -> None:
        async with self._transaction() as connection:
            await connection.execute(statement, values)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        async with self._turn:
            await self._writing.execute("BEGIN IMMEDIATE")
            try:
                yield self._writing
            except BaseException:
                await self._writing.rollback()
                raise
            await self._writing.commit()


@asynccontextmanager
async def _connected(folder: Path) -> AsyncGenerator[aiosqlite.Connection]:
    # Autocommit as far as Python is concerned: transactions are begun where they are meant.
    async with aiosqlite.connect(folder / "signup.sqlite3", isolation_level=None, timeout=10) as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute("PRAGMA foreign_keys = ON")
        yield connection


async def _add_letter(
    connection: aiosqlite.Connection, sign_up_id: int, letter: NewLetter, attempt_in: float
) -> Letter:
    now = time.time()
    statement = (
        "INSERT INTO letters (sign_up_id, kind, idempotency_key, payload, next_attempt_at, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?)"
    )
    values = (sign_up_id, letter.kind, letter.key, letter.payload, now + attempt_in, now)
    number = _number(await connection.execute(statement, values))
    return Letter(number, sign_up_id, letter.kind, "pending", _moment(now), payload=letter.payload)


def _number(cursor: aiosqlite.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.DatabaseError("The row has no number.")
    return cursor.lastrowid


def _letter(row: Any, events: Iterable[Any] = ()) -> Letter:
    number, sign_up_id, kind, state, created_at, attempts, email_id, payload = row
    happened = tuple((event_type, _moment(at)) for _, event_type, at in events)
    return Letter(number, sign_up_id, kind, state, _moment(created_at), attempts, email_id, payload, happened)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
