"""What the documentation of an application says of its webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI

from poststack.testing import webhook_call
from poststack_fastapi import WEBHOOK_OPENAPI, WEBHOOK_RESPONSES, VerifiedEvent, make_lifespan, webhook_router
from tests.asgi import running

PATH = "/webhooks/poststack"


def documented(app: FastAPI, path: str = PATH) -> dict[str, Any]:
    document = app.openapi()
    OpenAPI.model_validate(document)
    assert list(document["paths"][path]) == ["post"]
    operation: dict[str, Any] = document["paths"][path]["post"]
    return operation


def test_the_router_documents_header_body_and_answers() -> None:
    app = FastAPI()
    app.include_router(webhook_router("secret", tags=["webhooks"]))

    operation = documented(app)

    (header,) = operation["parameters"]
    assert (header["name"], header["in"], header["required"]) == ("X-PostStack-Signature", "header", True)
    assert operation["requestBody"]["required"]
    assert list(operation["responses"]) == ["200", "400", "401", "403", "413", "500", "503"]
    assert all(answer["description"] for answer in operation["responses"].values())
    assert operation["tags"] == ["webhooks"]


def test_two_routers_have_operations_of_their_own() -> None:
    app = FastAPI()
    for prefix in ("/a", "/b"):
        app.include_router(webhook_router("secret", prefix=prefix))

    assert documented(app, "/a" + PATH)["operationId"] != documented(app, "/b" + PATH)["operationId"]


def test_the_router_can_be_left_out() -> None:
    app = FastAPI()
    app.include_router(webhook_router("secret", include_in_schema=False))

    assert app.openapi()["paths"] == {}


def test_a_route_of_ones_own_documents_the_header_by_itself_and_the_rest_on_request() -> None:
    app = FastAPI()

    @app.post("/hook", responses=WEBHOOK_RESPONSES, openapi_extra=WEBHOOK_OPENAPI)
    async def hook(event: VerifiedEvent) -> None: ...  # pyright: ignore[reportUnusedFunction]

    operation = documented(app, "/hook")

    (header,) = operation["parameters"]
    assert (header["name"], header["in"]) == ("X-PostStack-Signature", "header")
    assert {"200", "401", "403", "413", "503"} <= set(operation["responses"])
    assert "PostStackEvent" in str(operation["requestBody"])


def test_the_documented_body_is_what_is_sent() -> None:
    schema = WEBHOOK_OPENAPI["requestBody"]["content"]["application/json"]["schema"]
    sent = webhook_call(secret="secret", email_id="em_1", recipient="ada@example.com").body.decode()

    assert all(f'"{name}":' in sent for name in [*schema["properties"], *schema["properties"]["data"]["properties"]])


@pytest.mark.anyio
async def test_the_documentation_is_served() -> None:
    app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x"))
    app.include_router(webhook_router())

    async with running(app) as browser:
        assert PATH in (await browser.get("/openapi.json")).text
        assert (await browser.get("/docs")).status_code == 200
