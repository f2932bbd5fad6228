"""The module that Django asks an `ENGINE` for. Any process that is given the settings has the right driver, too."""

from __future__ import annotations

from importlib import import_module
from typing import Any

driver: Any = import_module("pymysql")
# Passes for MySQLdb, the only driver that Django looks for, in a version that Django accepts.
driver.install_as_MySQLdb()

from django.db.backends.mysql.base import DatabaseWrapper  # noqa: E402  # imports MySQLdb

__all__ = ["DatabaseWrapper"]
