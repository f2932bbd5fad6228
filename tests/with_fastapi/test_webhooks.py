"""The webhook router and the Starlette route, in real applications."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from poststack.events import SIGNATURE_HEADER, WebhookEvent
from poststack.receiving import MemoryEventStore, RedisEventStore
from poststack.testing import WebhookCall, emulator, webhook_call
from poststack_fastapi import (
    WebhookRoute,
    WebhookRouter,
    get_poststack,
    lifespan,
    make_lifespan,
    webhook_route,
    webhook_router,
)
from tests.asgi import running

pytestmark = pytest.mark.anyio

SECRET = "whsec_of_the_shop"
PATH = "/webhooks/poststack"
Endpoint = WebhookRouter | WebhookRoute


def with_router(**options: Any) -> tuple[Any, WebhookRouter]:
    router = webhook_router(**options)
    app = FastAPI()
    app.include_router(router)
    return app, router


def with_route(**options: Any) -> tuple[Any, WebhookRoute]:
    route = webhook_route(**options)
    return Starlette(routes=[route]), route


both = pytest.mark.parametrize("application", [with_router, with_route])
Application = Callable[..., tuple[Any, Endpoint]]


def delivered(event_type: str = "email.delivered", *, secret: str = SECRET, **more: Any) -> WebhookCall:
    return webhook_call(event_type, secret=secret, **more)


def ids_into(seen: list[str]) -> Callable[[WebhookEvent], None]:
    def note_id(event: WebhookEvent) -> None:
        seen.append(event.id)

    return note_id


async def post(app: Any, *calls: WebhookCall, path: str = PATH) -> list[int]:
    async with running(app) as browser:
        return [(await browser.post(path, content=call.body, headers=call.headers)).status_code for call in calls]


@both
async def test_handlers_of_all_kinds_get_the_event(application: Application) -> None:
    app, endpoint = application(secrets=SECRET)
    seen: list[Any] = []
    tenant: ContextVar[str] = ContextVar("tenant", default="")

    @endpoint.on("email.delivered")
    async def awaited(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        tenant.set("shop")
        seen.append(("awaited", event.email_id))

    @endpoint.on("email.delivered", "email.bounced")
    def in_a_thread(event: WebhookEvent, request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        assert threading.current_thread() is not threading.main_thread()
        seen.append((tenant.get(), request.url.path))

    @endpoint.on("*")
    async def awaited_with_request(event: WebhookEvent, request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        seen.append((await request.json())["type"])

    @endpoint.on("email.bounced")
    async def not_called(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        raise AssertionError

    assert await post(app, delivered(email_id="em_1")) == [200]
    assert seen == [("awaited", "em_1"), ("shop", PATH), "email.delivered"]


@both
async def test_objects_and_partials_are_handlers(application: Application) -> None:
    app, endpoint = application(secrets=SECRET)
    seen: list[str] = []

    class Noting:
        async def __call__(self, event: WebhookEvent) -> None:
            seen.append("object")

    async def note(text: str, event: WebhookEvent, request: Request) -> None:
        seen.append(text + request.method)

    class Shop:
        def handle(self, event: WebhookEvent, request: Request | None = None) -> None:
            seen.append("method" if request else "nothing")

    def later(event: WebhookEvent) -> Any:
        return note("later ", event, Request({"type": "http", "method": "GET"}))

    endpoint.on("*")(Noting())
    endpoint.on("*")(partial(note, "partial "))
    endpoint.on("*")(Shop().handle)
    endpoint.on("*")(later)

    assert await post(app, delivered()) == [200]
    assert seen == ["object", "partial POST", "method", "later GET"]


def no_parameter() -> None: ...
def three(event: WebhookEvent, request: Request, client: object) -> None: ...
def keyword(event: WebhookEvent, *, client: object) -> None: ...


@both
@pytest.mark.parametrize("handler", [no_parameter, three, keyword])
def test_a_handler_that_takes_something_else_is_refused_at_once(application: Application, handler: Any) -> None:
    _, endpoint = application(secrets=SECRET)

    with pytest.raises(TypeError, match=rf"{handler.__name__} must take \(event\) or \(event, request\)"):
        endpoint.on("email.sent")(handler)


@both
def test_a_type_that_no_event_has_is_refused_at_once(application: Application) -> None:
    with pytest.raises(ValueError, match="is no event type"):
        application()[1].on("email.deliverd")


@both
async def test_a_repeated_event_calls_only_those_that_failed(application: Application) -> None:
    app, endpoint = application(secrets=SECRET)
    calls: list[str] = []

    @endpoint.on("*")
    def steady(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        calls.append("steady")

    @endpoint.on("*")
    async def failing(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        calls.append("failing")
        if calls.count("failing") < 3:
            raise RuntimeError

    assert await post(app, *[delivered(event_id="evt_1")] * 4) == [500, 500, 200, 200]
    assert (calls.count("steady"), calls.count("failing")) == (1, 3)


@both
async def test_what_is_not_trusted_calls_nobody(application: Application) -> None:
    app, endpoint = application(secrets=[SecretStr("new"), "old"], max_bytes=500, max_age=60)
    seen: list[str] = []
    endpoint.on("*")(ids_into(seen))
    good = delivered(secret="old", event_id="evt_1")
    async with running(app) as browser:

        async def answer(body: bytes, signature: str | None = good.headers[SIGNATURE_HEADER]) -> int:
            headers = {} if signature is None else {SIGNATURE_HEADER: signature}
            return (await browser.post(PATH, content=body, headers=headers)).status_code

        assert await answer(good.body, None) == 401
        assert await answer(good.body, "sha256=" + "0" * 64) == 401
        assert await answer(good.body + b" ") == 401
        assert await answer(b"") == 401
        assert await answer(b"x" * 501) == 413
        no_event = webhook_call("", secret="new")
        assert await answer(no_event.body, no_event.headers[SIGNATURE_HEADER]) == 400
        assert seen == []
        assert await answer(good.body) == 200
        assert (await browser.get(PATH)).status_code == 405
        assert (await browser.head(PATH)).status_code == 200

    assert seen == ["evt_1"]


@both
async def test_the_answer_says_in_json_what_was_wrong(application: Application) -> None:
    app, _ = application(secrets=SECRET)

    async with running(app) as browser:
        answer = await browser.post(PATH, content=b"{}")

    assert answer.json() == {"detail": "No signature matches."}


@both
@pytest.mark.parametrize("announced", ["no", "too much", "nonsense"])
async def test_a_large_body_is_not_collected(application: Application, announced: str) -> None:
    app, _ = application(secrets=SECRET, max_bytes=10_000)
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 4_000
        return {"type": "http.request", "body": b"x" * 4_000, "more_body": True}  # It never ends.

    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    length = {"no": [], "too much": [(b"content-length", b"9" * 5_000)], "nonsense": [(b"content-length", b"-1")]}
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": length[announced], "query_string": b""}
    await app(scope, receive, send)

    assert messages[0]["status"] == 413
    assert sent == (0 if announced == "too much" else 12_000)


@both
async def test_a_body_that_breaks_off_is_no_error_of_the_application(application: Application) -> None:
    app, _ = application(secrets=SECRET)
    incoming = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    messages: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        messages.append(message)

    await app({"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}, receive, send)

    assert messages[0]["status"] == 400


@both
async def test_a_body_that_comes_in_pieces_is_one_body(application: Application) -> None:
    app, endpoint = application(secrets=SECRET)
    seen: list[str] = []
    endpoint.on("*")(ids_into(seen))
    call = delivered(event_id="evt_1")

    async def pieces() -> AsyncIterator[bytes]:
        for byte in call.body:
            yield bytes([byte])

    async with running(app) as browser:
        answer = await browser.post(PATH, content=pieces(), headers=call.headers)

    assert (answer.status_code, seen) == (200, ["evt_1"])


@both
async def test_without_a_secret_every_call_is_refused(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = application()

    assert await post(app, delivered(secret="guess")) == [403]
    assert "POSTSTACK_WEBHOOK_SECRETS" in caplog.text


@both
@pytest.mark.parametrize("secrets", ["", [], [""], SecretStr("")])
def test_secrets_that_are_empty_are_refused_at_once(application: Application, secrets: Any) -> None:
    with pytest.raises(ValueError, match="secrets are empty"):
        application(secrets=secrets)


@both
def test_a_store_that_is_none_is_refused_at_once(application: Application) -> None:
    with pytest.raises(TypeError, match="RedisEventStore is no AsyncEventStore"):
        application(secrets=SECRET, store=RedisEventStore(object()))  # type: ignore[arg-type]


@both
async def test_secrets_come_from_the_environment_without_a_lifespan(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = application()
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", f"old,{SECRET}")

    assert await post(app, delivered()) == [200]


async def test_secrets_come_from_the_lifespan_also_in_mounted_applications() -> None:
    router = webhook_router()
    mounted = FastAPI()
    mounted.include_router(router)
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets=SecretStr(SECRET)))
    app.include_router(router)
    app.mount("/fastapi", mounted)
    app.router.routes.append(Mount("/starlette", routes=[webhook_route()]))

    for prefix in ("", "/fastapi", "/starlette"):
        assert await post(app, delivered(), delivered(secret="other"), path=prefix + PATH) == [200, 401]


async def test_secrets_of_the_environment_at_the_start_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", SECRET)
    app = FastAPI(lifespan=lifespan)
    app.include_router(webhook_router())

    async with running(app) as browser:
        monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", "later")
        call = delivered()
        assert (await browser.post(PATH, content=call.body, headers=call.headers)).status_code == 200


async def test_a_router_of_options_of_its_own_is_a_router() -> None:
    router = webhook_router(
        SECRET,
        path="/{shop}/poststack",
        prefix="/hooks",
        tags=["webhooks"],
        lifespan=make_lifespan(api_key="sk_test_x"),
    )
    seen: list[str] = []

    @router.on("*")
    def note(event: WebhookEvent, request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        seen.append(f"{request.path_params['shop']} {type(get_poststack(request)).__name__}")

    app = FastAPI()
    app.include_router(router, prefix="/v1")

    assert isinstance(router, APIRouter)
    assert await post(app, delivered(), path="/v1/hooks/tea/poststack") == [200]
    assert seen == ["tea AsyncPostStack"]


async def test_endpoints_of_one_application_do_not_take_handlers_of_one_name_for_one() -> None:
    app = FastAPI()
    seen: list[str] = []

    def add(prefix: str) -> None:
        router = webhook_router(SECRET, prefix=prefix)

        @router.on("*")
        def note(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            seen.append(prefix)

        app.include_router(router)

    add("/a")
    add("/b")
    call = delivered()
    async with running(app) as browser:
        for path in ("/a", "/b", "/a"):
            assert (await browser.post(path + PATH, content=call.body, headers=call.headers)).status_code == 200

    assert seen == ["/a", "/b"]


async def test_applications_that_share_a_router_have_memories_of_their_own() -> None:
    router = webhook_router(SECRET)
    seen: list[str] = []
    router.on("*")(ids_into(seen))
    apps = [FastAPI(), FastAPI()]
    for app in apps:
        app.include_router(router)
        app.include_router(router, prefix="/again")

    call = delivered(event_id="evt_1")
    assert [await post(app, call, call) for app in apps] == [[200, 200]] * 2
    assert seen == ["evt_1"] * 2


async def test_a_store_of_ones_own_remembers() -> None:
    store = MemoryEventStore()
    first, second = with_router(secrets=SECRET, store=store), with_router(secrets=SECRET, store=store)
    seen: list[str] = []

    def note(event: WebhookEvent) -> None:
        seen.append(event.id)

    call = delivered(event_id="evt_1")
    for app, router in (first, second):
        router.on("*")(note)
        assert await post(app, call) == [200]
    assert seen == ["evt_1"]


@both
async def test_a_call_before_the_start_does_not_keep_the_lifespans_options_out(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRETS", "of the environment")
    inner, endpoint = application()
    seen: list[str] = []
    endpoint.on("*")(ids_into(seen))
    store = MemoryEventStore()
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets=SECRET, event_store=store))
    app.mount("/mounted", inner)
    if isinstance(endpoint, WebhookRouter):
        app.include_router(endpoint)
    else:
        app.router.routes.append(endpoint)
    early, late = delivered(secret="of the environment"), delivered()
    paths = [PATH, f"/mounted{PATH}"]
    transport = httpx.ASGITransport(app)  # It runs no lifespan.
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.test") as browser:
        for path in paths:
            assert (await browser.post(path, content=early.body, headers=early.headers)).status_code == 200

    assert [await post(app, late, path=path) for path in paths] == [[200], [200]]
    assert len(seen) == 4


@both
async def test_a_call_that_is_cancelled_is_taken_by_the_next_delivery(application: Application) -> None:
    app, endpoint = application(secrets=SECRET)
    begun, calls = asyncio.Event(), list[str]()

    @endpoint.on("*")
    async def handle(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        calls.append(event.id)
        if len(calls) == 1:
            begun.set()
            await asyncio.Event().wait()

    call = delivered()
    async with running(app) as browser:
        first = asyncio.create_task(browser.post(PATH, content=call.body, headers=call.headers))
        await begun.wait()
        assert (await browser.post(PATH, content=call.body, headers=call.headers)).status_code == 503
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await browser.post(PATH, content=call.body, headers=call.headers)).status_code == 200

    assert len(calls) == 2


async def test_a_synchronous_handler_does_not_hold_up_the_event_loop() -> None:
    router = webhook_router(SECRET)
    app = FastAPI()
    app.include_router(router)
    released = threading.Event()

    @router.on("*")
    def wait(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        assert released.wait(60)

    @app.get("/health")
    async def health() -> None:  # pyright: ignore[reportUnusedFunction]
        released.set()

    call = delivered()
    async with running(app) as browser:
        waiting = asyncio.create_task(browser.post(PATH, content=call.body, headers=call.headers))
        await browser.get("/health")
        assert (await waiting).status_code == 200


async def test_the_emulators_webhooks_reach_the_handlers() -> None:
    with emulator() as emu:
        app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=emu.transport, webhook_secrets=SECRET))
        app.include_router(router := webhook_router(max_age=None))
        seen: list[str] = []

        @router.on("email.delivered")
        def note(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            seen.append(event.email_id or "")

        calls: list[WebhookCall] = []

        def keep(body: bytes, headers: dict[str, str]) -> int:
            calls.append(WebhookCall(body, headers))
            return 200

        emu.on_webhook(keep, secret=SECRET)
        async with running(app) as browser:
            sent = await app.state.poststack.emails.send(
                {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
            )
            emu.clock.advance(60)
            for call in calls:
                answer: httpx.Response = await browser.post(PATH, content=call.body, headers=dict(call.headers))
                assert answer.status_code == 200

    assert seen == [sent["id"]]
