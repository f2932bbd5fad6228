"""What Redis keeps of jobs, so that they survive a worker that dies while it takes one, and who takes that back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack import PostStackConnectionError
from poststack_tasks.celery import send_email
from tests.services import is_missing
from tests.with_tasks.celery.conftest import current, made

MAIL: Any = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Any]:
    redis: Any = pytest.importorskip("redis")
    try:
        with redis_server(tmp_path) as url, redis.Redis.from_url(url) as client:
            client.url = url
            yield client
    except DemoError as error:
        is_missing(str(error))


@pytest.fixture
def on_redis(broker: Any) -> Iterator[Any]:
    app = made()
    app.conf.update(broker_url=broker.url, broker_transport_options={})
    with current(app):
        yield app
    app.close()


def kept(broker: Any, prefix: str = "") -> int:
    """Return how many jobs Redis would hand out again, if nobody says that they are done."""
    assert broker.hlen(f"{prefix}unacked") == broker.zcard(f"{prefix}unacked_index")
    return int(broker.hlen(f"{prefix}unacked"))


@pytest.mark.parametrize("prefix", ["", "shop:"])
def test_jobs_that_are_purged_do_not_come_back(on_redis: Any, broker: Any, prefix: str) -> None:
    on_redis.conf.broker_transport_options = {"global_keyprefix": prefix}
    for _ in range(2):
        send_email.delay(MAIL)
    on_redis.send_task("tests.written", ["Ada"])
    assert kept(broker, prefix) == 2

    assert on_redis.control.purge() == 3

    assert kept(broker, prefix) == 0


def test_a_job_that_redis_did_not_take_does_not_turn_up_later(on_redis: Any, broker: Any) -> None:
    broker.acl_setuser(
        "poor", enabled=True, passwords=["+secret"], commands=["+@all", "-lpush"], keys=["*"], channels=["*"]
    )
    on_redis.conf.broker_url = broker.url.replace("//", "//poor:secret@")

    with pytest.raises(import_module("kombu.exceptions").OperationalError, match="lpush"):
        send_email.apply_async([MAIL], retry=False)

    assert kept(broker) == 0


def test_only_jobs_of_this_package_are_noted(on_redis: Any, broker: Any) -> None:
    send_email.delay(MAIL)
    on_redis.send_task("tests.written", ["Ada"])

    assert broker.llen(on_redis.conf.task_default_queue) == 2
    assert kept(broker) == 1


def test_what_another_program_sends_by_name_is_noted(broker: Any) -> None:
    # A program of its own, for here other tests have changed kombu's channels already.
    program = (
        "import sys, celery, poststack_tasks.celery\n"
        "app = celery.Celery('other', broker=sys.argv[1], set_as_current=False)\n"
        "app.send_task('poststack.send_email', [{'from': 'shop@example.com'}])\n"
        "app.send_task('others.task', [])\n"
    )
    subprocess.run([sys.executable, "-c", program, broker.url], check=True, timeout=120)  # our own

    assert broker.llen("celery") == 2
    assert kept(broker) == 1


def test_eager_tasks_need_no_broker(on_redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTSTACK_API_KEY", raising=False)
    on_redis.conf.update(broker_url="redis://127.0.0.1:1", task_always_eager=True)

    with pytest.raises(PostStackConnectionError, match="no client"):
        send_email.delay(MAIL).get()
