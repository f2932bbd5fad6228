"""The tea shop, its Celery worker, Redis and the emulator as programs of their own, over real HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from example_projects.demo.django import Customer, TeaShop, opened
from example_projects.demo.programs import Program
from example_projects.demo.redis_server import RedisMissingError
from example_projects.demo.stage import Stage
from poststack import PostStack
from tests.services import is_missing
from tests.with_tasks.stand.brokers import BrokerMissingError, valkey

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from poststack.types import Email

pytest.importorskip("django")
pytest.importorskip("celery")
pytest.importorskip("starlette")

pytestmark = pytest.mark.slow

UNREACHABLE = "We cannot reach you at"


@pytest.fixture
def stage(tmp_path: Path) -> Generator[Stage]:
    with Stage(tmp_path, once=True, stop=threading.Event()) as stage:
        yield stage


@pytest.fixture(scope="module")
def worker_of_shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[TeaShop, Program]]:
    with Stage(tmp_path_factory.mktemp("shop"), once=True, stop=threading.Event()) as stage:
        shop = opened(stage, redis(stage))
        yield shop, shop.start_worker()


@pytest.fixture
def shop(worker_of_shop: tuple[TeaShop, Program]) -> TeaShop:
    return worker_of_shop[0]


def redis(stage: Stage) -> str:
    try:
        return stage.start_redis()
    except RedisMissingError as error:
        is_missing(str(error))


def accepted(shop: TeaShop) -> list[Email]:
    with PostStack(shop.environment["POSTSTACK_API_KEY"], shop.api) as client:
        return client.emails.list()["data"]


def letter(shop: TeaShop, recipient: str, subject: str) -> str:
    """The text of the newest e-mail of this kind, once it has been sent."""
    wanted: dict[str, str | int] = {"to": recipient, "subject": subject, "wait": 30}
    answer = httpx.get(f"{shop.api}/_emulator/emails/latest", params=wanted, timeout=60, trust_env=False)
    text: str = answer.raise_for_status().json()["email"]["payload"]["text"]
    return text


def statuses(customer: Customer) -> list[str]:
    """What the customer's page says of each e-mail."""
    return re.findall(r'data-status="(\w+)"', customer.browser.get("/account/mail/").text)


def wait_until_delivered(customer: Customer) -> None:
    customer.shop.stage.wait_for("everything to be delivered", lambda: set(statuses(customer)) == {"delivered"})


def test_a_bounce_asks_for_another_address_until_there_is_one(worker_of_shop: tuple[TeaShop, Program]) -> None:
    shop, worker = worker_of_shop
    with Customer(shop, "bounce@example.com") as customer:
        customer.sign_up()
        shop.stage.wait_for("the bounce", lambda: UNREACHABLE in customer.browser.get("/account/").text)

        form = "/account/address/"
        page = customer.fill_in(form, form, email="carol@example.com", password=customer.password)

        assert UNREACHABLE not in page
        assert "from now on we write to you here" in letter(shop, "carol@example.com", "Your new address")
        shop.follow("Your new address", "carol@example.com", worker)


def test_a_forgotten_password_is_replaced(shop: TeaShop) -> None:
    with Customer(shop, "dora@example.com") as customer:
        customer.sign_up()
    with Customer(shop, customer.email) as visitor:
        visitor.fill_in("/password/", "/password/", then="/password/sent/", email=visitor.email)
        (link,) = re.findall(rf"{shop.url}(/password/\S+)", letter(shop, visitor.email, "Choose a new password"))

        form = visitor.browser.get(link).url.path
        chosen = {"new_password1": "a better password", "new_password2": "a better password"}
        visitor.fill_in(form, form, then="/log-in/", **chosen)

        page = visitor.fill_in("/log-in/", "/log-in/", username=visitor.email, password="a better password")
        assert "Hello, Ada" in page


def test_a_broker_that_was_down_or_has_lost_everything_loses_no_email(stage: Stage, tmp_path: Path) -> None:
    with contextlib.ExitStack() as running:
        try:
            broker = running.enter_context(valkey(tmp_path))
        except BrokerMissingError as error:
            is_missing(str(error))
        shop = opened(stage, broker.url)
        customer = running.enter_context(Customer(shop))
        customer.sign_up()
        broker.kill()
        customer.order("late-oolong")
        assert statuses(customer) == ["waiting", "waiting"]

        broker.start()
        broker.client.flushall()
        shop.start_worker()
        shop.start_beat()
        wait_until_delivered(customer)

    assert len(accepted(shop)) == 2


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
def test_a_worker_killed_after_the_api_has_accepted_sends_one_email(stage: Stage) -> None:
    shop = opened(stage, redis(stage))
    fault = {"path": "/emails", "method": "POST", "delay": 20, "times": 1}
    httpx.post(f"{shop.api}/_emulator/faults", json=fault, trust_env=False).raise_for_status()
    worker = shop.start_worker()
    with Customer(shop) as customer:
        customer.sign_up()
        stage.wait_for("the API to accept the e-mail", lambda: accepted(shop))
        worker.end(signal.SIGKILL)
        assert statuses(customer) == ["waiting"], "it had its answer before it was killed"

        let_leases_end(shop)
        shop.start_worker("another worker")
        look_into_the_outbox(shop)
        wait_until_delivered(customer)

    [email] = accepted(shop)
    assert shop.stored(email["subject"], customer.email, f"email_id = '{email['publicId']}'")


def let_leases_end(shop: TeaShop) -> None:
    """Let what killed workers had taken be due, as it is two minutes later."""
    with contextlib.closing(sqlite3.connect(shop.database, timeout=10)) as connection, connection:
        connection.execute("UPDATE poststack_sentemail SET next_attempt_at = created_at WHERE email_id IS NULL")


def look_into_the_outbox(shop: TeaShop) -> None:
    """Enqueue what beat enqueues from time to time."""
    celery: Any = import_module("celery")
    with celery.Celery(broker=shop.environment["CELERY_BROKER_URL"], set_as_current=False) as app:
        app.send_task("poststack_django.drain")
