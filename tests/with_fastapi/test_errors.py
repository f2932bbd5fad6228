"""What the clients of an application hear when PostStack fails, and what its log says."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from poststack.testing import EmulatorSession, emulator
from poststack.types import SendEmail
from poststack_fastapi import ERROR_RESPONSES, PostStackDep, add_exception_handlers, get_poststack

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
NO_ANSWER = "No answer from https://api.poststack.test (ada@example.com)"


def application() -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)
    return app


def answer_to(error: Exception) -> Any:
    app = application()

    @app.get("/")
    async def fail() -> None:  # pyright: ignore[reportUnusedFunction]
        raise error

    return TestClient(app).get("/")


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (PostStackError(429, "Slow down", "rate_limit_exceeded", retry_after=2.01), 503, "email_unavailable", "3"),
        (PostStackError(429, "Slow down", "rate_limit_exceeded", retry_after=0.0), 503, "email_unavailable", "1"),
        (PostStackError(429, "Too Many Requests"), 503, "email_unavailable", None),
        (PostStackError(429, "Used up", "monthly_limit_exceeded"), 503, "email_unavailable", None),
        (PostStackError(429, "Used up", "daily_cap_exceeded", retry_after=5.0), 503, "email_unavailable", None),
        (PostStackError(503, "Maintenance", retry_after=120.0), 503, "email_unavailable", "120"),
        (PostStackError(503, "Maintenance", "maintenance", "req_1"), 503, "email_unavailable", None),
        (PostStackError(503, "upstream reset"), 502, "email_outcome_unknown", None),
        (PostStackError(500, "Broken", "internal_error", "req_1"), 502, "email_outcome_unknown", None),
        (PostStackError(504, "Gateway Timeout", retry_after=5.0), 502, "email_outcome_unknown", None),
        (PostStackConnectionError(0, NO_ANSWER), 502, "email_outcome_unknown", None),
        (PostStackTimeoutError(0, NO_ANSWER), 502, "email_outcome_unknown", None),
        (PostStackConnectionError(0, "No connection", may_have_taken_effect=False), 503, "email_unavailable", None),
        (PostStackResponseError(202, "No id"), 502, "email_outcome_unknown", None),
        (PostStackResponseError(503, "No id", retry_after=5.0), 502, "email_outcome_unknown", None),
        (PostStackError(409, "In progress", "idempotency_in_progress"), 502, "email_outcome_unknown", None),
        (PostStackError(401, "Invalid API key", "unauthorized"), 502, "email_failed", None),
        (PostStackError(403, "No permission", "forbidden"), 502, "email_failed", None),
        (PostStackError(404, "Not found", "not_found"), 502, "email_failed", None),
        (PostStackError(409, "Exists", "conflict"), 502, "email_failed", None),
        (PostStackError(301, "Moved"), 502, "email_failed", None),
        (PostStackError(400, "`to` is missing", "invalid_request"), 422, "email_refused", None),
        (PostStackError(422, "Domain not verified", "unprocessable_entity"), 422, "email_refused", None),
    ],
)
def test_each_failure_has_its_answer(error: PostStackError, status: int, code: str, retry_after: str | None) -> None:
    answer = answer_to(error)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == retry_after
    assert sorted(answer.json()) == ["code", "detail"]


def test_an_attempt_that_was_left_in_doubt_takes_the_invitation_to_repeat_away() -> None:
    with emulator() as emu:
        app = with_signup(application(), emu)
        emu.fail(lost_answer=True, times=1)
        emu.fail(429, retry_after=90, code="rate_limit_exceeded")

        answer = TestClient(app).post("/signup")

        assert len(emu.sent) == 1
        assert answer.status_code == 502
        assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("fault", "status"), [({"status": 422}, 422), ({"status": 429, "retry_after": 90}, 503), ({"reset": True}, 502)]
)
def test_neither_answer_nor_log_shows_addresses_keys_or_the_apis_text(
    fault: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with emulator() as emu:
        app = with_signup(application(), emu)
        emu.fail(**fault, error="The mailbox ada@example.com is odd", code="odd")

        answer = TestClient(app).post("/signup?for=ada@example.com")

        assert answer.status_code == status
        shown = answer.text + repr(dict(answer.headers)) + caplog.text
        for secret in ("@", "sk_test", "poststack.test", "odd is", "mailbox"):
            assert secret not in shown


def test_the_log_tells_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    answer_to(PostStackError(503, "Maintenance", "maintenance", "req_17"))

    (record,) = [record for record in caplog.records if record.name == "poststack.fastapi"]
    assert record.levelno == logging.WARNING
    assert "fail: PostStackError, status 503, code maintenance, request req_17. Answered 503." in record.message
    assert record.message.startswith(f"{__name__}.answer_to")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_an_error_in_the_log(status: int, caplog: pytest.LogCaptureFixture) -> None:
    answer_to(PostStackError(status, "No", request_id="req_1"))

    (record,) = [record for record in caplog.records if record.name == "poststack.fastapi"]
    assert record.levelno == logging.ERROR
    assert "Check the API key" in record.message


def test_the_log_names_what_kept_the_answer_away(caplog: pytest.LogCaptureFixture) -> None:
    error = PostStackConnectionError(0, "No answer")
    error.__cause__ = OSError("connection to 10.0.0.1 refused")
    answer_to(error)

    assert "PostStackConnectionError, status 0, code None, request None (OSError)" in caplog.text
    assert "10.0.0.1" not in caplog.text


def test_starlette_alone_is_enough() -> None:
    async def fail(request: Request) -> JSONResponse:
        raise PostStackError(429, "Slow down", retry_after=1.2)

    app = Starlette(routes=[Route("/", fail)])
    add_exception_handlers(app)

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_other_errors_go_on_as_before() -> None:
    with pytest.raises(ValueError, match="no recipients"):
        answer_to(ValueError("The e-mail has no recipients"))


def socket_application(behave: Callable[[WebSocket], Any]) -> FastAPI:
    app = application()

    @app.websocket("/")
    async def socket(websocket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        await behave(websocket)

    return app


def test_a_handler_that_comes_too_late_is_refused() -> None:
    @asynccontextmanager
    async def too_late(app: FastAPI) -> AsyncGenerator[None]:
        with pytest.raises(RuntimeError, match="where you make the application"):
            add_exception_handlers(app)
        yield

    with TestClient(FastAPI(lifespan=too_late)):
        pass


@pytest.mark.parametrize(
    ("error", "close_code", "reason"),
    [
        (PostStackError(429, "Slow down", retry_after=1.0), 1013, "email_unavailable"),
        (PostStackConnectionError(0, NO_ANSWER), 1011, "email_outcome_unknown"),
        (PostStackError(401, "Invalid API key"), 1011, "email_failed"),
        (PostStackError(422, "Refused"), 1008, "email_refused"),
    ],
)
def test_an_open_websocket_is_closed_with_the_reason(error: PostStackError, close_code: int, reason: str) -> None:
    async def fail(websocket: WebSocket) -> None:
        await websocket.accept()
        raise error

    with TestClient(socket_application(fail)).websocket_connect("/") as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert (closed.value.code, closed.value.reason) == (close_code, reason)


def test_a_websocket_that_was_not_accepted_is_declined_with_the_answer() -> None:
    async def fail(websocket: WebSocket) -> None:
        raise PostStackError(503, "Maintenance", retry_after=7.0)

    with pytest.raises(WebSocketDenialResponse) as denied, TestClient(socket_application(fail)).websocket_connect("/"):
        pass

    assert (denied.value.status_code, denied.value.headers["retry-after"]) == (503, "7")
    assert json.loads(denied.value.content)["code"] == "email_unavailable"


def test_where_the_server_cannot_decline_a_websocket_it_is_closed() -> None:
    async def fail(websocket: WebSocket) -> None:
        raise PostStackError(503, "Maintenance", retry_after=7.0)

    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "websocket", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    anyio.run(socket_application(fail), scope, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "email_unavailable"}]


def test_a_websocket_that_is_closed_already_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4000)
        raise PostStackError(429, "Slow down")

    with TestClient(socket_application(fail)).websocket_connect("/") as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 4000

    assert "status 429" in caplog.text


def test_the_answers_are_documented_on_routes_that_say_so() -> None:
    app = application()

    @app.post("/signup", responses=ERROR_RESPONSES)
    async def signup(name: str) -> None:  # pyright: ignore[reportUnusedFunction]
        pass

    documented = app.openapi()["paths"]["/signup"]["post"]["responses"]

    assert sorted(documented) == ["200", "422", "502", "503"]
    assert "Retry-After" in documented["503"]["headers"]
    for status, codes in {
        "422": ["email_refused"],
        "502": ["email_outcome_unknown", "email_failed"],
        "503": ["email_unavailable"],
    }.items():
        content = documented[status]["content"]["application/json"]
        assert content["schema"]["properties"]["code"]["enum"] == codes
        assert list(content["examples"]) == codes


def with_signup(app: FastAPI, emu: EmulatorSession) -> FastAPI:
    @app.post("/signup")
    async def signup(client: PostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"id": (await client.emails.send(EMAIL))["id"]}

    client = emu.async_client()
    app.dependency_overrides[get_poststack] = lambda: client
    return app
