"""The database connection of a worker of a queue, which has no requests at whose end Django would close it.

Imports models late: it may be imported before the apps are ready.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connections

__all__ = ["borrowed_connection"]

_opened: Final = threading.local()


@contextmanager
def borrowed_connection() -> Generator[None]:
    """Use the connection of this thread; close it afterwards as after a request, if it was opened here.

    One that was opened by somebody else is left alone: a request, a test or a queue's own job goes on with it.
    """
    from poststack_django.settling import database

    connection = connections[database()]
    kept: dict[str, Any] = vars(_opened)
    ours = connection.connection is None or connection.connection is kept.get(connection.alias)
    if ours:  # `CONN_MAX_AGE` may have kept it for hours, in which the server went away.
        connection.close_if_unusable_or_obsolete()
    try:
        yield
    finally:
        if ours:
            connection.close_if_unusable_or_obsolete()
            kept[connection.alias] = connection.connection
