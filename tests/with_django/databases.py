"""Databases on servers: an empty one for whoever asks, in this process or in another, and gone afterwards.

A server that cannot be reached is a skip, or a failure where `POSTSTACK_REQUIRE_SERVICES=1` demands it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from django.db import connections
from django.test import override_settings

from tests.services import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["KINDS", "Kind", "Router", "created_database", "database_settings", "routed", "run_python"]

Kind = Literal["postgresql", "mariadb"]
KINDS: Final[tuple[Kind, ...]] = ("postgresql", "mariadb")

ROOT: Final = Path(__file__).parents[2]
ALIAS: Final = "on_server"
_URLS: Final = {
    "postgresql": ("POSTSTACK_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("POSTSTACK_TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
}
_SECONDS_TO_CONNECT: Final = 3
_numbers = count(1)


@contextmanager
def database_settings(kind: Kind) -> Generator[dict[str, dict[str, Any]]]:
    """Create an empty database; yield the setting `DATABASES` of a project that has it as its only one.

    The setting can be written as JSON and handed to other processes, which need the project's root on their path.
    """
    with created_database(kind) as settings:
        yield {"default": settings}


@contextmanager
def created_database(kind: Kind) -> Generator[dict[str, Any]]:
    """Create an empty database with a name of its own; yield the settings of one alias. Dropped at the end."""
    variable, default = _URLS[kind]
    server = urlsplit(os.environ.get(variable, default))
    name = f"poststack_{os.getpid()}_{next(_numbers)}"
    with _MAKERS[kind](server, name):
        yield {
            "ENGINE": {"postgresql": "django.db.backends.postgresql", "mariadb": "tests.with_django.mariadb"}[kind],
            "NAME": name,
            "HOST": server.hostname,
            "PORT": str(server.port or {"postgresql": 5432, "mariadb": 3306}[kind]),
            "USER": unquote(server.username or {"postgresql": "postgres", "mariadb": "root"}[kind]),
            "PASSWORD": unquote(server.password or ""),
        }


@contextmanager
def routed(settings: dict[str, Any]) -> Generator[str]:
    """Have the app's tables, and nothing else, in this database; yield its alias."""
    connections.settings[ALIAS] = {**connections.settings["default"], **settings}
    try:
        with override_settings(DATABASE_ROUTERS=[f"{__name__}.Router"]):
            yield ALIAS
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]


def run_python(databases: dict[str, dict[str, Any]], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python of its own in the tests' project, with this setting `DATABASES`."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.with_django.settings_on_server",
        "POSTSTACK_TEST_DATABASES": json.dumps(databases),
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


class Router:
    """Sends the app's tables to the database of the running test."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return ALIAS if model._meta.app_label == "poststack" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        return app_label == "poststack" if db == ALIAS else None


@contextmanager
def _on_postgresql(url: SplitResult, name: str) -> Generator[None]:
    driver = _driver("psycopg", "PostgreSQL")
    try:
        server = driver.connect(url.geturl(), autocommit=True, connect_timeout=_SECONDS_TO_CONNECT)
    except driver.OperationalError as error:
        is_missing(f"no PostgreSQL: {_first_line(error)}")
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        # Whoever kills processes here leaves the server alone, so nothing is lost that its disk does not have yet.
        server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        try:
            yield
        finally:
            # Whoever is still connected was killed, or is a thread that has ended.
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _on_mariadb(url: SplitResult, name: str) -> Generator[None]:
    driver = _driver("pymysql", "MariaDB")
    try:
        server = driver.connect(
            host=url.hostname,
            port=url.port or 3306,
            user=unquote(url.username or "root"),
            password=unquote(url.password or ""),
            autocommit=True,
            connect_timeout=_SECONDS_TO_CONNECT,
        )
    except driver.err.OperationalError as error:
        is_missing(f"no MariaDB: {_first_line(error)}")
    with server, server.cursor() as cursor:
        # The character set of every new installation, with the collation that comes with it: it takes `a` for `A`.
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        try:
            yield
        finally:
            # It has no FORCE: a connection within a transaction would hold the tables for a day.
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            for (connection,) in cursor.fetchall():
                cursor.execute("KILL %s", (connection,))
            cursor.execute(f"DROP DATABASE `{name}`")


_MAKERS: Final[dict[Kind, Callable[[SplitResult, str], Any]]] = {"postgresql": _on_postgresql, "mariadb": _on_mariadb}


def _driver(name: str, server: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        is_missing(f"no driver for {server}: install {name}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
