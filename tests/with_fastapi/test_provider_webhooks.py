"""Another provider's events in FastAPI and in Starlette alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from poststack.events import WebhookEvent
from poststack.providers.events import PostmarkEvents, SendGridEvents, SesEvents
from poststack_fastapi import WebhookRoute, WebhookRouter, make_lifespan, webhook_route, webhook_router
from tests.asgi import running
from tests.providers.events import test_postmark, test_sendgrid, test_ses
from tests.providers.events.calls import (
    TOPIC,
    Call,
    SnsSender,
    as_json,
    basic,
    public_text,
    sendgrid_call,
)

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.anyio

PATH = "/webhooks/mail"
POSTMARK = PostmarkEvents(username="postmark", password="of the hook")
BOUNCE = Call(as_json(test_postmark.BOUNCE), basic("postmark", "of the hook"))
Endpoint = WebhookRouter | WebhookRoute
Application = Callable[..., tuple[Any, Endpoint]]


def with_router(**options: Any) -> tuple[Any, WebhookRouter]:
    router = webhook_router(path=PATH, **options)
    app = FastAPI()
    app.include_router(router)
    return app, router


def with_route(**options: Any) -> tuple[Any, WebhookRoute]:
    route = webhook_route(path=PATH, **options)
    return Starlette(routes=[route]), route


both = pytest.mark.parametrize("application", [with_router, with_route])


async def post(app: Any, *calls: Call) -> list[httpx.Response]:
    async with running(app) as browser:
        return [await browser.post(PATH, content=call.body, headers=call.headers) for call in calls]


def listening(endpoint: Endpoint) -> list[tuple[str, str | None]]:
    heard: list[tuple[str, str | None]] = []

    @endpoint.on("*")
    async def hear(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        heard.append((event.type, event.email_id))

    return heard


@both
async def test_an_event_reaches_the_handlers_once(application: Application) -> None:
    app, endpoint = application(source=POSTMARK)
    heard = listening(endpoint)

    answers = await post(app, BOUNCE, BOUNCE)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert heard == [("email.bounced", test_postmark.SENT_AS)]


@both
@pytest.mark.parametrize("fetch", ["fetch", "afetch"])
async def test_amazons_topic_is_confirmed_and_its_events_are_taken(application: Application, fetch: str) -> None:
    sns = SnsSender()
    app, endpoint = application(source=SesEvents(topic_arns=TOPIC, fetch=getattr(sns, fetch)))
    heard = listening(endpoint)

    answers = await post(app, sns.ask(), sns.notify(test_ses.CLICK))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert heard == [("email.clicked", test_ses.SENT_AS)]
    assert sns.subscribe_url in sns.fetched


async def test_all_events_of_a_call_are_taken() -> None:
    app, endpoint = with_router(source=SendGridEvents(public_key=public_text()))
    heard = listening(endpoint)
    samples = [{**test_sendgrid.COMMON, **sample} for sample in test_sendgrid.SAMPLES.values()]

    [answer] = await post(app, sendgrid_call(samples))

    assert answer.status_code == 200
    assert len(heard) == len(samples)


@both
async def test_what_is_not_to_be_trusted_is_answered_as_the_source_says(application: Application) -> None:
    app, endpoint = application(source=POSTMARK, max_bytes=5_000)
    heard = listening(endpoint)
    strange = SnsSender("arn:aws:sns:eu-west-1:1:other")
    amazon, _ = application(source=SesEvents(topic_arns=TOPIC, fetch=strange.fetch))

    asked, unusable, large = await post(
        app, Call(BOUNCE.body, {}), Call(b"{}", BOUNCE.headers), Call(b" " * 5_001, BOUNCE.headers)
    )
    [stranger] = await post(amazon, strange.notify(test_ses.CLICK))

    assert (asked.status_code, asked.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
    assert "detail" in asked.json()
    assert (unusable.status_code, large.status_code, stranger.status_code) == (403, 413, 403)
    assert heard == []


async def test_the_secrets_of_the_application_are_for_poststack_only() -> None:
    router = webhook_router(path=PATH, source=POSTMARK)
    heard = listening(router)
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets="secret"))
    app.include_router(router)

    assert [answer.status_code for answer in await post(app, BOUNCE)] == [200]
    assert len(heard) == 1


def test_the_documentation_names_the_provider_and_no_signature_of_poststack() -> None:
    app, _ = with_router(source=POSTMARK)
    described = app.openapi()["paths"][PATH]["post"]

    assert described["summary"] == "Receive events from Postmark"
    assert "parameters" not in described
    assert set(described["responses"]) == {"200", "401", "413", "500", "503"}


@both
def test_secrets_beside_a_source_and_what_is_no_source_are_refused_at_once(application: Application) -> None:
    with pytest.raises(ValueError, match="not both"):
        application(secrets="secret", source=POSTMARK)
    with pytest.raises(TypeError, match="no EventSource"):
        application(source="postmark")
