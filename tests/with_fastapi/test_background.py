"""Sending after the response: what is fixed before it, and what is told of what happens after it."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from poststack import PostStackError
from poststack.testing import EmulatorSession, emulator
from poststack.types import SendEmail
from poststack_fastapi import PostStackDep, add_exception_handlers, get_poststack, send_in_background

Failure = Callable[[Exception], object]


def email(**fields: Any) -> SendEmail:
    payload: SendEmail = {"from": "a@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
    payload.update(fields)  # type: ignore[typeddict-item]  # wrong ones, too
    return payload


def application(
    emu: EmulatorSession, *payloads: SendEmail, on_failure: Failure | None = None, after: Callable[[], object] = dict
) -> FastAPI:
    app = FastAPI()
    client = emu.async_client(max_retries=0)
    app.dependency_overrides[get_poststack] = lambda: client

    @app.post("/")
    async def send(tasks: BackgroundTasks, client: PostStackDep) -> list[str]:  # pyright: ignore[reportUnusedFunction]
        keys = [send_in_background(tasks, client, payload, on_failure=on_failure) for payload in payloads]
        for payload in payloads:
            payload["to"].append("later@example.com")
        after()
        return keys

    return app


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "poststack.fastapi"]


def test_the_e_mail_is_sent_as_it_was_with_the_key_that_the_route_knows() -> None:
    with emulator() as emu:
        (key,) = TestClient(application(emu, email())).post("/").json()

        (sent,) = emu.sent
        assert sent.payload["idempotency_key"] == key
        assert sent.to == ["ada@example.com"]


def test_each_e_mail_has_a_key_of_its_own_and_one_that_is_given_stays() -> None:
    with emulator() as emu:
        keys = TestClient(application(emu, email(), email(), email(idempotency_key=" order-1 "))).post("/").json()

        assert keys[2] == "order-1"
        assert len(set(keys)) == 3
        assert [sent.payload["idempotency_key"] for sent in emu.sent] == keys


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"to": []}, "no recipients"),
        ({"subject": "Hi\r\nBcc: x"}, "line break"),
        ({"variables": {"due": datetime(2026, 1, 1)}}, "JSON"),  # noqa: DTZ001  # any date
        ({"variables": {"sum": float("nan")}}, "JSON"),
        ({"text": "\ud800"}, "JSON"),
    ],
)
def test_what_could_not_be_sent_is_refused_before_the_response(fields: dict[str, Any], what: str) -> None:
    tasks = BackgroundTasks()
    with emulator() as emu, pytest.raises(ValueError, match=what):
        send_in_background(tasks, emu.async_client(), email(**fields))

    assert tasks.tasks == []


def test_a_client_that_cannot_be_awaited_is_refused_before_anything_is_sent() -> None:
    with emulator() as emu:
        client: Any = emu.client()

        with pytest.raises(TypeError, match="PostStackDep"):
            send_in_background(BackgroundTasks(), client, email())

        assert emu.sent == []


def test_starlette_alone_is_enough() -> None:
    with emulator() as emu:

        async def send(request: Request) -> JSONResponse:
            tasks = StarletteTasks()
            key = send_in_background(tasks, emu.async_client(), email())
            return JSONResponse(key, background=tasks)

        answer = TestClient(Starlette(routes=[Route("/", send)])).get("/")

        assert emu.sent[0].payload["idempotency_key"] == answer.json()


def test_a_failure_is_logged_told_and_does_not_stop_the_tasks_after_it(caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = []

    async def note(error: Exception) -> None:
        failures.append(error)

    with emulator() as emu:
        emu.fail(422, times=1, code="odd", error="The mailbox ada@example.com is odd")
        answer = TestClient(application(emu, email(), email(subject="Second"), on_failure=note)).post("/")

        assert answer.status_code == 200
        assert [sent.subject for sent in emu.sent] == ["Second"]
        assert [getattr(error, "code", None) for error in failures] == ["odd"]
        (failed,) = records(caplog)
        assert failed.levelno == logging.ERROR
        assert f"{answer.json()[0]} failed: PostStackError, status 422, code odd, request req_" in failed.message
        assert failed.message.endswith("It was not accepted.")
        assert "@" not in caplog.text


def test_an_answer_that_was_lost_is_told_from_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    with emulator() as emu:
        emu.fail(lost_answer=True)
        TestClient(application(emu, email())).post("/")

        assert len(emu.sent) == 1
        assert "It may have been accepted." in caplog.text


def test_the_key_makes_repeating_harmless(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "poststack.fastapi")
    with emulator() as emu:
        emu.fail(lost_answer=True, times=1)
        app = application(emu, email(idempotency_key="welcome-ada@example.com"))
        again = application(emu, email(idempotency_key="welcome-ada@example.com"))
        TestClient(app).post("/")
        TestClient(again).post("/")

        assert len(emu.sent) == 1
        assert f"The e-mail with a key of its own was accepted, as it had been before: {emu.sent[0].id}." in caplog.text
        assert "@" not in caplog.text


def test_a_plain_function_is_told_in_a_thread() -> None:
    threads: list[int] = []
    loops: list[int] = []

    def note(error: Exception) -> None:
        threads.append(threading.get_ident())

    with emulator() as emu:
        emu.fail(500)
        app = application(emu, email(), on_failure=note, after=lambda: loops.append(threading.get_ident()))
        TestClient(app).post("/")

    assert threads
    assert not set(threads) & set(loops)


def test_a_function_that_returns_a_coroutine_is_waited_for() -> None:
    told: list[int] = []

    async def note(status: int) -> None:
        told.append(status)

    with emulator() as emu:
        emu.fail(500)
        TestClient(application(emu, email(), on_failure=lambda error: note(getattr(error, "status_code", 0)))).post("/")

    assert told == [500]


def test_a_failure_in_telling_of_a_failure_is_logged_as_well(caplog: pytest.LogCaptureFixture) -> None:
    def note(error: Exception) -> None:
        raise LookupError("No such table")

    with emulator() as emu:
        emu.fail(500, times=1)
        answer = TestClient(application(emu, email(), email(), on_failure=note)).post("/")

        assert answer.status_code == 200
        assert len(emu.sent) == 1
        assert "which failed, failed as well" in caplog.text
        assert "No such table" in caplog.text


def test_what_no_client_should_raise_does_not_stop_the_tasks_after_it_either(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        clock = None

        async def asend(self, request: object) -> None:
            raise LookupError("a bug")

        async def aclose(self) -> None:
            pass

    from poststack import AsyncPostStack

    transport: Any = Broken()
    tasks, ran = StarletteTasks(), list[str]()
    send_in_background(tasks, AsyncPostStack("sk_test_x", transport=transport), email())
    tasks.add_task(ran.append, "the next")
    anyio.run(tasks)

    assert ran == ["the next"]
    assert "failed: LookupError" in caplog.text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interruption_is_logged_and_goes_on(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    class Silent:
        async def asend(self, request: object) -> None:
            scopes[0].cancel()
            await anyio.sleep_forever()

        async def aclose(self) -> None:
            pass

    from poststack import AsyncPostStack

    transport: Any = Silent()
    tasks, failures = StarletteTasks(), list[Exception]()
    key = send_in_background(
        tasks, AsyncPostStack("sk_test_x", transport=transport), email(), on_failure=failures.append
    )
    scopes: list[anyio.CancelScope] = []

    async def run() -> bool:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await tasks()
        return scope.cancelled_caught

    assert anyio.run(run, backend=backend)
    assert failures == []
    assert f"The e-mail {key} was interrupted" in caplog.text


def test_tasks_that_never_run_are_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> None:
        raise HTTPException(409)

    with emulator() as emu:
        answer = TestClient(application(emu, email(), after=refuse)).post("/")
        gc.collect()

        assert answer.status_code == 409
        assert emu.sent == []
        assert "was never sent: its background tasks did not run" in caplog.text


def test_tasks_that_are_given_to_no_response_are_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    with emulator() as emu:
        send_in_background(BackgroundTasks(), emu.async_client(), email())
        gc.collect()

    assert "gave them to no response" in caplog.text


def test_tasks_that_ran_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    with emulator() as emu:
        TestClient(application(emu, email())).post("/")
        gc.collect()

    assert records(caplog) == []


def test_the_exception_handler_has_no_part_in_it() -> None:
    with emulator() as emu:
        emu.fail(500)
        app = application(emu, email())
        add_exception_handlers(app)

        assert TestClient(app).post("/").status_code == 200


def test_an_error_for_the_callback_can_be_repeated_with_the_key() -> None:
    with emulator() as emu:
        failed: list[Exception] = []
        emu.fail(lost_answer=True, times=1)
        (key,) = TestClient(application(emu, email(), on_failure=failed.append)).post("/").json()

        assert isinstance(failed[0], PostStackError)
        assert failed[0].may_have_taken_effect
        assert emu.client().emails.send(email(idempotency_key=key)).get("replayed")
