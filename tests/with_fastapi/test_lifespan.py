"""The FastAPI lifespan, in real applications on the emulator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from poststack import AsyncPostStack, PostStack, PostStackError
from poststack.receiving import MemoryEventStore, RedisEventStore
from poststack.testing import emulator
from poststack.transports.base import HttpRequest, HttpResponse
from poststack_fastapi import PostStackDep, get_poststack, get_sync_poststack, lifespan, make_lifespan
from tests.asgi import running

pytestmark = pytest.mark.anyio


class CountedTransport:
    """An asynchronous transport, and nothing but that, which counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def asend(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, b'{"suppressions": []}')

    async def aclose(self) -> None:
        self.closed += 1


def names(app: Starlette) -> list[str]:
    return [name for name in ("poststack", "poststack_sync", "poststack_webhooks") if hasattr(app.state, name)]


async def test_the_client_is_in_the_applications_state_while_it_runs_and_it_can_run_again() -> None:
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x"))
    clients: list[AsyncPostStack] = []

    for _ in range(2):
        async with running(app):
            clients.append(app.state.poststack)
        assert names(app) == []

    assert clients[0] is not clients[1]


async def test_the_client_is_closed_at_the_end() -> None:
    transport = CountedTransport()

    async with running(FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=transport))):
        assert transport.closed == 0

    assert transport.closed == 1


async def test_the_inner_lifespan_runs_within_the_clients_life() -> None:
    order: list[str] = []

    @asynccontextmanager
    async def inner(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        order.append(f"start with {type(app.state.poststack).__name__}")
        yield {"db": "a pool"}
        order.append(f"stop with {type(app.state.poststack).__name__}")

    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", inner=inner))

    @app.get("/state")
    async def state(request: Request) -> list[str]:  # pyright: ignore[reportUnusedFunction]
        return [request.state.db, type(request.state.poststack).__name__]

    async with running(app) as browser:
        assert (await browser.get("/state")).json() == ["a pool", "AsyncPostStack"]

    assert order == ["start with AsyncPostStack", "stop with AsyncPostStack"]


async def test_an_inner_lifespan_may_yield_nothing() -> None:
    @asynccontextmanager
    async def inner(app: FastAPI) -> AsyncGenerator[None]:
        yield

    async with running(FastAPI(lifespan=make_lifespan(api_key="sk_test_x", inner=inner))) as browser:
        assert (await browser.get("/openapi.json")).status_code == 200


async def test_an_inner_lifespan_that_fails_leaves_nothing_behind() -> None:
    @asynccontextmanager
    async def inner(app: FastAPI) -> AsyncGenerator[None]:
        if names(app):
            raise OSError("no database")
        yield

    transport = CountedTransport()
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=transport, inner=inner))

    with pytest.raises(OSError, match="no database"):
        async with running(app):
            pass

    assert (names(app), transport.closed) == ([], 1)


async def test_a_lifespan_of_ones_own_enters_it() -> None:
    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncGenerator[Mapping[str, Any]]:
        async with make_lifespan(api_key="sk_test_x")(app) as state:
            yield {**state, "db": "a pool"}

    app = FastAPI(lifespan=own)

    @app.get("/state")
    async def state(request: Request, client: PostStackDep) -> list[Any]:  # pyright: ignore[reportUnusedFunction]
        return [request.state.db, request.state.poststack is client is app.state.poststack]

    async with running(app) as browser:
        assert (await browser.get("/state")).json() == ["a pool", True]


