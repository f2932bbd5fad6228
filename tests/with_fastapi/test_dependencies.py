"""How routes get the clients, in real applications on the emulator."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from anyio import to_thread
from fastapi import Depends, FastAPI, WebSocket
from starlette.testclient import TestClient

from poststack import AsyncPostStack, PostStack
from poststack.testing import EmulatorSession, emulator
from poststack_fastapi import (
    PostStackDep,
    SyncPostStackDep,
    get_poststack,
    get_sync_poststack,
    lifespan,
    make_lifespan,
)
from tests.asgi import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def emu() -> Iterator[EmulatorSession]:
    with emulator() as session:
        yield session


def with_signup(app: FastAPI) -> FastAPI:
    @app.post("/signup")
    async def signup(client: PostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        sent = await client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
        )
        return {"id": sent["id"]}

    @app.post("/signup-in-a-thread")
    def signup_in_a_thread(client: SyncPostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        assert threading.current_thread() is not threading.main_thread()
        sent = client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})
        return {"id": sent["id"]}

    @app.websocket("/live")
    async def live(socket: WebSocket, client: PostStackDep) -> None:  # pyright: ignore[reportUnusedFunction]
        await socket.accept()
        await socket.send_text(type(client).__name__)
        await socket.close()

    return app


async def post(app: Any, path: str) -> httpx.Response:
    async with running(app) as browser:
        return await browser.post(path)


@pytest.mark.parametrize("path", ["/signup", "/signup-in-a-thread"])
async def test_a_route_sends_through_the_applications_client(emu: EmulatorSession, path: str) -> None:
    app = with_signup(FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport)))

    answer = await post(app, path)

    assert answer.json() == {"id": emu.sent[0].id}


@pytest.mark.parametrize("path", ["/shop/signup", "/shop/signup-in-a-thread"])
async def test_a_mounted_application_finds_the_clients_of_its_parent(emu: EmulatorSession, path: str) -> None:
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport))
    app.mount("/shop", with_signup(FastAPI()))

    assert (await post(app, path)).status_code == 200


async def test_a_mounted_application_may_have_a_client_of_its_own(emu: EmulatorSession) -> None:
    shop = with_signup(FastAPI())
    shop.state.poststack = emu.async_client()
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", base_url="http://localhost:1"))
    app.mount("/shop", shop)

    assert (await post(app, "/shop/signup")).status_code == 200


def test_a_websocket_gets_the_client() -> None:
    with (
        TestClient(with_signup(FastAPI(lifespan=make_lifespan(api_key="sk_test_x")))) as browser,
        browser.websocket_connect("/live") as socket,
    ):
        assert socket.receive_text() == "AsyncPostStack"


def test_the_test_client_can_start_an_application_twice() -> None:
    app = with_signup(FastAPI(lifespan=make_lifespan(api_key="sk_test_x")))

    for _ in range(2):
        with TestClient(app) as browser, browser.websocket_connect("/live") as socket:
            assert socket.receive_text() == "AsyncPostStack"


@pytest.mark.parametrize("path", ["/signup", "/signup-in-a-thread"])
async def test_without_the_lifespan_the_error_says_what_to_add(path: str) -> None:
    with pytest.raises(RuntimeError, match=r"lifespan=poststack_fastapi\.lifespan"):
        await post(with_signup(FastAPI()), path)


async def test_a_mounted_application_is_told_what_the_outer_one_has_to_yield() -> None:
    @asynccontextmanager
    async def forgetful(app: FastAPI) -> AsyncGenerator[None]:
        async with make_lifespan(api_key="sk_test_x")(app):
            yield

    outer = FastAPI(lifespan=forgetful)
    outer.mount("/shop", with_signup(FastAPI()))

    with pytest.raises(RuntimeError, match="the outer one's lifespan yield"):
        await post(outer, "/shop/signup")


async def test_a_thread_gets_no_client_of_another_account_than_was_given(emu: EmulatorSession) -> None:
    app = with_signup(FastAPI(lifespan=lifespan))
    app.state.poststack = emu.async_client()

    with pytest.raises(RuntimeError, match=r"app\.state\.poststack_sync"):
        await post(app, "/signup-in-a-thread")

    app.state.poststack_sync = emu.client()
    assert (await post(app, "/signup-in-a-thread")).status_code == 200


async def test_tests_replace_the_clients_by_overrides(emu: EmulatorSession) -> None:
    app = with_signup(FastAPI())

    def replacement() -> AsyncPostStack:
        return emu.async_client()

    def replacement_in_threads() -> PostStack:
        return emu.client()

    app.dependency_overrides[get_poststack] = replacement
    app.dependency_overrides[get_sync_poststack] = replacement_in_threads

    assert (await post(app, "/signup")).status_code == 200
    assert (await post(app, "/signup-in-a-thread")).status_code == 200
    assert len(emu.sent) == 2


async def test_the_annotation_and_the_function_are_one_dependency(emu: EmulatorSession) -> None:
    app = FastAPI()
    made: list[AsyncPostStack] = []

    def replacement() -> AsyncPostStack:
        made.append(emu.async_client())
        return made[-1]

    app.dependency_overrides[get_poststack] = replacement

    async def same(one: Any, other: Any) -> bool:
        return one is other

    same.__annotations__.update(one=PostStackDep, other=Annotated[AsyncPostStack, Depends(get_poststack)])
    app.post("/same")(same)

    assert (await post(app, "/same")).json() is True
    assert len(made) == 1


async def test_the_client_is_found_without_a_thread() -> None:
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x"))
    to_thread.current_default_thread_limiter().total_tokens = 1

    @app.post("/client")
    async def client(client: PostStackDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return type(client).__name__

    async with running(app) as browser:
        await to_thread.current_default_thread_limiter().acquire()  # All threads are busy.
        assert (await browser.post("/client")).json() == "AsyncPostStack"
