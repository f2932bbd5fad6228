"""`VerifiedEvent` in routes of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from poststack.events import WebhookEvent
from poststack.receiving import Claim, MemoryEventStore
from poststack.testing import WebhookCall, webhook_call
from poststack_fastapi import VerifiedEvent, make_lifespan, verified_event
from tests.asgi import running

pytestmark = pytest.mark.anyio

SECRET = "whsec_of_the_shop"


def application() -> FastAPI:
    return FastAPI(lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets=SECRET))


def call_of(event_type: str = "email.delivered", **more: Any) -> WebhookCall:
    return webhook_call(event_type, secret=SECRET, **more)


async def post(app: FastAPI, *calls: WebhookCall, path: str = "/hook") -> list[int]:
    async with running(app) as browser:
        return [(await browser.post(path, content=call.body, headers=call.headers)).status_code for call in calls]


async def test_the_route_gets_the_event_and_its_body_is_still_there() -> None:
    app = application()

    @app.post("/hook")
    async def hook(event: VerifiedEvent, request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        assert await request.body() == call.body
        return {"id": event.id, "type": (await request.json())["type"], "email": event.email_id}

    call = call_of(event_id="evt_1", email_id="em_1")
    async with running(app) as browser:
        answer = await browser.post("/hook", content=call.body, headers=call.headers)

    assert answer.json() == {"id": "evt_1", "type": "email.delivered", "email": "em_1"}


async def test_a_route_may_take_the_body_as_well() -> None:
    app = application()

    @app.post("/hook")
    def hook(body: dict[str, Any], event: VerifiedEvent) -> bool:  # pyright: ignore[reportUnusedFunction]
        return event.id == str(body["id"])

    assert await post(app, call_of()) == [200]


async def test_what_is_not_trusted_does_not_run_the_route() -> None:
    app = application()
    ran: list[str] = []

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(event.id)

    call = call_of()
    bad = [
        WebhookCall(call.body, {}),
        WebhookCall(call.body + b" ", call.headers),
        call_of("", event_id="evt_no_type"),
        WebhookCall(b"x" * 1_000_001, call.headers),
    ]

    assert await post(app, *bad) == [401, 401, 400, 413]
    assert ran == []


async def test_without_a_secret_the_route_is_not_run() -> None:
    app = FastAPI()

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        raise AssertionError

    assert await post(app, call_of()) == [403]


async def test_a_repeated_event_does_not_run_the_route_again() -> None:
    app = application()
    ran: list[str] = []

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(event.id)

    call = call_of(event_id="evt_1")

    assert await post(app, call, call, call_of(event_id="evt_2")) == [200, 200, 200]
    assert ran == ["evt_1", "evt_2"]


@pytest.mark.parametrize("options", [{}, {"scope": "request"}, {"scope": "function"}])
@pytest.mark.parametrize("error", [HTTPException(422), HTTPException(503), ValueError("broken")])
async def test_a_route_that_raises_is_run_again(error: Exception, options: dict[str, Any]) -> None:
    if options and "scope" not in signature(Depends).parameters:
        pytest.skip("This FastAPI has dependencies of one scope.")
    app = FastAPI()
    ran: list[str] = []
    event = Annotated[WebhookEvent, Depends(verified_event(SECRET), **options)]

    async def hook(event: Any) -> None:
        ran.append(event.id)
        if len(ran) == 1:
            raise error

    hook.__annotations__["event"] = event
    app.post("/hook")(hook)
    call = call_of()
    async with running(app) as browser:
        try:
            status = (await browser.post("/hook", content=call.body, headers=call.headers)).status_code
        except ValueError:
            status = 500
        assert status >= 400
        for _ in range(2):
            assert (await browser.post("/hook", content=call.body, headers=call.headers)).status_code == 200

    assert len(ran) == 2


@pytest.mark.skipif(
    "scope" not in signature(Depends).parameters, reason="This FastAPI ends dependencies before it asks."
)
async def test_a_route_whose_other_parameters_are_wrong_is_run_by_the_next_delivery() -> None:
    app = application()
    ran: list[int] = []

    @app.post("/hook/{number}")
    async def hook(event: VerifiedEvent, number: int, again: int) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(number)

    call = call_of()
    async with running(app) as browser:
        for query, status in (("", 422), ("?again=1", 200)):
            answer = await browser.post(f"/hook/1{query}", content=call.body, headers=call.headers)
            assert answer.status_code == status

    assert ran == [1]


async def test_a_route_that_sets_a_status_of_failure_is_run_again() -> None:
    app = application()
    statuses = [503, 202]

    @app.post("/hook", status_code=202)
    async def hook(event: VerifiedEvent, response: Response) -> None:  # pyright: ignore[reportUnusedFunction]
        response.status_code = statuses.pop(0)

    assert await post(app, *[call_of(event_id="evt_1")] * 3) == [503, 202, 200]


async def test_an_answer_of_ones_own_is_the_end_of_the_event() -> None:
    app = application()

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        return JSONResponse({}, 202)

    assert await post(app, *[call_of(event_id="evt_1")] * 2) == [202, 200]


async def test_an_event_that_is_being_handled_is_asked_for_again() -> None:
    app = application()
    begun, end = asyncio.Event(), asyncio.Event()

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        begun.set()
        await end.wait()

    call = call_of()
    async with running(app) as browser:
        first = asyncio.create_task(browser.post("/hook", content=call.body, headers=call.headers))
        await begun.wait()
        assert (await browser.post("/hook", content=call.body, headers=call.headers)).status_code == 503
        end.set()
        assert (await first).status_code == 200


async def test_a_route_that_is_cancelled_is_run_by_the_next_delivery() -> None:
    app = application()
    begun, ran = asyncio.Event(), list[str]()

    @app.post("/hook")
    async def hook(event: VerifiedEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(event.id)
        if len(ran) == 1:
            begun.set()
            await asyncio.Event().wait()

    call = call_of()
    async with running(app) as browser:
        first = asyncio.create_task(browser.post("/hook", content=call.body, headers=call.headers))
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await browser.post("/hook", content=call.body, headers=call.headers)).status_code == 200

    assert len(ran) == 2


async def test_one_event_may_be_asked_for_in_several_places_of_a_request() -> None:
    def email_of(event: VerifiedEvent) -> str:
        return event.email_id or ""

    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets=SECRET))
    ran: list[str] = []

    async def hook(event: Any, email: Any, background: BackgroundTasks) -> None:
        background.add_task(ran.append, email + event.type)

    hook.__annotations__.update(event=VerifiedEvent, email=Annotated[str, Depends(email_of)])
    app.post("/hook")(hook)

    assert await post(app, call_of(email_id="em_1 ")) == [200]
    assert ran == ["em_1 email.delivered"]


async def test_routes_are_run_each() -> None:
    app = application()
    ran: list[str] = []

    @app.post("/{name}")
    async def hook(event: VerifiedEvent, name: str) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(name)

    call = call_of()
    for name in ("a", "b"):
        assert await post(app, call, call, path=f"/{name}") == [200, 200]
    assert ran == ["a", "b"]


class DownStore(MemoryEventStore):
    async def abegin(self, key: str) -> Claim:
        raise OSError("down")


async def test_options_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    def add(path: str, dependency: Callable[..., Any]) -> None:
        async def hook(event: Any) -> None: ...

        hook.__annotations__["event"] = Annotated[WebhookEvent, Depends(dependency)]
        app.post(path)(hook)

    add("/other", verified_event("secret of another"))
    add("/small", verified_event(SECRET, max_bytes=10))
    add("/young", verified_event(SECRET, max_age=-60))
    add("/down", verified_event(SECRET, store=DownStore()))

    assert await post(app, call_of(), path="/other") == [401]
    assert await post(app, call_of(), path="/small") == [413]
    assert await post(app, call_of(), path="/young") == [400]
    assert await post(app, call_of(), path="/down") == [503]


async def test_tests_replace_the_event_by_an_override() -> None:
    app = FastAPI()
    dependency = verified_event(SECRET)

    async def hook(event: Any) -> str:
        return str(event.id)

    hook.__annotations__["event"] = Annotated[WebhookEvent, Depends(dependency)]
    app.post("/hook")(hook)
    app.dependency_overrides[dependency] = lambda: WebhookEvent("evt_1", "email.sent", None, None, {})

    async with running(app) as browser:
        assert (await browser.post("/hook")).json() == "evt_1"


async def test_the_answer_to_a_repeated_event_can_be_read() -> None:
    app = application()

    @app.post("/hook", status_code=202)
    async def hook(event: VerifiedEvent) -> None: ...  # pyright: ignore[reportUnusedFunction]

    call = call_of()
    async with running(app) as browser:
        assert (await browser.post("/hook", content=call.body, headers=call.headers)).status_code == 202
        again = await browser.post("/hook", content=call.body, headers=call.headers)

    assert again.json() == {"detail": "The event has been handled before."}
