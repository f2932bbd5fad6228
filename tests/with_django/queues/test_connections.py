"""Database connections of real workers: none is left open that should not be, and none is relied on that was closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.with_django.databases import created_database
from tests.with_django.queues.stand import Kind, Stand, each_arrived_once
from tests.with_tasks.kills.choosing import exhaustive
from tests.with_tasks.stand.processes import wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., Stand]
SLOTS = 2


class Sessions:
    """The workers' connections, as PostgreSQL sees them."""

    def __init__(self, settings: dict[str, Any]) -> None:
        psycopg: Any = pytest.importorskip("psycopg")
        self._server = psycopg.connect(
            host=settings["HOST"], port=settings["PORT"], user=settings["USER"], password=settings["PASSWORD"],
            dbname="postgres", autocommit=True,
        )  # fmt: skip
        self._mine = (settings["NAME"], "worker")

    def open(self) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
        found: int = self._server.execute(query, self._mine).fetchone()[0]
        return found

    def end(self) -> None:
        """End them, as a server does that restarts."""
        ended = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        self._server.execute(f"{ended} WHERE datname = %s AND application_name = %s", self._mine)

    def close(self) -> None:
        self._server.close()


@pytest.mark.parametrize(
    ("kind", "worker", "kept_for"),
    [
        ("rq", "AloneWorker", None),
        exhaustive("celery", "prefork", 0),
        exhaustive("celery", "prefork", None),
        exhaustive("celery", "threads", None),
        exhaustive("celery", "solo", 0),
        exhaustive("rq", "AloneWorker", 0),
        exhaustive("rq", "ForkingWorker", None),
    ],
)
def test_workers_leave_no_connection_open_and_survive_a_server_that_ends_theirs(
    kind: Kind, worker: str, kept_for: int | None, stands: Stands
) -> None:
    with created_database("postgresql") as settings:
        sessions = Sessions(settings)
        databases = {"default": {**settings, "CONN_MAX_AGE": kept_for}}
        stand = stands(kind, databases, {"PGAPPNAME": "worker"})
        stand.start_workers(SLOTS, worker=worker)
        # Celery closes all connections after a task, RQ's processes end with the job, and we close our own.
        most = SLOTS if kept_for is None and worker == "AloneWorker" else 0
        names: list[str] = []
        for round in (1, 2):
            outbox, jobs = ([f"{what} {round} {number}" for number in range(4)] for what in ("outbox", "job"))
            stand.project("commit", *outbox)
            for name in jobs:
                stand.project("enqueue", name)
            names += [*outbox, *jobs]
            stand.wait_until_final(*names)
            stand.wait_until_quiet()
            wait_until(lambda: sessions.open() <= most, "the connections are closed")
            if most:
                assert sessions.open() > 0, "none was kept, which is what this is about"
            sessions.end()

        assert set(stand.statuses().values()) == {"queued"}
        each_arrived_once(stand, names)
        assert "OperationalError" not in stand.logs()
        sessions.close()
        stand.close()
