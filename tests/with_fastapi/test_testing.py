"""The emulator behind a whole application, for the tests of its users."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timezone
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from poststack import AsyncPostStack, WebhookEvent
from poststack.receiving import AsyncWebhookReceiver
from poststack.testing import Settings, webhook_call
from poststack.types import SendEmail
from poststack_fastapi import (
    PostStackDep,
    SyncPostStackDep,
    get_poststack,
    lifespan,
    make_lifespan,
    webhook_route,
    webhook_router,
)
from poststack_fastapi.testing import emulated_poststack
from tests.asgi import running

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
SECRET = "whsec_of_the_application"


def application(**options: Any) -> FastAPI:
    """Return an application that sends, and has a webhook route that remembers what it was told, and where."""
    app = FastAPI(**options)
    app.state.heard = []
    receiver = AsyncWebhookReceiver(SECRET)

    @receiver.on("*")
    async def note(event: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        if event.type == "email.complained":
            raise LookupError("a bug")
        app.state.heard.append((event.type, id(asyncio.get_running_loop())))

    @app.post("/signup")
    async def signup(client: PostStackDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return (await client.emails.send(EMAIL))["id"]

    @app.post("/sync")
    def sync(client: SyncPostStackDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return client.emails.send(EMAIL)["id"]

    @app.post("/hook")
    async def hook(request: Request) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        app.state.seen = sorted(request.scope["state"])
        answer = await receiver.receive(await request.body(), request.headers.get("x-poststack-signature"))
        return JSONResponse(answer.text, answer.status)

    @app.post("/broken")
    async def broken() -> None:  # pyright: ignore[reportUnusedFunction]
        raise LookupError("a bug")

    return app


def heard(app: FastAPI) -> list[str]:
    return [kind for kind, _ in app.state.heard]


@asynccontextmanager
async def inner(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
    app.state.loop = id(asyncio.get_running_loop())
    yield {"pool": "of the loop"}


@pytest.mark.parametrize("path", ["/signup", "/sync"])
def test_with_the_lifespan_running_no_key_is_needed(path: str) -> None:
    app = application(lifespan=lifespan)

    with emulated_poststack(app) as post, TestClient(app) as browser:
        email_id = browser.post(path).json()

        assert [sent.id for sent in post.sent] == [email_id]


@pytest.mark.parametrize("path", ["/signup", "/sync"])
def test_without_the_lifespan_it_works_as_well(path: str) -> None:
    app = application(lifespan=make_lifespan(api_key="sk_live_never_used"))

    with emulated_poststack(app) as post:
        assert TestClient(app).post(path).json() == post.sent[0].id


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asynchronous_tests_use_it_in_their_own_loop() -> None:
    app = application(lifespan=lifespan)

    with emulated_poststack(app) as post:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:
            assert (await browser.post("/signup")).json() == post.sent[0].id
        async with running(app) as browser:
            assert (await browser.post("/signup")).json() == post.sent[1].id


def test_starlette_alone_is_enough() -> None:
    async def send(request: Any) -> JSONResponse:
        return JSONResponse((await get_poststack(request).emails.send(EMAIL))["id"])

    app = Starlette(routes=[Route("/", send)], lifespan=lifespan)

    with emulated_poststack(app) as post, TestClient(app) as browser:
        assert browser.get("/").json() == post.sent[0].id


def test_afterwards_everything_is_as_before() -> None:
    app = application()
    own = app.state.poststack = AsyncPostStack("sk_test_own")
    before = app.router.lifespan_context

    with contextlib.suppress(LookupError), emulated_poststack(app, webhook="/hook"):
        assert app.state.poststack is not own
        raise LookupError

    assert app.state.poststack is own
    assert app.router.lifespan_context is before
    assert not hasattr(app.state, "poststack_sync")
    assert not hasattr(app.state, "poststack_webhooks")


def test_blocks_within_each_other_end_in_order() -> None:
    app = application()

    with emulated_poststack(app) as outer:
        with emulated_poststack(app) as nearer:
            TestClient(app).post("/signup")
        TestClient(app).post("/signup")

    assert (len(outer.sent), len(nearer.sent)) == (1, 1)


def test_the_application_can_be_started_several_times() -> None:
    app = application(lifespan=lifespan)

    with emulated_poststack(app) as post:
        for _ in range(2):
            with TestClient(app) as browser:
                browser.post("/signup")

    assert len(post.sent) == 2


def test_a_lifespan_that_makes_a_client_by_itself_does_not_send_past_the_emulator() -> None:
    @asynccontextmanager
    async def as_in_the_guide(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with AsyncPostStack(api_key="sk_live_x", base_url="http://127.0.0.1:9", max_retries=0) as client:
            app.state.poststack = client
            yield {"poststack": client, "db": "a pool"}

    app = application(lifespan=as_in_the_guide)

    @app.get("/state")
    async def state(request: Request) -> list[str]:  # pyright: ignore[reportUnusedFunction]
        sent = await request.state.poststack.emails.send(EMAIL)
        return [request.state.db, sent["id"]]

    with emulated_poststack(app) as post, TestClient(app) as browser:
        ids = [browser.post("/signup").json(), browser.post("/sync").json(), browser.get("/state").json()[1]]

        assert [one.id for one in post.sent] == ids


def test_options_are_those_of_the_emulator() -> None:
    app = application()
    start = datetime(2030, 1, 1, tzinfo=timezone.utc)

    with emulated_poststack(app, settings=Settings(domains=("other.example",)), start=start) as post:
        assert post.clock.time() == start.timestamp()
        with pytest.raises(Exception, match="Domain not verified"):
            TestClient(app).post("/signup")
    with emulated_poststack(app, max_retries=1) as post:
        post.fail(500, times=1)
        assert TestClient(app).post("/signup").status_code == 200


def test_webhooks_reach_the_application_in_the_loop_that_it_runs_in() -> None:
    app = application(lifespan=make_lifespan(inner=inner))

    with emulated_poststack(app, webhook="/hook", secret=SECRET) as post, TestClient(app) as browser:
        email_id = browser.post("/signup").json()
        post.clock.advance(60)
        post.simulate(email_id, "opened")

        assert heard(app) == ["email.queued", "email.sent", "email.delivered", "email.opened"]
        assert {loop for _, loop in app.state.heard} == {app.state.loop}
        assert "pool" in app.state.seen


def test_webhooks_reach_an_application_that_was_not_started() -> None:
    app = application()

    with emulated_poststack(app, webhook="/hook", secret=SECRET) as post:
        TestClient(app).post("/signup")
        post.clock.advance(60)

    assert heard(app) == ["email.queued", "email.sent", "email.delivered"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_in_asynchronous_tests_the_clock_may_advance_here_or_in_a_thread() -> None:
    app = application(lifespan=make_lifespan(inner=inner))

    with emulated_poststack(app, webhook="/hook", secret=SECRET) as post:
        async with running(app) as browser:
            await browser.post("/signup")
            await anyio.to_thread.run_sync(post.clock.advance, 60)
            assert {loop for _, loop in app.state.heard} == {app.state.loop}

            app.state.heard.clear()
            await browser.post("/signup")
            post.clock.advance(60)
            assert heard(app) == ["email.queued", "email.sent", "email.delivered"]
            assert app.state.loop not in {loop for _, loop in app.state.heard}


def test_an_application_on_trio_is_called_there() -> None:
    async def send(request: Any) -> JSONResponse:
        return JSONResponse((await get_poststack(request).emails.send(EMAIL))["id"])

    libraries: list[str] = []

    async def hook(request: Any) -> JSONResponse:
        libraries.append(type(anyio.get_current_task()).__module__)
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return JSONResponse("ok")

    routes = [Route("/", send), Route("/hook", hook, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=lifespan)

    with emulated_poststack(app, webhook="/hook") as post, TestClient(app, backend="trio") as browser:
        browser.get("/")
        post.clock.advance(60)

        assert len(libraries) == 3


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_packages_own_route_is_found_and_takes_the_secret(started: bool, prefix: str) -> None:
    webhooks, noted = webhook_router(), list[str]()

    @webhooks.on("email.delivered")
    def note(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        noted.append(event.email_id or "")

    app = application(lifespan=lifespan)
    app.include_router(webhooks, prefix=prefix)

    for _ in range(2):
        noted.clear()
        with emulated_poststack(app) as post, TestClient(app) if started else nullcontext(TestClient(app)) as browser:
            email_id = browser.post("/signup").json()
            post.clock.advance(60)

            assert noted == [email_id]


def test_a_route_with_a_secret_of_its_own_is_signed_for_with_that() -> None:
    route, noted = webhook_route("whsec_own"), list[str]()

    @route.on("*")
    async def note(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        noted.append(event.type)

    async def send(request: Any) -> JSONResponse:
        return JSONResponse((await get_poststack(request).emails.send(EMAIL))["id"])

    app = Starlette(routes=[Route("/", send), route], lifespan=lifespan)

    with emulated_poststack(app, secret="whsec_own") as post, TestClient(app) as browser:
        browser.get("/")
        post.clock.advance(60)

    assert noted == ["email.queued", "email.sent", "email.delivered"]


def test_no_webhook_is_called_when_none_is_wanted_or_there() -> None:
    app = application()
    app.include_router(webhook_router("whsec_own"))

    for unwanted_or_missing in (emulated_poststack(app, webhook=False), emulated_poststack(application())):
        with unwanted_or_missing as post:
            assert post.client().webhooks.list()["webhooks"] == []


def test_a_handler_that_fails_is_called_again_later() -> None:
    app = application()

    with emulated_poststack(app, webhook="/hook", secret=SECRET) as post:
        email_id = TestClient(app).post("/signup").json()
        post.simulate(email_id, "complained")
        delivery = post.client().webhooks.get_deliveries(1)["deliveries"][0]

        assert (delivery["statusCode"], delivery["nextRetryAt"] is not None) == (500, True)


def test_a_route_that_raises_is_logged_and_answers_500(caplog: pytest.LogCaptureFixture) -> None:
    app = application()

    with emulated_poststack(app, webhook="/broken") as post:
        TestClient(app).post("/signup")
        post.clock.advance(0)
        delivery = post.client().webhooks.get_deliveries(1)["deliveries"][0]

        assert delivery["statusCode"] == 500
        (record,) = [record for record in caplog.records if record.name == "poststack.fastapi"]
        assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)


def test_a_call_of_ones_own_needs_no_emulator() -> None:
    app = application()
    call = webhook_call("email.bounced", secret=SECRET, email_id="em_1")

    answer = TestClient(app).post("/hook", content=call.body, headers=dict(call.headers))

    assert answer.status_code == 200
    assert heard(app) == ["email.bounced"]


def test_the_package_imports_no_part_of_the_kit() -> None:
    import subprocess
    import sys

    program = (
        "import sys, poststack_fastapi\n"
        "print([name for name in sys.modules if name.startswith(('poststack_fastapi.testing', 'poststack.testing'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
