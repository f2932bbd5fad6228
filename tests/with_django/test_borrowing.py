"""Connections of a worker's thread, which jobs use one after the other, on servers that close those of others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from django.core.mail import EmailMessage
from django.db import connections, transaction

import poststack_tasks
from poststack_django import jobs
from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.models import SentEmail
from poststack_django.outbox import drain
from poststack_tasks import Job, Outcome, job
from tests.with_django.api import RecordingApi
from tests.with_django.messages import message

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    """As `AppConfig.ready` leaves a worker process."""
    poststack_tasks.close_clients()
    jobs.register()
    yield
    poststack_tasks.close_clients()


@pytest.fixture
def kept(database: str) -> Iterator[str]:
    """A database whose connections are kept between jobs, for ever: the alias."""
    settings: dict[str, Any] = connections.settings[database]
    before = settings["CONN_MAX_AGE"]
    settings["CONN_MAX_AGE"] = None
    yield database
    settings["CONN_MAX_AGE"] = before


def attempt(name: str) -> Outcome:
    return job.send_email(
        Job("rq", name), {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "…"}
    )


def in_worker(work: Callable[[], T]) -> T:
    """Do something in a thread with connections of its own, as the jobs of one worker are done."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def session(alias: str) -> Any:
    """Return the connection of this thread as the server knows it, `None` when there is none."""
    connection = connections[alias]
    if connection.connection is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT connection_id()")
        return cursor.fetchone()[0]


def end_by_server(alias: str, number: Any) -> None:
    """End another thread's connection, as servers do that restart, or that nobody has asked for hours."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(%s, 60000)" if connection.vendor == "postgresql" else "KILL %s", [number]
        )


def statuses() -> dict[str, str]:
    return dict(SentEmail.objects.values_list("idempotency_key", "status"))


def test_a_connection_that_is_kept_serves_one_job_after_the_other(kept: str, api: RecordingApi) -> None:
    def work() -> list[Any]:
        used: list[Any] = []
        for name in ("one", "two"):
            attempt(name)
            used.append(session(kept))
        return used

    first, second = in_worker(work)
    assert first is not None
    assert second == first


def test_a_connection_that_is_not_kept_is_closed_after_each_job(database: str, api: RecordingApi) -> None:
    def work() -> list[Any]:
        used: list[Any] = []
        attempt("one")
        used.append(connections[database].connection)
        OutboxEmailBackend().send_messages([message()])
        connections[database].close()
        drain()
        used.append(connections[database].connection)
        return used

    assert in_worker(work) == [None, None]


def test_a_kept_connection_that_the_server_has_ended_is_no_bar_to_the_next_job(
    kept: str, api: RecordingApi, caplog: pytest.LogCaptureFixture
) -> None:
    before_call: list[dict[str, str]] = []

    def work() -> None:
        attempt("one")
        ended = session(kept)
        in_worker(lambda: end_by_server(kept, ended))
        api.on_send = lambda payload: before_call.append(in_worker(statuses))
        attempt("two")

    in_worker(work)
    # Stored before the call, so that a crash leaves a trace and a webhook finds it.
    assert before_call == [{"rq-one": "queued", "rq-two": "pending"}]
    assert statuses() == {"rq-one": "queued", "rq-two": "queued"}
    assert caplog.text == ""


def test_a_job_of_ones_own_that_sends_within_its_transaction_keeps_it(kept: str, api: RecordingApi) -> None:
    def work() -> None:
        attempt("one")
        with transaction.atomic(using=kept):
            SentEmail.objects.create(idempotency_key="the project's own", from_email="shop@example.com")
            attempt("two")

    in_worker(work)
    assert statuses() == {"rq-one": "queued", "the project's own": "pending", "rq-two": "queued"}


def test_what_a_function_for_keys_reads_leaves_no_connection_behind(
    database: str, api: RecordingApi, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client_for(self: Any, configuration: Any) -> Any:
        return api.client()

    def key_of(email: EmailMessage) -> str:
        return f"sk_test_{SentEmail.objects.count()}"

    monkeypatch.setattr(EmailBackend, "client_for", client_for)
    settings.POSTSTACK = {"API_KEY": key_of}

    def work() -> Any:
        attempt("one")
        return connections[database].connection

    assert in_worker(work) is None
