"""What a commit does with Celery's broker: it waits for none that is down, and finds one that is back."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.db import transaction

from example_projects.demo.programs import free_port
from poststack_django.backends import OutboxEmailBackend
from poststack_django.models import SentEmail
from tests.services import is_missing
from tests.with_django.api import RecordingApi
from tests.with_django.messages import message
from tests.with_tasks.celery.conftest import current

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _by_celery(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"TASKS": "celery"}}


@contextmanager
def application(broker: str, **conf: Any) -> Generator[Any]:
    """Make an application for this broker the one whose tasks are enqueued."""
    app = import_module("celery").Celery("shop", broker=broker, set_as_current=False)
    app.conf.update({"task_default_queue": f"mail-{uuid.uuid4().hex}", **conf})
    with current(app):
        yield app
    app.close()


def commit() -> str:
    """Put an e-mail into the outbox; return its number."""
    with transaction.atomic():
        OutboxEmailBackend().send_messages([message()])
    return str(SentEmail.objects.latest("pk").pk)


def enqueued(app: Any) -> list[Any]:
    """Take what is in the queue, and return the arguments."""
    found: list[Any] = []
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection.default_channel)
        queue.declare()
        while (taken := queue.get(no_ack=True)) is not None:
            found.append(taken.payload[0])
    return found


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_nobody_waits_for_a_broker_that_is_down(
    scheme: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    with application(f"{scheme}://127.0.0.1:{free_port()}//"):
        commit()

    assert slept == []
    assert "not enqueued as tasks, and wait there: 1" in caplog.text


def test_the_next_broker_is_asked_when_the_first_is_down() -> None:
    with application(f"amqp://127.0.0.1:{free_port()}//;memory://") as app:
        pk = commit()
        assert [enqueued(app)] == [[[pk]]]


@pytest.mark.services
@pytest.mark.slow
def test_a_connection_that_the_broker_has_closed_is_opened_anew() -> None:
    brokers = import_module("tests.with_tasks.stand.brokers")
    try:
        with brokers.rabbit(quorum=False) as broker, application(broker.url) as app:
            first = commit()
            assert enqueued(app) == [[first]]
            broker.close_connections()
            second = commit()
            assert enqueued(app) == [[second]]
    except brokers.BrokerMissingError as missing:
        is_missing(str(missing))
