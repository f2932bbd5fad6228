"""Who is told of an event: decorated functions and receivers of signals, each once, and again when it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from blinker import Signal
from flask import Flask, current_app, request

from poststack import WebhookEvent
from poststack_flask import FlaskPostStack, signals
from poststack_flask.testing import post_webhook
from tests.with_flask.applications import registered

Connect = Callable[..., None]


@pytest.fixture
def connect() -> Generator[Connect]:
    """Connect a receiver until the test ends."""
    connected: list[tuple[Signal, Callable[..., object]]] = []

    def connect(signal: Signal, receiver: Callable[..., object], **options: Any) -> None:
        signal.connect(receiver, weak=False, **options)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


def test_handlers_hear_of_the_types_that_they_name() -> None:
    extension = FlaskPostStack()
    heard: list[str] = []

    @extension.on("email.bounced", "email.complained")
    def hear(event: WebhookEvent) -> None:
        heard.append(event.type)

    app = registered(extension)
    for kind in ("email.bounced", "email.delivered", "email.complained"):
        post_webhook(app, kind)

    assert heard == ["email.bounced", "email.complained"]


def test_a_handler_may_be_registered_after_init_app_and_serves_every_application() -> None:
    extension = FlaskPostStack()
    apps = [registered(extension, NAME=name) for name in ("one", "other")]
    heard: list[str] = []

    @extension.on("*")
    def hear(event: WebhookEvent) -> None:
        heard.append(str(current_app.config["NAME"]))  # pyright: ignore[reportUnknownArgumentType]  # Flask's own type

    for app in apps:
        post_webhook(app, event_id="evt_1")

    assert heard == ["one", "other"]


def test_a_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"email\.bonced"):
        FlaskPostStack().on("email.bonced")


def test_handlers_run_inside_the_request() -> None:
    extension = FlaskPostStack()
    seen: list[str] = []

    @extension.on("*")
    def look(event: WebhookEvent) -> None:
        seen.append(f"{request.path} {current_app.config['NAME']}")

    @extension.on("*")
    async def look_later(event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        seen.append(f"{request.path} {current_app.config['NAME']} later")

    post_webhook(registered(extension, NAME="shop"))

    assert seen == ["/webhooks/poststack shop", "/webhooks/poststack shop later"]


def test_what_only_turns_out_to_be_asynchronous_is_waited_for() -> None:
    extension = FlaskPostStack()
    heard: list[str] = []

    class Handler:
        async def __call__(self, event: WebhookEvent) -> None:
            await asyncio.sleep(0)
            heard.append(event.type)

    extension.on("*")(Handler())

    assert post_webhook(registered(extension)).status_code == 200
    assert heard == ["email.delivered"]


def test_only_those_that_failed_are_called_again() -> None:
    extension = FlaskPostStack()
    calls: list[str] = []

    @extension.on("*")
    def works(event: WebhookEvent) -> None:
        calls.append("works")

    @extension.on("*")
    async def fails_once(event: WebhookEvent) -> None:
        calls.append("fails_once")
        if calls.count("fails_once") == 1:
            raise RuntimeError

    app = registered(extension)
    answers = [post_webhook(app, event_id="evt_1").status_code for _ in range(3)]

    assert answers == [500, 200, 200]
    assert calls == ["works", "fails_once", "fails_once"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("email.queued", None),
        ("email.delivered", "delivered"),
        ("email.deferred", "deferred"),
        ("email.soft_bounced", "deferred"),
        ("email.bounced", "bounced"),
        ("email.failed", "failed"),
        ("email.complained", "complained"),
        ("email.unsubscribed", "unsubscribed"),
        ("email.opened", "opened"),
        ("email.clicked", "clicked"),
        ("email.inbound", "inbound"),
        ("inbound_email.received", "inbound"),
        ("contact.created", None),
    ],
)
def test_each_event_is_signalled_to_all_and_to_those_of_its_kind(kind: str, name: str | None, connect: Connect) -> None:
    app = registered()
    heard: list[str] = []
    for signal in (signals.tracking, *set(signals.SIGNALS_OF_TYPE.values())):

        def hear(sender: Flask, event: WebhookEvent, about: str = str(signal.name), **_: object) -> None:
            assert sender is app
            assert event.type == kind
            heard.append(about)

        connect(signal, hear)

    assert post_webhook(app, kind).status_code == 200
    assert heard == ["tracking", *([name] if name else [])]


def test_signals_have_the_names_of_the_django_package() -> None:
    pytest.importorskip("django")
    from poststack_django import receivers

    assert set(receivers.EVENT_SIGNALS) <= set(signals.__all__)
    names = {kind: str(signal.name) for kind, signal in signals.SIGNALS_OF_TYPE.items()}
    assert names == {kind: receivers.signals_of(kind)[1] for kind in names}


def test_receivers_of_one_application_do_not_hear_of_others(connect: Connect) -> None:
    one, other = registered(), registered()
    heard: list[Flask] = []

    def hear(app: Flask, event: WebhookEvent) -> None:
        heard.append(app)

    connect(signals.bounced, hear, sender=one)

    for app in (one, other):
        post_webhook(app, "email.bounced")

    assert heard == [one]


def test_a_receiver_that_failed_is_called_again_alone(connect: Connect) -> None:
    app = registered()
    calls: list[str] = []

    def works(sender: Flask, event: WebhookEvent) -> None:
        calls.append("works")

    async def fails_once(sender: Flask, event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        calls.append("fails_once")
        if calls.count("fails_once") == 1:
            raise RuntimeError

    connect(signals.tracking, works)
    connect(signals.bounced, fails_once)
    answers = [post_webhook(app, "email.bounced", event_id="evt_1").status_code for _ in range(3)]

    assert answers == [500, 200, 200]
    assert calls == ["works", "fails_once", "fails_once"]


def test_receivers_that_share_a_name_are_told_apart_in_the_order_of_connection(connect: Connect) -> None:
    app = registered()
    calls: list[int] = []
    broken = {7}

    def made(number: int) -> Callable[..., None]:
        def receiver(sender: Flask, event: WebhookEvent) -> None:
            calls.append(number)
            if number in broken:
                raise RuntimeError

        return receiver

    for number in range(20):
        connect(signals.tracking, made(number))
    post_webhook(app, event_id="evt_1")
    broken.clear()
    post_webhook(app, event_id="evt_1")

    assert calls == [*range(20), 7]


def test_methods_and_objects_may_be_receivers(connect: Connect) -> None:
    app = registered()

    class Ledger:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def enter(self, sender: Flask, event: WebhookEvent) -> None:
            self.heard.append("enter")

        async def __call__(self, sender: Flask, event: WebhookEvent) -> None:
            self.heard.append("call")

    ledger = Ledger()
    connect(signals.tracking, ledger.enter)
    connect(signals.tracking, ledger)

    assert post_webhook(app).status_code == 200
    assert ledger.heard == ["enter", "call"]


def test_a_handler_and_a_receiver_of_one_name_are_two() -> None:
    extension = FlaskPostStack()
    heard: list[object] = []

    @extension.on("*")
    def hear(*arguments: object, **_: object) -> None:
        heard.append(arguments)

    with signals.tracking.connected_to(hear):
        post_webhook(registered(extension))

    assert len(heard) == 2
