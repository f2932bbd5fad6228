"""How webhooks are described in OpenAPI."""

from __future__ import annotations

from typing import Any, Final

from poststack.events import EVENT_TYPES, SIGNATURE_HEADER

__all__ = [
    "POSTSTACK_ROUTE",
    "RECEIVED",
    "SIGNATURE_DESCRIPTION",
    "SIGNATURE_PARAMETER",
    "WEBHOOK_OPENAPI",
    "WEBHOOK_RESPONSES",
    "provider_route",
]

SIGNATURE_DESCRIPTION: Final = (
    "`sha256=` and the HMAC-SHA256 of the raw body under the webhook's signing secret, in hexadecimal; two of them, "
    "separated by a comma, while the secret is being rotated. Without one that matches, the answer is 401."
)

SIGNATURE_PARAMETER: Final[dict[str, Any]] = {
    "name": SIGNATURE_HEADER,
    "in": "header",
    "required": True,
    "description": SIGNATURE_DESCRIPTION,
    "schema": {"type": "string"},
    "example": "sha256=c85aa533ffbdbc857eca7185d790ceae04bf687994af8795a06752aa2a548613",
}

WEBHOOK_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "title": "PostStackEvent",
                    "type": "object",
                    "required": ["type"],
                    "properties": {
                        "id": {
                            "type": "string",
                            "description": "The same in every delivery of the event.",
                        },
                        "type": {
                            "type": "string",
                            "description": "Others may come.",
                            "examples": sorted(EVENT_TYPES),
                        },
                        "timestamp": {"type": "string", "format": "date-time"},
                        "data": {
                            "type": "object",
                            "properties": {
                                "email_id": {"type": "string", "description": "What sending it returned."},
                                "recipient": {"type": "string", "format": "email"},
                            },
                            "additionalProperties": True,
                        },
                    },
                    "additionalProperties": True,
                },
                "example": {
                    "id": "evt_demo_1",
                    "type": "email.delivered",
                    "timestamp": "2026-01-02T03:04:05.678Z",
                    "data": {"email_id": "em_demo0000000000001", "recipient": "ada@example.com"},
                },
            }
        },
    }
}
"""The body of a webhook call, for `openapi_extra` of a route of your own."""


def _answer(description: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["detail"], "properties": {"detail": {"type": "string"}}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


WEBHOOK_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: _answer("The body is signed, and is no event, or one that is too old."),
    401: _answer("No signature matches."),
    403: _answer("No signing secret is configured."),
    413: _answer("The body is too large."),
    500: {"description": "Handling the event failed. PostStack delivers it again."},
    503: _answer("The event is being handled, or cannot be stored now. PostStack delivers it again."),
}
"""What a webhook is answered besides success, for `responses` of a route of your own."""

RECEIVED: Final = _answer("The event has been handled, now or before.")

POSTSTACK_ROUTE: Final[dict[str, Any]] = {
    "summary": "Receive events from PostStack",
    "description": "PostStack calls this when something happens to an e-mail, and again until it is answered 200.",
    "responses": {200: RECEIVED, **WEBHOOK_RESPONSES},
    "openapi_extra": {"parameters": [SIGNATURE_PARAMETER], **WEBHOOK_OPENAPI},
}
"""How the route for PostStack's own events is described."""


def provider_route(title: str) -> dict[str, Any]:
    """Return how a route for the events of another provider is described; its bodies are that provider's."""
    return {
        "summary": f"Receive events from {title}",
        "description": f"{title} calls this when something happens to an e-mail.",
        "responses": {
            200: RECEIVED,
            401: _answer("The call is not to be trusted."),
            413: WEBHOOK_RESPONSES[413],
            500: {"description": f"Handling the events failed. {title} delivers them again."},
            503: _answer(f"The call cannot be checked, or its events handled, now. {title} delivers them again."),
        },
    }
