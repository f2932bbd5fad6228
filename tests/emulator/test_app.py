"""The ASGI application and what its pages build on, without a port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from poststack.emulator.core import Emulator
from poststack.emulator.journal import DataFileError
from poststack.emulator.server import create_app
from poststack.emulator.settings import Settings
from poststack.emulator.state import AppState
from poststack.transports.base import HttpRequest
from tests import asgi

HEADERS = {"Authorization": "Bearer sk_test_x"}
EMAIL = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}


def application(settings: Settings | None = None) -> tuple[Any, AppState]:
    app = create_app(Emulator(settings), allowed_hosts=["testserver"])
    return app, app.state.emulator


async def settled(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), 30)


def test_pages_change_an_email_and_hear_of_it() -> None:
    async def scenario() -> None:
        app, state = application()
        async with asgi.running(app) as browser:
            sent = (await browser.post("/emails", json=EMAIL, headers=HEADERS)).json()["id"]
            revision = state.store.revision
            waiting = asyncio.create_task(state.wait_for_change(revision, 30))
            state.set_unread(sent, False)
            seen = await waiting
            state.simulate(sent, "bounced", recipient="b@example.com", metadata={"reason": "full"})
            email = state.store.email(sent)

            assert seen > revision
            assert email is not None
            assert (email.status, email.unread) == ("bounced", False)
            assert await state.wait_for_change(state.store.revision, 0) == state.store.revision
            state.delete_email(sent)
            assert state.delete_emails() == 0
            with pytest.raises(KeyError):
                state.replay(1)

    asyncio.run(scenario())


def test_changes_of_other_threads_are_heard_of() -> None:
    async def scenario() -> None:
        app, state = application()
        async with asgi.running(app):
            waiting = asyncio.create_task(state.wait_for_word(30))
            await asyncio.sleep(0)
            request = HttpRequest(
                "POST", "http://x/suppressions", HEADERS, b'{"email": "a@x.test", "reason": "manual"}'
            )
            await asyncio.to_thread(state.emulator.handle, request, state.now())

            assert await waiting

    asyncio.run(scenario())


def test_moving_the_clock_lets_things_happen() -> None:
    async def scenario() -> None:
        app, state = application()
        async with asgi.running(app) as browser:
            later = {**EMAIL, "scheduled_at": "2999-01-01T00:00:00Z"}
            sent = (await browser.post("/emails", json=later, headers=HEADERS)).json()["id"]
            await browser.post("/_emulator/clock", json={"advance": 1_000 * 366 * 86_400 / 10})
            for _ in range(10):
                state.advance(100 * 366 * 86_400)
            email = state.store.email(sent)
            assert email is not None
            await settled(lambda: email.status == "delivered")

    asyncio.run(scenario())


def test_a_webhook_that_cannot_be_called_is_a_failed_attempt() -> None:
    async def scenario() -> None:
        app, state = application(Settings(delivery_delay=0, webhook_timeout=0.05))
        async with asgi.running(app) as browser:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
                state.emulator.add_webhook(url, ["email.sent"], state.now())
                await browser.post("/emails", json=EMAIL, headers=HEADERS)
                await settled(lambda: state.store.webhooks.all()[0].consecutive_failures == 1)

        [delivery] = state.store.deliveries_of_webhook(1)
        assert delivery.attempts[0].error == "No answer within 0.05 seconds."

    asyncio.run(scenario())


@pytest.mark.parametrize("failure", [DataFileError("the disk is full"), RuntimeError("a mistake in here")], ids=repr)
def test_no_failure_ends_the_deliveries(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        app, state = application(Settings(delivery_delay=0))
        real = state.emulator.run_due
        failures = [failure]

        def failing(now: float) -> Any:
            if failures:
                raise failures.pop()
            return real(now)

        monkeypatch.setattr(state.emulator, "run_due", failing)
        async with asgi.running(app) as browser:
            await settled(lambda: not failures)
            sent = (await browser.post("/emails", json=EMAIL, headers=HEADERS)).json()["id"]
            email = state.store.email(sent)
            assert email is not None
            await settled(lambda: email.status == "delivered")

    asyncio.run(scenario())
    assert str(failure) in caplog.text


async def exchange(app: Any, scope: dict[str, Any], *received: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    messages = list(received)

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    http = {"method": "POST", "path": "/emails", "query_string": b"", "headers": [(b"host", b"localhost")]}
    await app({"type": "http", **http, **scope}, receive, send)
    return sent


def test_another_server_cuts_a_dropped_answer_short() -> None:
    app, state = application()
    state.emulator.fail(reset=True)
    sent = asyncio.run(exchange(app, {}, {"type": "http.request"}))

    assert [message["type"] for message in sent] == ["http.response.start"]


def test_a_client_that_hangs_up_gets_nothing() -> None:
    app, _ = application()

    assert asyncio.run(exchange(app, {}, {"type": "http.disconnect"})) == []


def test_a_body_that_grows_above_the_limit_is_thrown_away() -> None:
    app, _ = application(Settings(max_body=10))
    chunk = {"type": "http.request", "body": b"x" * 8, "more_body": True}
    sent = asyncio.run(exchange(app, {}, *[chunk] * 20))

    assert sent[0]["status"] == 413


def test_there_are_no_websockets() -> None:
    app, _ = application()
    sent = asyncio.run(exchange(app, {"type": "websocket", "path": "/emails"}))

    assert sent[0]["type"] == "websocket.close"