async def test_a_router_brings_it_along() -> None:
    router = APIRouter(lifespan=make_lifespan(api_key="sk_test_x"))

    @router.get("/client")
    async def client(client: PostStackDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return type(client).__name__

    app = FastAPI()
    app.include_router(router)

    async with running(app) as browser:
        assert (await browser.get("/client")).json() == "AsyncPostStack"


async def test_a_router_that_is_included_twice_shares_one_client() -> None:
    transport = CountedTransport()
    router = APIRouter(lifespan=make_lifespan(api_key="sk_test_x", transport=transport))
    app = FastAPI()
    app.include_router(router)
    app.include_router(router, prefix="/again")

    async with running(app):
        pass

    assert (names(app), transport.closed) == ([], 1)


async def test_a_client_that_is_there_already_is_used_and_stays_open() -> None:
    transport = CountedTransport()
    mine = AsyncPostStack("sk_test_mine", transport=transport)
    app = FastAPI(lifespan=lifespan)  # It would miss the key.
    app.state.poststack = mine

    @app.get("/mine")
    async def is_mine(request: Request, client: PostStackDep) -> bool:  # pyright: ignore[reportUnusedFunction]
        return client is mine and request.state.poststack is mine

    async with running(app) as browser:
        assert (await browser.get("/mine")).json()

    assert transport.closed == 0
    assert app.state.poststack is mine


async def test_a_client_that_is_put_there_later_counts_at_once() -> None:
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x"))

    @app.get("/client")
    async def client(client: PostStackDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return repr(client)

    async with running(app) as browser:
        app.state.poststack = AsyncPostStack("sk_test_x", "http://localhost:2222")

        assert "localhost:2222" in (await browser.get("/client")).json()
    assert "localhost:2222" in repr(app.state.poststack)  # What somebody else put there stays.


async def test_a_client_may_be_given_and_stays_open() -> None:
    transport = CountedTransport()
    mine, sync = AsyncPostStack("sk_test_x", transport=transport), PostStack("sk_test_x")
    app = FastAPI(lifespan=make_lifespan(client=mine, sync_client=sync))

    async with running(app):
        assert app.state.poststack is mine
        assert app.state.poststack_sync is sync

    assert (names(app), transport.closed) == ([], 0)


@pytest.mark.parametrize("setting", [{"api_key": "sk_x"}, {"timeout": 1.0}, {"transport": CountedTransport()}])
def test_a_client_and_settings_of_one_are_refused_together(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either a client or the settings"):
        make_lifespan(client=AsyncPostStack("sk_test_x"), **setting)


async def test_each_application_has_a_client_of_its_own() -> None:
    shared = make_lifespan(api_key="sk_test_x")
    one, other = FastAPI(lifespan=shared), FastAPI(lifespan=shared)

    async with running(one), running(other):
        assert one.state.poststack is not other.state.poststack
        assert one.state.poststack_webhooks.store is not other.state.poststack_webhooks.store


async def test_the_environment_is_read_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://localhost:1111")
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", " new one, old one ,")
    app = FastAPI(lifespan=lifespan)

    async with running(app):
        assert "localhost:1111" in repr(app.state.poststack)
        assert "localhost:1111" in repr(app.state.poststack_sync)
        assert app.state.poststack_webhooks.secrets == ("new one", "old one")


async def test_numbers_of_the_environment_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_MAX_RETRIES", "1")
    monkeypatch.setenv("POSTSTACK_TIMEOUT", " 2.5 ")
    monkeypatch.setenv("POSTSTACK_DEADLINE", "")
    seen: list[float] = []

    class Failing(CountedTransport):
        async def asend(self, request: HttpRequest) -> HttpResponse:
            seen.append(request.timeout)
            return HttpResponse(503, {"retry-after": "0"})

    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=Failing()))
    async with running(app):
        with pytest.raises(PostStackError):
            await app.state.poststack.suppressions.list()

    assert seen == [2.5, 2.5]


async def test_arguments_count_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_BASE_URL", "nonsense")
    monkeypatch.setenv("POSTSTACK_TIMEOUT", "nonsense")
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", "from outside")
    own = make_lifespan(api_key="sk_test_x", base_url="http://localhost:1111", timeout=3, webhook_secrets=["given"])
    app = FastAPI(lifespan=own)

    async with running(app):
        assert "localhost:1111" in repr(app.state.poststack)
        assert app.state.poststack_webhooks.secrets == ("given",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTSTACK_TIMEOUT", "soon"),
        ("POSTSTACK_TIMEOUT", "0"),
        ("POSTSTACK_TIMEOUT", "nan"),
        ("POSTSTACK_TIMEOUT", "inf"),
        ("POSTSTACK_MAX_RETRIES", "-1"),
        ("POSTSTACK_MAX_RETRIES", "1.5"),
        ("POSTSTACK_MAX_RETRIES", "²"),
        ("POSTSTACK_DEADLINE", "-3"),
        ("POSTSTACK_BASE_URL", "api.poststack.dev"),
    ],
)
async def test_a_wrong_variable_stops_the_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")
    monkeypatch.setenv(name, value)

    with pytest.raises(ValueError, match=name):
        async with running(FastAPI(lifespan=lifespan)):
            pass


async def test_a_missing_key_stops_the_start() -> None:
    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        async with running(FastAPI(lifespan=lifespan)):
            pass


async def test_secrets_may_hide_themselves() -> None:
    with emulator() as emu:
        app = FastAPI(
            lifespan=make_lifespan(
                api_key=SecretStr("sk_test_hidden"),
                webhook_secrets=[SecretStr("whsec_hidden")],
                transport=emu.transport,
            )
        )
        async with running(app):
            await send_with(app.state.poststack)

            assert app.state.poststack_webhooks.secrets == ("whsec_hidden",)
            assert "hidden" not in repr(vars(app.state))
        assert len(emu.sent) == 1


async def send_with(client: AsyncPostStack) -> None:
    await client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})


async def test_the_event_store_is_the_one_that_is_given() -> None:
    store = MemoryEventStore()
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", event_store=store))

    async with running(app):
        assert app.state.poststack_webhooks.store is store


async def test_an_event_store_that_is_empty_is_one_all_the_same() -> None:
    class CountedStore(MemoryEventStore):
        def __len__(self) -> int:
            return 0

    store = CountedStore()

    async with running(app := FastAPI(lifespan=make_lifespan(api_key="sk_test_x", event_store=store))):
        assert app.state.poststack_webhooks.store is store


def test_what_is_of_the_other_kind_is_refused_at_once() -> None:
    wrong: Any = RedisEventStore(object())  # type: ignore[arg-type]  # never asked

    with pytest.raises(TypeError, match="RedisEventStore is no AsyncEventStore"):
        make_lifespan(event_store=wrong)
    with pytest.raises(TypeError, match="sync_client=PostStack"):
        make_lifespan(client=cast("Any", PostStack("sk_test_x")))
    with pytest.raises(TypeError, match="client=AsyncPostStack"):
        make_lifespan(sync_client=cast("Any", AsyncPostStack("sk_test_x")))


async def test_the_synchronous_client_has_the_same_settings() -> None:
    with emulator() as emu:
        app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport))

        async with running(app):
            app.state.poststack_sync.emails.send(
                {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
            )

        assert len(emu.sent) == 1


async def test_starlette_alone_is_enough() -> None:
    async def clients(request: Request) -> JSONResponse:
        return JSONResponse([repr(get_poststack(request)), repr(get_sync_poststack(request))])

    inner = Starlette(routes=[Route("/", clients)])
    app = Starlette(routes=[Route("/", clients), Mount("/sub", inner)], lifespan=make_lifespan(api_key="sk_test_x"))

    async with running(app) as browser:
        for path in ("/", "/sub/"):
            assert [text.partition("(")[0] for text in (await browser.get(path)).json()] == [
                "AsyncPostStack",
                "PostStack",
            ]
