"""Which client asynchronous views use: the application's own, or a new asynchronous one in each view."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from flask import Flask, request

from poststack_flask import FlaskPostStack, current_poststack
from poststack_flask.signals import email_sent
from poststack_flask.testing import emulator_session, post_webhook, record_messages
from tests.servers import answering, serving
from tests.with_flask.applications import EMAIL, application, registered

if TYPE_CHECKING:
    from poststack import WebhookEvent


def views(extension: FlaskPostStack, app: Flask) -> Flask:
    @app.get("/sync-client")
    async def sync_client() -> str:
        await asyncio.sleep(0)
        return current_poststack.emails.send(EMAIL)["id"]

    @app.get("/async-client")
    async def async_client() -> str:
        async with extension.async_client() as client:
            sent = await asyncio.gather(*(client.emails.send(EMAIL) for _ in range(5)))
        return " ".join(one["id"] for one in sent)

    return app


@pytest.mark.parametrize(("path", "emails"), [("/sync-client", 1), ("/async-client", 5)])
def test_views_send_again_and_again(path: str, emails: int) -> None:
    extension = FlaskPostStack()
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL=server.url)
        extension.init_app(app)
        client = views(extension, app).test_client()

        # Every request has an event loop of its own, which ends with it.
        answers = [client.get(path).text for _ in range(4)]

        assert answers == [" ".join(["em_1"] * emails)] * 4
        assert len(server.requests) == 4 * emails


def test_the_applications_client_keeps_its_connection_between_asynchronous_views() -> None:
    extension = FlaskPostStack()
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL=server.url)
        extension.init_app(app)
        client = views(extension, app).test_client()

        for _ in range(4):
            client.get("/sync-client")

        assert server.connections == 1


def test_an_asynchronous_client_leaves_no_connections_behind() -> None:
    extension = FlaskPostStack()
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL=server.url)
        extension.init_app(app)

        views(extension, app).test_client().get("/async-client")

        server.wait_until_closed()
        assert 1 <= server.connections <= 5


def test_views_in_many_threads_do_not_disturb_each_other() -> None:
    extension = FlaskPostStack()
    app = views(extension, registered(extension))

    def visit() -> None:
        client = app.test_client()
        for path in ("/sync-client", "/async-client"):
            assert client.get(path).status_code == 200

    with record_messages(app) as outbox:
        threads = [threading.Thread(target=visit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(outbox) == len(emulator_session(app).sent) == 8 * 6


@pytest.mark.parametrize("kind", ["function", "object"])
@pytest.mark.parametrize("path", ["/sync-client", "/async-client", "/sync-view"])
def test_asynchronous_receivers_hear_what_any_view_sends(path: str, kind: str) -> None:
    extension = FlaskPostStack()
    app = views(extension, registered(extension))
    app.add_url_rule("/sync-view", view_func=lambda: current_poststack.emails.send(EMAIL)["id"])
    heard: list[str] = []

    async def hear(sender: Flask, id: str, **_: object) -> None:
        # Blocking code in a receiver: its thread must not be the one that waits for the receiver.
        await sync_to_async(lambda: None)()
        heard.append(f"{request.path} {id}")

    class Receiver:
        async def __call__(self, sender: Flask, id: str, **_: object) -> None:
            await hear(sender, id)

    with email_sent.connected_to(hear if kind == "function" else Receiver(), sender=app):
        answer = app.test_client().get(path)

    assert sorted(heard) == sorted(f"{path} {id}" for id in answer.text.split())


def test_asynchronous_handlers_are_called_by_an_asynchronous_test() -> None:
    extension = FlaskPostStack()
    heard: list[str] = []

    @extension.on("*")
    async def hear(event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        heard.append(event.type)

    async def in_an_event_loop() -> int:
        return post_webhook(registered(extension), "email.opened").status_code

    assert asyncio.run(in_an_event_loop()) == 200
    assert heard == ["email.opened"]


def test_without_flasks_extra_an_asynchronous_receiver_is_logged_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hear(sender: Flask, **_: object) -> None:
        raise AssertionError("not reached")

    app = registered()
    monkeypatch.setitem(sys.modules, "asgiref.sync", None)
    with email_sent.connected_to(hear, sender=app):
        app.extensions["poststack"].emails.send(EMAIL)

    assert "'async' extra" in caplog.text


def test_asynchronous_clients_are_not_kept() -> None:
    extension = FlaskPostStack()
    app = registered(extension)
    with app.app_context():
        assert extension.async_client() is not extension.async_client()
    assert not any("Async" in type(value).__name__ for value in app.extensions.values())
