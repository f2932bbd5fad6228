"""Applications that send through another provider than PostStack."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI

from poststack import AsyncPostStack, OutcomeUnknownError, PostStackError
from poststack.mailbridge import AsyncFailover, AsyncMailBridge, MailBridge, SqliteKeyStore
from poststack_fastapi import (
    MailerDep,
    PostStackDep,
    SyncMailerDep,
    SyncPostStackDep,
    add_exception_handlers,
    lifespan,
    make_lifespan,
    send_in_background,
)
from tests.asgi import running
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import FakeSendGrid

pytestmark = pytest.mark.anyio

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


def application(made: Any) -> FastAPI:
    app = FastAPI(lifespan=made)
    add_exception_handlers(app)

    @app.post("/send")
    async def send(client: PostStackDep) -> Any:
        return await client.emails.send(EMAIL)

    @app.post("/send-sync")
    def send_sync(client: SyncPostStackDep) -> Any:
        return client.emails.send(EMAIL)

    @app.post("/mailer")
    async def mailer(mailer: MailerDep) -> list[str]:
        await mailer.send("ada@example.com", "Hi", "<p>Hi</p>", "shop@example.com", metadata={"order": "7"})
        return list(mailer.providers)

    @app.post("/mailer-sync")
    def mailer_sync(mailer: SyncMailerDep) -> list[str]:
        mailer.send("ada@example.com", "Hi", "<p>Hi</p>", "shop@example.com")
        return list(mailer.providers)

    return app


async def post(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post(path)


async def test_routes_send_through_the_provider_that_is_named(fake: FakeSendGrid) -> None:
    app = application(make_lifespan(provider="sendgrid", provider_options=fake.settings()))

    async with running(app):
        answers = [(await post(app, path)).json() for path in ("/send", "/send-sync", "/mailer", "/mailer-sync")]

    ids = [one.message_id for one in fake.delivered]
    assert answers[:2] == [{"id": message_id, "provider": "sendgrid"} for message_id in ids[:2]]
    assert answers[2:] == [["sendgrid"], ["sendgrid"]]
    assert fake.delivered[2].metadata == {"order": "7"}


async def test_the_environment_names_the_provider(
    fake: FakeSendGrid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**fake.settings(), "keys": f"sqlite:{tmp_path / 'keys.db'}"}
    monkeypatch.setenv("POSTSTACK_PROVIDER", "sendgrid")
    monkeypatch.setenv("POSTSTACK_PROVIDER_OPTIONS", json.dumps(options))
    app = application(lifespan)

    async with running(app):
        assert (await post(app, "/send")).json()["provider"] == "sendgrid"
        assert isinstance(app.state.poststack, AsyncMailBridge)
        assert isinstance(app.state.poststack_sync, MailBridge)
    async with running(named := application(make_lifespan(api_key="sk_test_x"))):
        assert isinstance(named.state.poststack, AsyncPostStack)


async def test_mailers_that_are_there_are_used_and_left_open(fake: FakeSendGrid) -> None:
    async with AsyncMailBridge("sendgrid", **fake.settings()) as client:
        with MailBridge("sendgrid", **fake.settings()) as sync_client:
            for _ in range(2):
                app = application(make_lifespan(client=client, sync_client=sync_client))
                async with running(app):
                    await post(app, "/send")
                    await post(app, "/mailer-sync")

    assert len(fake.delivered) == 4
    assert fake.connections == 2


async def test_a_failover_is_used(fake: FakeSendGrid) -> None:
    away = AsyncMailBridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)
    async with AsyncFailover([away, AsyncMailBridge("sendgrid", **fake.settings())]) as client:
        app = application(make_lifespan(client=client))
        async with running(app):
            assert (await post(app, "/send")).status_code == 200
            with pytest.raises(RuntimeError, match="sync_client=MailBridge"):
                await post(app, "/send-sync")


async def test_a_function_makes_the_mailer_when_the_application_starts(fake: FakeSendGrid) -> None:
    def mailer() -> AsyncMailBridge:
        return AsyncMailBridge("sendgrid", **fake.settings())

    app = application(make_lifespan(provider=mailer))
    async with running(app):
        assert (await post(app, "/mailer")).json() == ["sendgrid"]


async def test_a_store_that_awaits_is_for_the_asynchronous_mailer_only(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")

    class Awaiting:
        abegin, afinish, aabandon = store.abegin, store.afinish, store.aabandon

    app = application(make_lifespan(provider="sendgrid", provider_options={**fake.settings(), "keys": Awaiting()}))
    async with running(app):
        assert (await post(app, "/send")).status_code == 200
        assert not hasattr(app.state, "poststack_sync")


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"client": MailBridge("sendgrid", api_key="SG.x")}, TypeError, "sync_client=MailBridge"),
        ({"sync_client": AsyncMailBridge("sendgrid", api_key="SG.x")}, TypeError, "client=AsyncMailBridge"),
        ({"client": AsyncMailBridge("sendgrid", api_key="SG.x"), "provider": "sendgrid"}, ValueError, "not both"),
    ],
)
async def test_what_cannot_be_used_is_refused_at_once(options: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make_lifespan(**options)


async def test_a_wrong_provider_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for options, told in (({"api_keys": "SG.secret"}, "Did you mean 'api_key'"), ({}, "needs the setting 'api_key'")):
        with pytest.raises(ValueError, match=told):
            async with running(FastAPI(lifespan=make_lifespan(provider="sendgrid", provider_options=options))):
                pass
    monkeypatch.setenv("POSTSTACK_PROVIDER", "sendgird")
    with pytest.raises(ValueError, match="There is no provider 'sendgird'"):
        async with running(FastAPI(lifespan=lifespan)):
            pass


async def test_a_mailer_is_not_there_where_poststack_sends() -> None:
    app = application(make_lifespan(api_key="sk_test_x"))
    async with running(app):
        for path in ("/mailer", "/mailer-sync"):
            with pytest.raises(RuntimeError, match="This application sends through PostStack"):
                await post(app, path)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(taken=True, reset=True), 502, "email_outcome_unknown"),
        (answers(502), 502, "email_outcome_unknown"),
        (answers(401), 502, "email_failed"),
        (answers(400), 422, "email_refused"),
        (answers(503), 503, "email_unavailable"),
        (answers(429, Retry_After="7"), 503, "email_unavailable"),
        (answers(402), 503, "email_unavailable"),
    ],
)
async def test_failures_are_answered_as_those_of_poststack(
    fake: FakeSendGrid, fault: Fault, status: int, code: str
) -> None:
    fake.faults.append(fault)
    app = application(make_lifespan(provider="sendgrid", provider_options=fake.settings(), max_retries=0))

    async with running(app):
        answer = await post(app, "/send")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    throttled = fault.answer is not None and fault.answer.status == 429
    assert answer.headers.get("retry-after") == ("7" if throttled else None)
    assert len(fake.requests) == 1


def in_background(mailer: Any, payload: Any, failed: list[Exception]) -> tuple[FastAPI, list[str]]:
    """Return an application whose route sends after its response, and the list that gets what it is told."""
    app, names = FastAPI(lifespan=make_lifespan(client=mailer)), list[str]()

    @app.post("/")
    async def route(tasks: BackgroundTasks, client: PostStackDep) -> None:
        names.append(send_in_background(tasks, client, payload, on_failure=failed.append))

    return app, names


async def test_background_mail_goes_without_a_key_where_nobody_would_mind_it(
    fake: FakeSendGrid, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "poststack.fastapi")
    failed: list[Exception] = []
    async with AsyncMailBridge("sendgrid", **fake.settings()) as mailer:
        app, names = in_background(mailer, EMAIL, failed)
        async with running(app):
            await post(app, "/")

    assert (len(fake.delivered), failed) == (1, [])
    assert f"The e-mail {names[0]} was accepted: {fake.delivered[0].message_id}." in caplog.messages


async def test_background_mail_has_a_key_where_there_is_a_store(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    async with AsyncMailBridge("sendgrid", **fake.settings(), keys=store) as mailer:
        app, names = in_background(mailer, EMAIL, [])
        async with running(app):
            await post(app, "/")

    assert store.begin(names[0], "sendgrid").state == "done"


async def test_what_the_provider_cannot_say_is_raised_in_the_route(fake: FakeSendGrid) -> None:
    async with AsyncMailBridge("sendgrid", **fake.settings()) as mailer:
        for payload in ({**EMAIL, "unsubscribe": True}, {**EMAIL, "idempotency_key": "welcome/1"}):
            app, names = in_background(mailer, payload, [])
            async with running(app):
                with pytest.raises(ValueError, match=r"`(unsubscribe|idempotency_key)`"):
                    await post(app, "/")
            assert names == []

    assert fake.requests == []


async def test_an_unknown_outcome_in_the_background_is_told(fake: FakeSendGrid) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    failed: list[Exception] = []
    async with AsyncMailBridge("sendgrid", **fake.settings()) as mailer:
        app, _ = in_background(mailer, EMAIL, failed)
        async with running(app):
            await post(app, "/")

    (error,) = failed
    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error, PostStackError)
    assert error.may_have_taken_effect


async def test_a_mailer_that_cannot_be_awaited_does_not_send_in_the_background() -> None:
    mailer: Any = MailBridge("sendgrid", api_key="SG.x")

    with pytest.raises(TypeError, match="AsyncMailBridge"):
        send_in_background(BackgroundTasks(), mailer, EMAIL)
