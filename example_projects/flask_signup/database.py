"""The SQLite file that the site, its commands and the worker share."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import current_app, g

if TYPE_CHECKING:
    from collections.abc import Generator

    from flask import Flask

HERE = Path(__file__).parent


def path() -> Path:
    """Return where the file is, for programs that are no Flask application too."""
    return Path(os.environ.get("SIGNUP_DATA_DIR", HERE / "data")) / "signup.sqlite3"


def connect(file: Path) -> sqlite3.Connection:
    """Return a new connection. Several processes write: each waits for its turn instead of failing."""
    connection = sqlite3.connect(file, timeout=20, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA foreign_keys = on")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Commit at the end of the block, or, if it raises, roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def get() -> sqlite3.Connection:
    """Return the connection of this request or command."""
    if "database" not in g:
        g.database = connect(_file(current_app))
    connection: sqlite3.Connection = g.database
    return connection


def init_app(app: Flask) -> None:
    """Create what is missing, and close the connections of requests."""
    file = _file(app)
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(file)
    connection.executescript((HERE / "schema.sql").read_text("utf-8"))
    connection.close()
    app.teardown_appcontext(_close)


def _file(app: Flask) -> Path:
    return cast("Path", app.config["DATABASE"])


def _close(error: BaseException | None) -> None:
    if "database" in g:
        g.pop("database").close()
