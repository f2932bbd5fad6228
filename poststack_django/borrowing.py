"""The database connection of a worker of a queue, which has no requests at whose end Django would close it.

Imports models late: it may be imported before the apps are ready.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.db import connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["borrowed_connection"]

_opened: Final = threading.local()


@contextmanager
def borrowed_connection() -> Generator[None]:
    """Use the connection of this thread; close it afterwards as after a request, if it was opened here.

    One that was opened by somebody else, or that somebody has begun a transaction on, is left alone: a request, a test
    or a queue's own job goes on with it. One that was opened here and kept, by `CONN_MAX_AGE`, is asked first whether
    it still works.
    """
    from poststack_django.settling import database

    connection = connections[database()]
    kept: dict[str, Any] = vars(_opened)
    # Taken out, so that whoever borrows it once more meanwhile leaves it alone.
    opened_here = kept.pop(connection.alias, None)
    ours = connection.connection is None or connection.connection is opened_here
    if _in_transaction(connection):
        # Closing it would roll back what was stored, and nobody would hear of that.
        ours = False
    if ours and connection.connection is not None:
        connection.close_if_unusable_or_obsolete()
        # It may have been kept for hours, in which the server went away. Django looks only if CONN_HEALTH_CHECKS is on.
        if connection.connection is not None and not connection.is_usable():
            connection.close()
    try:
        yield
    finally:
        if ours:
            connection.close_if_unusable_or_obsolete()
            opened_here = connection.connection
        if opened_here is not None:
            kept[connection.alias] = opened_here


def _in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block:
        return True
    # Before it is open, this says nothing.
    return connection.connection is not None and connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
