"""The FastAPI lifespan and dependency, in real applications on the emulator."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from poststack import AsyncPostStack
from poststack.testing import emulator
from poststack_fastapi import PostStackDep, get_poststack, lifespan, make_lifespan
from tests.asgi import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def with_signup(app: FastAPI) -> FastAPI:
    @app.post("/signup")
    async def signup(client: PostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        sent = await client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
        )
        return {"id": sent["id"]}

    return app


async def post_signup(app: Any, path: str = "/signup") -> httpx.Response:
    async with running(app) as browser:
        return await browser.post(path)


async def test_a_route_sends_through_the_applications_client() -> None:
    with emulator() as emu:
        app = with_signup(FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport)))

        answer = await post_signup(app)

        assert answer.json() == {"id": emu.sent[0].id}


async def test_a_mounted_application_finds_the_client_of_its_parent() -> None:
    with emulator() as emu:
        app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport))
        app.mount("/shop", with_signup(FastAPI()))

        answer = await post_signup(app, "/shop/signup")

        assert answer.status_code == 200


async def test_the_inner_lifespan_runs_within_the_clients_life() -> None:
    order: list[str] = []

    @asynccontextmanager
    async def inner(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        order.append(f"start with {type(app.state.poststack).__name__}")
        yield {"db": "a pool"}
        order.append("stop")

    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", inner=inner))

    @app.get("/state")
    async def state(request: Request) -> list[str]:  # pyright: ignore[reportUnusedFunction]
        return sorted(request.scope["state"])

    async with running(app) as browser:
        assert (await browser.get("/state")).json() == ["db", "poststack"]

    assert order == ["start with AsyncPostStack", "stop"]


async def test_the_plain_lifespan_reads_the_environment_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://localhost:1111")
    app = FastAPI(lifespan=lifespan)

    async with running(app):
        assert "localhost:1111" in repr(app.state.poststack)


async def test_a_missing_key_stops_the_start() -> None:
    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        async with running(FastAPI(lifespan=lifespan)):
            pass


async def test_without_the_lifespan_the_error_says_what_to_add() -> None:
    with pytest.raises(RuntimeError, match=r"lifespan=poststack_fastapi\.lifespan"):
        await post_signup(with_signup(FastAPI()))


async def test_tests_replace_the_client_by_an_override() -> None:
    with emulator() as emu:
        app = with_signup(FastAPI())

        def replacement() -> AsyncPostStack:
            return emu.async_client()

        app.dependency_overrides[get_poststack] = replacement

        assert (await post_signup(app)).status_code == 200
        assert len(emu.sent) == 1


async def test_starlette_alone_is_enough() -> None:
    async def signup(request: Request) -> JSONResponse:
        return JSONResponse({"client": repr(get_poststack(request))})

    app = Starlette(routes=[Route("/", signup)], lifespan=make_lifespan(api_key="sk_test_x"))

    async with running(app) as browser:
        assert "AsyncPostStack" in (await browser.get("/")).text
